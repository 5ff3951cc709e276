"""Results of quotas are computed from stored consumption, and written once a day."""

from datetime import date
from pathlib import Path

from analytics import periods
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.quotas.quota_writer import QuotaWriter
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.metering.site import Site
from jieneng.storage import Store
from tests.analytics.sites import folder as site_folder

SITE = """
[[area]]
id = "block"
name = "block"
kind = "office"
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
"""
QUOTAS = """
[[quota]]
id = "office"
of = "electricity"
per = "floor_area_m2"
kind = ["office"]
constraint = 40.0
unit = "kWh/m2"
from = 2025
source = "an example"

[[annual_quota]]
id = "block"
scope = "block"
indicator = "electricity"
value = 36_500.0
unit = "kWh"
by_month = "last_year"
from = 2024
source = "an example"
"""


def consumption(site: Site, first: date, end: date) -> list[Point]:
    """Return 100 kWh a day."""
    tags = {"kind": "meter", "scope": "e", "medium": "electricity", "interval": "day"}
    fields = {"energy_kwh": 100.0, schema.COVERAGE: 1.0, schema.BOUNDED: 1.0}
    return [
        point
        for time_ms in periods.edges_ms(first, end, "day", site.zone)[:-1].tolist()
        if (point := schema.point(schema.CONSUMPTION, {"site": site.id, **tags}, fields, time_ms))
    ]


async def test_levels_and_annual_quotas_are_stored_at_the_start_of_their_day(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, SITE)
    (tmp_path / "quotas.toml").write_text(QUOTAS, encoding="utf-8")
    site = folder.site
    await store.write(consumption(site, date(2024, 1, 1), date(2025, 7, 1)))
    pipeline = Pipeline(folder, load_rules(tmp_path, site=site), store)
    writer = QuotaWriter(pipeline.quotas, site, store)
    await writer.update(date(2025, 7, 1), ())

    async def stored(measurement: str, field: str, period: str) -> dict[int, float]:
        (series,) = await store.read(
            measurement,
            field,
            where={"site": site.id, "scope": "block", "period": period},
            start_ms=0,
            end_ms=periods.midnight_ms(date(2026, 1, 1), site.zone),
        )
        return dict(zip(series.times_ms.tolist(), series.values.tolist(), strict=True))

    midnight_ms = periods.midnight_ms(date(2025, 7, 1), site.zone)
    assert await stored(schema.QUOTA_LEVEL, "value", "2025") == {midnight_ms: 36.5}
    assert await stored(schema.ANNUAL_QUOTA, "used", "2025") == {midnight_ms: 18_100.0}
    assert await stored(schema.ANNUAL_QUOTA, "forecast_pct", "2025") == {midnight_ms: 100.0}
    assert await stored(schema.ANNUAL_QUOTA, "used", "2025-02") == {midnight_ms: 2800.0}
    used_up_ms = periods.midnight_ms(date(2025, 12, 31), site.zone)
    assert await stored(schema.ANNUAL_QUOTA, "used_100_ms", "2025") == {midnight_ms: used_up_ms}

    await store.write(consumption(site, date(2025, 7, 1), date(2025, 7, 3)))
    await writer.update(date(2025, 7, 1), [date(2024, 3, 1)])
    assert list(await stored(schema.ANNUAL_QUOTA, "used", "2025")) == [midnight_ms], "once a day"
    await writer.update(date(2025, 7, 3), ())
    later_ms = periods.midnight_ms(date(2025, 7, 3), site.zone)
    assert (await stored(schema.ANNUAL_QUOTA, "used", "2025"))[later_ms] == 18_300.0
    last_ms = periods.midnight_ms(date(2024, 12, 31), site.zone)
    assert await stored(schema.ANNUAL_QUOTA, "used", "2024") == {last_ms: 36_600.0}
