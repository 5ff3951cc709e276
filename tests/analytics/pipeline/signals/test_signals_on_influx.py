"""Signals are the same on a server as on the embedded store, live and in replays."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from analytics.alerts.alert_rule import AlertRule
from jieneng.metering import schema
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.pipeline.signals.recorded_minutes import RULES, Cells, history, note
from tests.analytics.pipeline.signals.stored_messages import at, meter_row, reader, site_folder
from tests.servers import Influx

pytestmark = pytest.mark.server

COMPUTED = (
    AlertRule(id="path", signal="path_excess", above=3.0),
    AlertRule(id="cover", signal="coverage", below=95.0),
)


@pytest.fixture
async def stores(
    influx: Influx, tmp_path: Path, store: Store
) -> AsyncIterator[tuple[Store, Store]]:
    """The embedded store, and a database of a server."""
    settings = StoreSettings(kind="influx", url=influx.url, database=f"t{uuid4().hex}")
    server = open_store(settings, tmp_path)
    await server.prepare()
    yield store, server
    await server.close()


async def test_a_server_gives_the_signals_of_the_embedded_store(
    tmp_path: Path, stores: tuple[Store, Store]
) -> None:
    """Live, with the backlog of a meter that returns after the others; then replayed."""
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b", "bus-b"))
    day = datetime.fromtimestamp(at(-8 * 3600) / 1000, folder.site.zone)
    figures = [
        schema.point(
            schema.INDICATOR,
            {
                "site": "centre",
                "scope": "block",
                "indicator": "energy_per_capita",
                "period": f"{day:{form}}",
                "series": "-",
            },
            {"value": 104.0, "path": 100.0, "coverage": 0.9, "status": "at_risk"},
            at(-8 * 3600),
        )
        for form in ("%Y", "%Y-%m")
    ]
    said: list[dict[str, Cells]] = []
    for one in stores:
        rules = (*RULES, *COMPUTED)
        cells: dict[str, Cells] = {rule.id: {} for rule in rules}
        live = reader(folder, one, *rules)
        await one.write([figure for figure in figures if figure is not None])
        late = []
        for number, (second, points) in enumerate(history(3)):
            late += [point for point in points if ("meter", "b") in point.tags and number > 5]
            await one.write([point for point in points if point not in late])
            if number % 9 == 0:
                for rule_id, values in (await live.read(at(second + 6))).items():
                    note(values, cells[rule_id])
        await one.write(late)
        for rule_id, values in (await live.read(at(455))).items():
            note(values, cells[rule_id])
        for rule in rules:
            again: Cells = {}
            async for values in live.replay(rule, at(-86_400), at(450), 10.0):
                note(values, again)
            cells[f"{rule.id} again"] = again
        said.append(cells)
    assert said[0] == said[1]
    assert all(said[0].values())
