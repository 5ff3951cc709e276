"""Costs are stored by month, once a day, and what became unknown is not kept."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics import periods
from analytics.site_analytics import cost_writer
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store
from tests.analytics.pipeline.signals.stored_messages import meter_row, site_folder
from tests.analytics.sites import two_part_price

FIRST, DAYS = date(2026, 5, 1), 60
TODAY = FIRST + timedelta(days=DAYS)
QUARTER_MS = 900_000
TARIFFS = """
[[account]]
id = "3208001"
meters = ["main"]
tariff = [{from = 2026-01-01, value = "jiangsu-two-part"}]
demand = [{from = 2026-01-01, basis = "actual"}]
""" + two_part_price(2026)


async def made_site(path: Path, store: Store) -> SiteFolder:
    """A main of 4 kW, read each quarter of an hour, and its bill of May."""
    (path / "tariffs.toml").write_text(TARIFFS, encoding="utf-8")
    folder = site_folder(path, meter_row("main"))
    tags = (("meter", "main"), ("site", folder.site.id))
    start_ms = periods.midnight_ms(FIRST, folder.site.zone)
    await store.write(
        [
            Point.of(
                "electricity", tags, (("energy_kwh", float(number)),), start_ms + 900_000 * number
            )
            for number in range(96 * DAYS + 1)
        ]
    )
    fields = (("energy_kwh", 2976.0), (schema.COST_YUAN, 2100.0), (schema.INTERVAL_S, 31 * 86400.0))
    await store.write([Point.of(schema.BILL, tags, fields, start_ms)])
    return folder


async def stored_costs(store: Store, folder: SiteFolder, field: str) -> dict[str, float]:
    """Return a field of the account's costs, by period."""
    start, end = (
        periods.midnight_ms(day, folder.site.zone) for day in (date(2026, 1, 1), date(2027, 1, 1))
    )
    where = {"site": folder.site.id, "kind": "account"}
    found = await store.read(schema.COST, field, where=where, start_ms=start, end_ms=end)
    return {series.tags["period"]: float(series.values[0]) for series in found}


async def test_costs_of_the_running_month_and_of_earlier_ones_are_stored(
    tmp_path: Path, store: Store
) -> None:
    """4 kW, in May for 7 h at 0.9566, 9 h at 0.64 and 8 h at 0.3828 yuan; in June for 8 h each.
    Of April nothing is known."""
    folder = await made_site(tmp_path, store)
    await cost_writer(folder, store).update(TODAY - timedelta(days=15), ())
    may = 4 * 31 * (7 * 0.9566 + 9 * 0.64 + 8 * 0.3828)
    june = 4 * 14 * (8 * 0.9566 + 8 * 0.64 + 8 * 0.3828)
    assert await stored_costs(store, folder, "energy_yuan") == pytest.approx(
        {"2026-05": may, "2026-06": june}
    )
    assert await stored_costs(store, folder, "demand_yuan") == pytest.approx(
        {"2026-05": 160.0, "2026-06": 160.0 * 14 / 30}
    )
    assert (await stored_costs(store, folder, "energy_peak_kwh"))["2026-05"] == 4 * 31 * 7
    assert await stored_costs(store, folder, "billed_yuan") == {"2026-05": 2100.0}


async def test_they_are_written_once_a_day_and_replaced_as_a_whole(
    tmp_path: Path, store: Store
) -> None:
    folder = await made_site(tmp_path, store)
    writer = cost_writer(folder, store)
    day = TODAY - timedelta(days=15)
    await writer.update(day, ())
    span = {"start_ms": 0, "end_ms": periods.midnight_ms(TODAY, folder.site.zone)}
    await store.delete(schema.BILL, where={"site": folder.site.id}, **span)
    await writer.update(day, ())
    assert await stored_costs(store, folder, "billed_yuan") == {"2026-05": 2100.0}
    await writer.update(day + timedelta(days=1), ())
    assert await stored_costs(store, folder, "billed_yuan") == {}
    assert len(await stored_costs(store, folder, "energy_yuan")) == 2


async def test_earlier_months_that_changed_follow_one_by_one_the_latest_first(
    tmp_path: Path, store: Store
) -> None:
    """Only the latest three months are written each day; May and June follow, one in each call."""
    folder = await made_site(tmp_path, store)
    writer = cost_writer(folder, store)
    october = date(2026, 10, 20)
    assert await writer.update(october, (FIRST, date(2026, 6, 3))) == 1
    assert set(await stored_costs(store, folder, "energy_yuan")) == {"2026-06"}
    assert await writer.update(october, ()) == 0
    assert set(await stored_costs(store, folder, "energy_yuan")) == {"2026-05", "2026-06"}
