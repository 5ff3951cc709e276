"""An undo restores the earlier state on servers too, which delete a point with all its fields."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from ingest.importing.batches.batch_undo import undo_batch
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.importer import import_readings
from jieneng.clock import SystemClock
from jieneng.metering.schema import Point
from jieneng.site_folder import load
from jieneng.storage import Store, StoreSettings, open_store
from tests.cases.case_site import CaseSite
from tests.servers import Influx, Influx2

START_MS = 1_717_200_000_000
HOUR_MS = 3_600_000


async def content(store: Store) -> dict[str, dict[int, float]]:
    """Return everything that is stored of the meter, by field."""
    found = {}
    for field in ("energy_kwh", "power_kw", "quality"):
        for series in await store.read(
            "electricity", field, where={"meter": "e-a"}, start_ms=0, end_ms=4 * 10**12
        ):
            found[field] = dict(zip(series.times_ms.tolist(), series.values.tolist(), strict=True))
    return found


def settings_of(server: Influx | Influx2, folder: Path) -> StoreSettings:
    """Return the settings of an empty database of a server."""
    name, token = f"t{uuid4().hex}", ""
    if isinstance(server, Influx2):
        server.make_bucket(name)
        (folder / "token").write_text(server.token)
        token = str(folder / "token")
    settings = StoreSettings(kind="influx", url=server.url, database=name)
    return msgspec.structs.replace(settings, token_file=token) if token else settings


@pytest.mark.server
@pytest.mark.parametrize("kind", ["influx", "influx2"])
async def test_an_undo_leaves_the_other_fields(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    site = CaseSite(tmp_path)
    settings = settings_of(request.getfixturevalue(kind), tmp_path)
    folder, store = load(tmp_path), open_store(settings, tmp_path)
    tags = (("meter", "e-a"), ("site", "huaian"))
    live = [
        Point.of(
            "electricity", tags, (("power_kw", 5.0), ("quality", 4.0)), START_MS + hour * HOUR_MS
        )
        for hour in (0, 3, 4, 9)
    ]
    await store.prepare()
    await store.write(live)
    states = []
    for step, options in ((1, ImportOptions()), (2, ImportOptions(replace=True))):
        states.append(await content(store))
        start = datetime(2024, 6, 1, 8)  # noqa: DTZ001 - local, as in a file
        rows = [
            (start + hour * timedelta(hours=1), 100.0 * step + hour) for hour in range(0, 9, step)
        ]
        file = site.readings(rows, name=f"{step}.csv")
        report = await import_readings(file, folder, store, options, lambda _: None, SystemClock())
        assert report.batch.number == step, report.problems
    assert len((await content(store))["energy_kwh"]) == 5
    for step in (2, 1):
        await undo_batch(step, folder, store, SystemClock())
        assert await content(store) == states.pop()
    await store.close()
