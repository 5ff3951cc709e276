"""Measured days through all services give the values of the files, to one step of the register."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import edge_agent.app
import ingest.app
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from edge_agent.settings import AgentHead, AgentSettings, BusOverride
from ingest.settings import IngestSettings
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.mqtt.broker import BrokerSettings
from jieneng.site_folder import SiteFolder, load, read_settings
from jieneng.storage import Store, StoreSettings, open_store
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from tests.e2e import measured as files
from tests.servers import Influx, Mosquitto
from tests.stepped_clock import SteppedClock

pytestmark = [pytest.mark.long, pytest.mark.server]

INTERVAL_S = 900
FIRST_DAY = datetime(2019, 3, 4)  # noqa: DTZ001 - a local day; a Monday, with all buildings at work
DAYS = 2
#: What the smallest step of each medium's register is worth: 0.01 kWh x CT, a litre, 0.0001 m3.
CT = 80.0
STEP = {"electricity": 0.01 * CT, "water": 0.001, "gas": 0.0001}
#: Gas is measured in kWh there; the meters here count m3, a tenth of that number.
SCALE = {"electricity": 1.0, "water": 0.001, "gas": 0.1}
MODEL = {
    "electricity": "acrel-dtsd1352",
    "water": "tuf-2000m-water",
    "gas": "fuxin-gas-corrector",
}


def measured_days(measured: Path) -> dict[str, dict[str, files.Hours]]:
    """Hours by medium and meter: ten buildings, and the seven water meters moved to those days."""
    march_2015 = datetime(2015, 3, 9, tzinfo=UTC)  # also a Monday
    by = FIRST_DAY.replace(tzinfo=UTC) - march_2015
    return {
        "electricity": files.cambridge(measured, "electricity"),
        "gas": files.cambridge(measured, "gas"),
        "water": {
            name: files.shifted(hours, by) for name, hours in files.opengrid_water(measured).items()
        },
    }


def write_site(folder: Path, days: dict[str, dict[str, files.Hours]]) -> SiteFolder:
    """A site of these meters, on a bus a medium, by two agents, and their files to be replayed."""
    folder.mkdir()
    site = [
        '[site]\nid = "measured"\nname = "measured"\n',
        '[[area]]\nid = "campus"\nname = "campus"\n',
    ]
    simulator = []
    margin = timedelta(days=2)
    begin = FIRST_DAY.replace(tzinfo=UTC)
    for number, (medium, meters) in enumerate(days.items()):
        link = "rtu_tcp" if medium == "gas" else "tcp"
        site.append(
            f'[[bus]]\nid = "{medium}"\nagent = "agent-{number % 2 + 1}"\nlink = "{link}"\n'
            f'host = "192.0.2.1"\nport = {number + 1}\ntimeout_s = 5.0\n'
        )
        files.write_wide(
            folder / f"{medium}.csv", meters, begin - margin, begin + timedelta(days=DAYS) + margin
        )
        for unit, name in enumerate(meters, 1):
            ratio = (
                f"ct = [{{from = 2015-01-01, value = {CT}}}]\n" if medium == "electricity" else ""
            )
            site.append(
                f'[[meter]]\nid = "{medium[0]}-{name}"\nname = "{name}"\nmedium = "{medium}"\n'
                f'model = "{MODEL[medium]}"\nbus = "{medium}"\nunit = {unit}\narea = "campus"\n'
                f"interval_s = {INTERVAL_S}\nrated_max = 5000.0\n{ratio}"
            )
            simulator.append(
                f'[[replay]]\nmeter = "{medium[0]}-{name}"\nfile = "{medium}.csv"\n'
                f'column = "{name}"\nscale = {SCALE[medium]}\nmissing = ["0"]\n'
            )
    (folder / "site.toml").write_text("\n".join(site))
    (folder / "simulator.toml").write_text("\n".join(simulator))
    return load(folder)


@asynccontextmanager
async def running(
    folder: SiteFolder, clock: SteppedClock, broker: BrokerSettings, store: StoreSettings
) -> AsyncIterator[None]:
    """Simulators, two agents and the ingest."""
    settings = read_settings(folder.path / "simulator.toml", SimulatorSettings)
    async with (
        site_server.serving(site_server.simulate_site(folder, settings), clock) as places,
        asyncio.TaskGroup() as group,
    ):
        overrides = tuple(
            BusOverride(id=bus, host=at.host, port=at.port) for bus, at in places.items()
        )
        coming = IngestSettings(broker=broker, store=store)
        tasks = [group.create_task(ingest.app.run(folder, coming, clock))]
        for agent in ("agent-1", "agent-2"):
            own = AgentSettings(
                agent=AgentHead(id=agent),
                broker=broker,
                bus=tuple(o for o in overrides if folder.site.buses[o.id].agent == agent),
            )
            tasks.append(group.create_task(edge_agent.app.run(folder, own, clock)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def stored(store: Store, folder: SiteFolder, end_ms: int) -> dict[str, int]:
    """How many readings of its counter each meter has in the store."""
    counts: dict[str, int] = {}
    for medium in CONSUMPTION:
        for series in await store.read(
            medium, CONSUMPTION[medium], where={"site": folder.site.id}, start_ms=0, end_ms=end_ms
        ):
            counts[series.tags["meter"]] = len(series.values)
    return counts


async def until_stored(
    store: Store, folder: SiteFolder, end_ms: int, wanted: dict[str, int]
) -> None:
    """Wait until exactly the readings that were made are stored."""
    found: dict[str, int] = {}
    for _ in range(600):
        found = await stored(store, folder, end_ms)
        if found == wanted:
            return
        await asyncio.sleep(0.1)
    assert found == wanted


async def test_measured_days_come_out_as_the_files_say(
    measured: Path, mosquitto: Mosquitto, influx: Influx, tmp_path: Path
) -> None:
    days = measured_days(measured)
    folder = write_site(tmp_path / "site", days)
    zone = folder.site.zone
    hour = timedelta(hours=1)
    begin = FIRST_DAY.replace(tzinfo=zone) - hour
    end = (FIRST_DAY + timedelta(days=DAYS)).replace(tzinfo=zone) + hour
    begin_ms, end_ms = (round(moment.timestamp() * 1000) for moment in (begin, end))
    clock = SteppedClock(begin_ms, sleepers=len(folder.site.bus))
    store_settings = StoreSettings(kind="influx", url=influx.url, database="replay")
    store = open_store(store_settings, tmp_path)
    await store.prepare()
    try:
        broker = BrokerSettings(port=mosquitto.port)
        async with running(folder, clock, broker, store_settings):
            await clock.run_until(end_ms)
            polls = round((end_ms - begin_ms) / 1000 / INTERVAL_S)
            wanted = {meter.id: polls for meter in folder.site.meter}
            await until_stored(store, folder, end_ms + 1, wanted)
        await check_days(store, folder, days)
    finally:
        await store.close()


async def check_days(
    store: Store, folder: SiteFolder, days: dict[str, dict[str, files.Hours]]
) -> None:
    """Per meter and day, the analytics says what the file says."""
    pipeline = Pipeline(folder, load_rules(folder.path), store)
    last = (FIRST_DAY + timedelta(days=DAYS - 1)).date()
    await pipeline.backfill(FIRST_DAY.date(), last, lambda _: None)
    compared = 0
    for medium, meters in days.items():
        for number in range(DAYS):
            day = FIRST_DAY + timedelta(days=number)
            reported = await day_consumption(store, folder, medium, day)
            for name, hours in meters.items():
                plain = files.day_sum(hours, day, folder.site.zone) * SCALE[medium]
                assert abs(reported[f"{medium[0]}-{name}"] - plain) <= STEP[medium] * 1.000001, (
                    medium, name, day,
                )  # fmt: skip
                compared += 1
    assert compared == DAYS * (2 * len(files.BUILDINGS) + 7)


async def day_consumption(
    store: Store, folder: SiteFolder, medium: str, day: datetime
) -> dict[str, float]:
    """The stored consumption of each meter of a medium on a local day."""
    begin = day.replace(tzinfo=folder.site.zone)
    begin_ms = round(begin.timestamp() * 1000)
    found = await store.read(
        schema.CONSUMPTION,
        CONSUMPTION[medium],  # type: ignore[index]  # a medium, by its name
        where={"site": folder.site.id, "kind": "meter", "medium": medium, "interval": "day"},
        start_ms=begin_ms,
        end_ms=begin_ms + 1,
    )
    return {series.tags["scope"]: float(series.values[0]) for series in found}
