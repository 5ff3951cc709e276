"""A simulated site, with a database that has the data that the services would have written.

The history is computed at once: readings of the simulated meters, then the product's own backfill
and publishing. Reports of agents (polls, state, counts) are written, too.

The site is the example centre with heat meters, photovoltaics, an annex that joined in 2025, and a
further baseline beside 2020. A meter of block 2 was silent for two days, one reading of a meter in
block 1 is wrong, and an agent is offline.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.calendar.working_hours import Hours
from analytics.pipeline.changes.change_writer import ChangeWriter
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.profiles.profile_reader import ProfileReader
from analytics.pipeline.profiles.profile_writer import ProfileWriter
from analytics.pipeline.quality.quality_writer import QualityWriter
from analytics.pipeline.quotas.quota_writer import QuotaWriter
from analytics.site_analytics import cost_writer, load_rules
from jieneng.metering import reading, schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.schema import Point
from jieneng.metering.site import Meter, Site
from jieneng.site_folder import SiteFolder, load, read_settings
from jieneng.storage import Store
from simulators.meter_history import midnights
from simulators.serving.site_server import simulate_site
from simulators.settings import SimulatorSettings
from tests.boards import simulated_alerts

EXAMPLE: Final = Path(__file__).parents[2] / "jieneng" / "sites" / "example"
#: The years whose figures are compared, and the moment at which an engineer looks at the boards.
YEARS: Final = (2020, 2025)
#: Years before them of which daily consumption alone is known, for the forecast and its band.
COPIED_YEARS: Final = {2023: 0.97, 2024: 0.99}
NOW: Final = datetime(2025, 12, 4, 15, 20)  # noqa: DTZ001 - the site's local time
#: Latest days with readings by the quarter of an hour, and latest hours with all quantities.
DETAIL_DAYS: Final = 9
#: Latest days with readings by the hour: a whole month, and enough for the usual week.
HOURLY_DAYS: Final = 34
GAUGE_HOURS: Final = 27
#: A meter that did not answer, and the days on which it did not.
SILENT_METER: Final = "e-b2-hvac"
SILENT: Final = (date(2025, 11, 26), date(2025, 11, 28))

#: First day of the annex, which existed only in a part of the compared years.
JOINED: Final = date(2025, 1, 1)

#: A meter of which one reading is three times too high.
SLIPPED_METER: Final = "e-b1-light"

_MINUTE_MS: Final = 60_000
_MORE_METERS: Final = """
[[area]]
id = "annex"
name = "附属楼"
kind = "office"
institutions = ["affairs-bureau"]
floor_area_m2 = [{from = 2025-01-01, value = 2600.0}]
headcount = [{from = 2025-01-01, value = 60}]

[[meter]]
id = "e-annex"
name = "附属楼总表"
medium = "electricity"
area = "annex"
rated_max = 60.0
installed = 2025-01-01

[[meter]]
id = "e-roof"
name = "屋顶光伏"
medium = "electricity"
area = "block-1"
role = "generation"
rated_max = 60.0
installed = 2019-12-01

[[meter]]
id = "h-main"
name = "供热总表"
medium = "heat"
model = "microsensor-mfe600h"
bus = "plant-room"
unit = 8
area = "plant"
rated_max = 2600.0

[[meter]]
id = "h-b1"
name = "1号楼供热"
medium = "heat"
model = "microsensor-mfe600h"
bus = "block-1-gateway"
unit = 8
area = "block-1"
parent = "h-main"
rated_max = 1200.0

[[meter]]
id = "h-b2"
name = "2号楼供热"
medium = "heat"
model = "microsensor-mfe600h"
bus = "block-2-gateway"
unit = 8
area = "block-2"
parent = "h-main"
rated_max = 1200.0
"""
_MORE_TARIFFS = """
[[account]]
id = "3208000000005"
meters = ["e-annex"]
tariff = [
  {from = 2019-01-01, value = "jiangsu-2021"},
  {from = 2025-06-01, value = "jiangsu-two-part"},
]
demand = [{from = 2019-01-01, basis = "capacity", capacity_kva = 100.0}]

[[account]]
id = "3208000000004"
meters = ["h-main"]
tariff = [{from = 2019-01-01, value = "heat-flat"}]

[[price]]
tariff = "heat-flat"
from = 2019-01-01
flat = 60.0
"""


_MORE_PLAN = """
[[baseline]]
id = "recent"
name = "2023–2024"
from = 2023
to = 2024
reason = "2020 was a year of closed offices"
"""


def write_folder(path: Path) -> SiteFolder:
    """Write the site's folder, and read it."""
    for name in ("site.toml", "plan.toml", "quotas.toml", "simulator.toml", "tariffs.toml"):
        shutil.copyfile(EXAMPLE / name, path / name)
    with (path / "site.toml").open("a", encoding="utf-8") as file:
        file.write(_MORE_METERS)
    with (path / "plan.toml").open("a", encoding="utf-8") as file:
        file.write(_MORE_PLAN)
    with (path / "tariffs.toml").open("a", encoding="utf-8") as file:
        file.write(_MORE_TARIFFS)
    return load(path)


def now_ms(site: Site) -> int:
    """Return the moment at which the boards are looked at [UTC, ms]."""
    return _ms(site, NOW)


async def fill(
    folder: SiteFolder,
    store: Store,
    *,
    years: Sequence[int] = YEARS,
    detail_days: int = DETAIL_DAYS,
    gauge_hours: int = GAUGE_HOURS,
) -> None:
    """Write the readings of some years, and what the services compute and report of them.

    Args:
        folder: the site.
        store: an empty store.
        years: years with readings, the base year first.
        detail_days: latest days with readings by the quarter of an hour.
        gauge_hours: latest hours with all quantities.
    """
    for batch in _readings(folder, years, detail_days, gauge_hours):
        await store.write(batch)
    rules = load_rules(folder.path)
    pipeline = Pipeline(folder, rules, store, detail_days=detail_days)
    for year in years:
        last = min(NOW.date(), date(year, 12, 31))
        await pipeline.backfill(date(year, 1, 1), last, lambda _: None)
        if year == years[-1]:
            await _copy_consumption(folder.site, store, years)  # in place of the gap's estimate
        end = datetime(year + 1, 1, 1)  # noqa: DTZ001 - local time
        months = [f"{year}-{month:02}" for month in range(1, 13)]
        months = [month for month in months if month <= f"{NOW:%Y-%m}"]
        wanted = months if year == years[-1] else []
        as_of_ms = _ms(folder.site, min(NOW, end))
        await pipeline.publish(dict.fromkeys([f"{year}", *wanted], as_of_ms))
    await QuotaWriter(pipeline.quotas, folder.site, store).write([years[-1]], NOW.date())
    await ChangeWriter(pipeline, store).write(years, NOW.date())
    profiles = ProfileReader(folder, rules, Hours(), store)
    await ProfileWriter(profiles, store).update(NOW.date(), ())
    await store.write(list(_bills(folder.site)))
    await cost_writer(folder, store).write(months, NOW.date())
    await store.write(list(_reports(folder.site)))
    await store.write([_bill(folder.site), *_completeness(folder.site)])
    await QualityWriter(pipeline, store, lambda _: ()).update(NOW.date(), ())
    await simulated_alerts.fill(folder.site, store, now_ms(folder.site))


def _bills(site: Site) -> Iterator[Point]:
    """Yield the bills of electricity of the last year."""
    for month in range(1, NOW.month):
        start, end = date(NOW.year, month, 1), date(NOW.year, month + 1, 1)
        fields = (
            ("energy_kwh", 270_000.0 + 2_000 * month),
            (schema.COST_YUAN, 240_000.0 + 3_000 * month),
            (schema.INTERVAL_S, (end - start).total_seconds()),
        )
        start_ms = _ms(site, datetime.combine(start, time()))
        yield Point.of(schema.BILL, (("meter", "e-main"), ("site", site.id)), fields, start_ms)


async def _copy_consumption(site: Site, store: Store, years: Sequence[int]) -> None:
    """Write the daily consumption of years without readings: a little less than the base year's.

    This takes a fraction of the time that readings of these years would take.
    """
    base = midnights(site, date(years[0], 1, 1), date(years[0] + 1, 1, 1))
    for year, share in COPIED_YEARS.items():
        if year in years:
            continue
        days = midnights(site, date(year, 1, 1), date(year + 1, 1, 1))
        for medium, field in CONSUMPTION.items():
            for series in await store.read(
                schema.CONSUMPTION,
                field,
                where={"site": site.id, "kind": "meter", "medium": medium, "interval": "day"},
                start_ms=int(base[0]),
                end_ms=int(base[-1]),
            ):
                tags = tuple(sorted(series.tags.items()))
                names = (field, schema.COVERAGE, schema.ESTIMATED, schema.BOUNDED)
                count = min(len(days), len(series.times_ms))
                await store.write(
                    [
                        Point(
                            schema.CONSUMPTION, tags, names, (share * value, 1.0, 0.0, 1.0), day_ms
                        )
                        for day_ms, value in zip(
                            days[:count].tolist(), series.values[:count].tolist(), strict=True
                        )
                    ]
                )


def _ms(site: Site, local: datetime) -> int:
    return round(local.replace(tzinfo=site.zone).timestamp() * 1000)


def _readings(
    folder: SiteFolder, years: Sequence[int], detail_days: int, gauge_hours: int
) -> Iterator[list[Point]]:
    """Yield the readings of each meter."""
    site = folder.site
    simulated = simulate_site(
        folder, read_settings(folder.path / "simulator.toml", SimulatorSettings)
    )
    now = now_ms(site)
    detail_ms = _ms(site, datetime.combine(NOW.date() - timedelta(detail_days), time()))
    gauges_ms = now - gauge_hours * 60 * _MINUTE_MS
    days = np.concatenate(
        [midnights(site, date(year, 1, 1), min(NOW.date(), date(year + 1, 1, 1))) for year in years]
    )
    hourly_ms = _ms(site, datetime.combine(NOW.date() - timedelta(HOURLY_DAYS), time()))
    hours = np.arange(hourly_ms, detail_ms, 60 * _MINUTE_MS)
    quarters = np.arange(detail_ms, now, 15 * _MINUTE_MS)
    moments = np.unique(np.concatenate([days, hours, quarters]))
    full = np.arange(gauges_ms, now, 30 * _MINUTE_MS)
    silent = [_ms(site, datetime.combine(day, time())) for day in SILENT]
    for meter in site.meter:
        if meter.role == "generation":
            yield list(_counter_points(site, meter, moments, _roof_kwh(site, moments)))
            continue
        if meter.area == "annex":
            since = moments[moments >= _ms(site, datetime.combine(JOINED, time()))]
            yield list(_counter_points(site, meter, since, _annex_kwh(site, since)))
            continue
        device = simulated.meters[meter.id]
        times = moments
        if meter.id == SILENT_METER:
            times = times[(times <= silent[0]) | (times >= silent[1])]
        quantity = CONSUMPTION[meter.medium]
        counter = device.readings(times)[quantity]
        points = list(_counter_points(site, meter, times, counter))
        for moment in full.tolist():
            # The register is among the readings above; here it would come in the meter's silence.
            values = {k: v for k, v in device.values(moment).items() if k != quantity}
            sample = reading.Sample(meter.id, moment, 0, tuple(values), tuple(values.values()))
            if (point := schema.reading_point(site.id, meter.medium, sample)) is not None:
                points.append(point)
        yield points


def _roof_kwh(site: Site, times_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the register of the photovoltaics: up to 260 kWh on a clear day in summer."""
    first_ms = _ms(site, datetime(2019, 12, 1))  # noqa: DTZ001 - local time
    days, hours = np.divmod((times_ms - first_ms) / 3_600_000, 24)
    share = np.clip((hours - 6) / 12, 0, 1)
    number = np.arange(int(days.max()) + 2)
    clouds = np.random.default_rng(7).uniform(0.3, 1.0, len(number))
    of_day_kwh = (170 - 90 * np.cos(2 * np.pi * (number - 20) / 365.25)) * clouds
    before_kwh = np.concatenate([[0.0], np.cumsum(of_day_kwh)])
    day = days.astype(np.int64)
    grown: NDArray[np.float64] = share * share * (3 - 2 * share)
    registers: NDArray[np.float64] = before_kwh[day] + of_day_kwh[day] * grown
    return registers


def _annex_kwh(site: Site, times_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the register of the annex: about 430 kWh on a working day, with a peak at noon."""
    first_ms = _ms(site, datetime.combine(JOINED, time()))
    days, hours = np.divmod((times_ms - first_ms) / 3_600_000, 24)
    day = days.astype(np.int64)
    number = np.arange(int(days.max()) + 2)
    is_workday = (number + JOINED.weekday()) % 7 < 5
    noise = np.random.default_rng(11).uniform(0.85, 1.15, len(number))
    of_day_kwh = np.where(is_workday, 430.0, 140.0) * noise
    before_kwh = np.concatenate([[0.0], np.cumsum(of_day_kwh)])
    grown = hours / 24 - np.sin(2 * np.pi * hours / 24) / 8
    registers: NDArray[np.float64] = before_kwh[day] + of_day_kwh[day] * grown
    return registers


def _counter_points(
    site: Site, meter: Meter, times: NDArray[np.int64], values: NDArray[np.float64]
) -> Iterator[Point]:
    tags = (("meter", meter.id), ("site", site.id))
    names = (CONSUMPTION[meter.medium], schema.QUALITY)
    slip_ms = now_ms(site) - 60 * 3_600_000
    for time_ms, value in zip(times.tolist(), values.tolist(), strict=True):
        is_slip = slip_ms <= time_ms < slip_ms + 15 * _MINUTE_MS
        quality = float(reading.Quality.TOO_FAST) if is_slip else 0.0
        shown = value * 3 if is_slip and meter.id == SLIPPED_METER else value
        yield Point(meter.medium, tags, names, (shown, quality), time_ms)


def _reports(site: Site) -> Iterator[Point]:
    """Yield what the agents of the last day reported."""
    now = now_ms(site)
    agents = sorted({bus.agent for bus in site.bus})
    late_ms = _ms(site, datetime.combine(SILENT[1], time()))
    yield schema.late_day_point(site.id, SILENT_METER, late_ms, late_ms + 9 * 3_600_000)
    for number, moment in enumerate(range(now - 86_400_000, now, 10 * _MINUTE_MS)):
        for agent in agents:
            yield from _agent_points(site, agent, moment, number)
        for meter in (one for one in site.meter if one.bus is not None):
            ok = meter.id != SILENT_METER or number % 4 != 1
            answer_ms = 60 + 40 * (len(meter.id) % 5) + 3 * (number * 7 % 11)
            report = reading.PollReport(
                meter.id, moment, ok, answer_ms if ok else 1000, 1 if ok else 3
            )
            yield schema.poll_point(site.id, report)


def _bill(site: Site) -> Point:
    """Return a water bill of October that is higher than what the meter counted."""
    tags = (("meter", "w-main"), ("site", site.id))
    names = ("volume_m3", schema.INTERVAL_S)
    october = datetime(YEARS[-1], 10, 1)  # noqa: DTZ001 - local time
    return Point(schema.BILL, tags, names, (4200.0, 31 * 86_400.0), _ms(site, october))


def _completeness(site: Site) -> Iterator[Point]:
    """Yield the numbers of readings that were stored on the latest days."""
    days = midnights(site, NOW.date() - timedelta(days=20), NOW.date())
    for meter in (one for one in site.meter if one.bus is not None):
        tags = (("meter", meter.id), ("quantity", CONSUMPTION[meter.medium]), ("site", site.id))
        for number, day_ms in enumerate(days.tolist()):
            stored = 8_640.0 - (number * 7 + len(meter.id)) % 12
            values = (8_640.0, stored, stored / 8_640.0)
            yield Point(
                schema.COMPLETENESS, tags, (schema.EXPECTED, schema.STORED, "share"), values, day_ms
            )


def _agent_points(site: Site, agent: str, moment: int, number: int) -> Iterator[Point]:
    read = 4_000_000 + 1_500 * number
    online = agent != "agent-2" or number < 138
    held, waiting = (7, 40 if online else 40 + 1_500 * (number - 137))
    status = reading.Status(
        agent=agent,
        boot="6f1c2a9e",
        online=online,
        time_ms=moment,
        read=read,
        stored=read - held - waiting,
        quarantined=held,
        pending=waiting,
        uptime_s=86_400.0 * 12 + 600.0 * number,
        spool_bytes=21_000 * (1 + number % 3),
        spool_age_s=2.0 + number % 4,
        spool_share=0.0001 * (1 + number % 3),
        disk_used=0.885 if agent == "agent-1" else 0.41,
        certificate_days=204.0 - number / 144,
        bus_load={
            bus.id: 0.12 + 0.11 * place + 0.02 * (number % 5)
            for place, bus in enumerate(site.bus)
            if bus.agent == agent
        },
    )
    yield schema.agent_point(site.id, status, moment)
    yield schema.ledger_point(site.id, status)
    yield from schema.bus_points(site.id, status)
    counts = {"held": held, "replayed": 0, "dropped": 0, "first": 1, "last": number, "missing": 0}
    yield schema.receipt_point(site.id, agent, "ingest-1", counts, moment, boot="6f1c2a9e")
