"""After any sequence of imports, undoing them in turn restores each earlier state."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.importing.batches.batch_undo import undo_batch
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.importer import import_readings
from jieneng.clock import SystemClock
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import Store, StoreSettings, open_store
from tests.cases.case_site import CaseSite

HOUR_MS = 3_600_000
START_MS = 1_717_200_000_000  # 2024-06-01 08:00 in Shanghai

#: Hours and values of a file; hours of live points with power, energy or both.
FILES = st.lists(
    st.tuples(
        st.sampled_from(["register", "interval", "power"]),
        st.dictionaries(st.integers(0, 12), st.integers(0, 3), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=4,
)
LIVE = st.dictionaries(
    st.integers(0, 12), st.sets(st.sampled_from(["energy_kwh", "power_kw"]), min_size=1)
)


async def content(store: Store) -> dict[tuple[str, str], dict[int, float]]:
    """Return everything that is stored of the meter, by measurement and field."""
    found = {}
    for measurement in ("electricity", "interval"):
        for field in ("energy_kwh", "power_kw", "quality", "interval_s"):
            for series in await store.read(
                measurement, field, where={"meter": "e-a"}, start_ms=0, end_ms=4 * 10**12
            ):
                values = zip(series.times_ms.tolist(), series.values.tolist(), strict=True)
                found[measurement, field] = dict(values)
    return found


def live_points(live: dict[int, set[str]]) -> list[Point]:
    tags = (("meter", "e-a"), ("site", "huaian"))
    return [
        Point.of(
            "electricity",
            tags,
            [(field, 2.0) for field in sorted(fields)] + [("quality", 4.0)],
            START_MS + hour * HOUR_MS,
        )
        for hour, fields in live.items()
    ]


async def load_file(
    folder: SiteFolder, store: Store, name: str, kind: str, rows: dict[int, int]
) -> int | None:
    quantity = "power_kw" if kind == "power" else "energy_kwh"
    lines = [f"2024-06-01 {8 + hour:02}:00,e-a,{quantity},{value}" for hour, value in rows.items()]
    file = folder.path / name
    file.write_text("\n".join(["time,meter,quantity,value", *lines]) + "\n")
    is_interval = kind == "interval"
    options = ImportOptions(
        kind="interval" if is_interval else "register",
        interval_s=3600.0 if is_interval else None,
        replace=True,
        sure=True,
    )
    report = await import_readings(file, folder, store, options, lambda _: None, SystemClock())
    assert not report.problem_count, report.problems
    return report.batch.number


@given(LIVE, FILES)
@settings(max_examples=12, deadline=None)
def test_undoing_in_turn_leads_back(
    live: dict[int, set[str]], files: list[tuple[str, dict[int, int]]]
) -> None:
    async def check(path: Path) -> None:
        CaseSite(path)
        folder, store = load(path), open_store(StoreSettings(), path)
        await store.write(live_points(live))
        states = []
        for number, (kind, rows) in enumerate(files):
            states.append(await content(store))
            batch = await load_file(folder, store, f"{number}.csv", kind, rows)
            if batch is None:
                assert states.pop() == await content(store)
            else:
                assert batch == len(states)
        while states:
            await undo_batch(len(states), folder, store, SystemClock())
            assert await content(store) == states.pop()
        await store.close()

    with tempfile.TemporaryDirectory() as path:
        asyncio.run(check(Path(path)))
