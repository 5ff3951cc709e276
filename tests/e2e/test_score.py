"""A day of faulty meters through all services: by the score, no reading is lost.

The simulator, the agent and the ingest are the real services, on a stepped clock; broker, sockets
and store are real. The script has every kind of fault of the wire and of the register that a
pipeline can get right; the truth that the simulator writes is what the store is scored by.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest

import edge_agent.app
import ingest.app
import simulators.app
from edge_agent.settings import AgentSettings, BusOverride, PublishSettings
from ingest.settings import IngestSettings
from jieneng import config_file as documents
from jieneng.metering import schema
from jieneng.mqtt.broker import BrokerSettings
from jieneng.site_folder import SiteFolder, load, read_settings
from jieneng.storage import Series, Store, StoreSettings, open_store
from simulators.settings import SimulatorSettings
from tests.cli.run import jieneng
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto
from tests.stepped_clock import SteppedClock

pytestmark = [pytest.mark.long, pytest.mark.server]

BEGIN = datetime.fromisoformat("2025-06-02T22:00:00+08:00")
HOURS = 28  # a whole local day, and some hours on either side

SITE = """
[site]
id = "scored"
name = "scored"
[[area]]
id = "block"
name = "block"
floor_area_m2 = [{from = 2020-01-01, value = 2000.0}]
headcount = [{from = 2020-01-01, value = 100}]
[[bus]]
id = "lan"
agent = "agent-1"
host = "127.0.0.1"
timeout_s = 0.25
[[bus]]
id = "serial-server"
agent = "agent-1"
link = "rtu_tcp"
host = "127.0.0.2"
timeout_s = 0.25
"""
METER = """
[[meter]]
id = "{}"
name = "meter"
medium = "{}"
model = "{}"
bus = "{}"
unit = {}
area = "block"
interval_s = 300
rated_max = {}
installed = 2025-01-01
"""
#: An office has no use for gas in June.
SIMULATOR = """
[[load]]
meter = "g-1"
steady = 12.0
"""
METERS = (
    ("e-1", "electricity", "acrel-dtsd1352", "lan", 1, 90),
    ("e-2", "electricity", "eastron-sdm630", "serial-server", 2, 90),
    ("w-1", "water", "tuf-2000m-water", "serial-server", 3, 16),
    ("g-1", "gas", "fuxin-gas-corrector", "lan", 4, 60),
)

#: The last two hours are quiet, so that the last readings of the day are known for certain.
FAULTS = """
[[fault]]
kind = "late_answer"
delay_s = 0.35
probability = 0.004
duration_s = 90000
[[fault]]
kind = "no_answer"
meter = "e-2"
after_s = 30000
duration_s = 7200
[[fault]]
kind = "wrong_unit"
bus = "serial-server"
probability = 0.005
duration_s = 90000
[[fault]]
kind = "bad_checksum"
bus = "serial-server"
probability = 0.005
duration_s = 90000
[[fault]]
kind = "noise"
bus = "serial-server"
probability = 0.005
duration_s = 90000
[[fault]]
kind = "wrong_transaction"
bus = "lan"
probability = 0.005
duration_s = 90000
[[fault]]
kind = "truncated"
probability = 0.005
duration_s = 90000
[[fault]]
kind = "split"
probability = 0.1
[[fault]]
kind = "busy"
probability = 0.005
duration_s = 90000
[[fault]]
kind = "reset"
probability = 0.02
place = "after"
duration_s = 90000
[[fault]]
kind = "zero_on_reconnect"
meter = "e-1"
duration_s = 90000
[[fault]]
kind = "spike"
meter = "g-1"
plus = 7000.0
probability = 0.02
duration_s = 90000
[[fault]]
kind = "torn"
meter = "w-1"
probability = 0.02
duration_s = 90000
[[fault]]
kind = "one_connection"
"""


def write_site(folder: Path, broker_port: int) -> SiteFolder:
    folder.mkdir()
    (folder / "site.toml").write_text(SITE + "".join(METER.format(*one) for one in METERS))
    (folder / "simulator.toml").write_text(SIMULATOR)
    (folder / "faults.toml").write_text(FAULTS)
    (folder / "ingest.toml").write_text(f"[broker]\nport = {broker_port}\n")
    return load(folder)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - a store has no event
            await asyncio.sleep(0.05)


async def booked(store: Store, folder: SiteFolder, end_ms: int) -> bool:
    """Whether the agent's book is closed, and the store holds as many readings as it says."""

    async def series(measurement: str, field: str) -> list[Series]:
        where = {"site": folder.site.id}
        return await store.read(measurement, field, where=where, start_ms=0, end_ms=end_ms)

    book = {}
    for name in ("read", "stored", "pending"):
        book[name] = sum(float(one.values[-1]) for one in await series(schema.LEDGER, name))
    there = 0
    for medium in ("electricity", "water", "gas"):
        there += sum(len(one.values) for one in await series(medium, schema.QUALITY))
    return book["read"] > 0 and book["pending"] == 0 and book["read"] == book["stored"] == there


async def test_a_day_of_every_fault_is_scored_without_a_mistake(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    folder = write_site(tmp_path / "site", mosquitto.port)
    begin_ms = round(BEGIN.timestamp() * 1000)
    end_ms = begin_ms + HOURS * 3_600_000
    clock = SteppedClock(begin_ms, sleepers=len(folder.site.bus))
    truth = tmp_path / "truth"
    how = simulators.app.RunOptions(script=documents.read(folder.path / "faults.toml"), truth=truth)
    simulated = read_settings(folder.path / "simulator.toml", SimulatorSettings)
    store = open_store(StoreSettings(), folder.path)
    await store.prepare()
    running = asyncio.create_task(
        simulators.app.run(folder, simulated, clock, how), name="simulators"
    )
    try:
        run_file = folder.path / simulators.app.ENDPOINTS_FILE

        async def served() -> bool:
            return run_file.exists()

        await until(served)
        buses = json.loads(run_file.read_text())["buses"]
        agent = AgentSettings(
            broker=BrokerSettings(port=mosquitto.port),
            publish=PublishSettings(status_interval_s=0.2),
            bus=tuple(BusOverride(id=bus, host=at[0], port=at[1]) for bus, at in buses.items()),
        )
        coming = read_settings(folder.path / "ingest.toml", IngestSettings)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(ingest.app.run(folder, coming, clock)),
                group.create_task(edge_agent.app.run(folder, agent, clock)),
            ]
            await clock.run_until(end_ms)
            await until(lambda: booked(store, folder, end_ms + 1))
            for task in reversed(tasks):
                task.cancel()
    finally:
        await store.close()
        running.cancel()
        await asyncio.wait([running])
    await asyncio.to_thread(check_score, folder, truth)


def check_score(folder: SiteFolder, truth: Path) -> None:
    site = ("--site", folder.path)
    done = jieneng("analytics", "backfill", *site, "--from", "2025-06-02", "--to", "2025-06-04")
    assert done.returncode == 0, done.stderr
    done = jieneng("simulate", "score", *site, "--truth", truth, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    score = json.loads(done.stdout)
    counts = score["counts"]
    assert counts["good"] > 4 * 250
    assert counts["bad"] > 10
    assert {name: counts[name] for name in ("lost", "invented", "wrong", "late")} == {
        "lost": 0, "invented": 0, "wrong": 0, "late": 0,
    }  # fmt: skip
    assert counts["untrue"] > 10, "zeros, spikes and torn words were served, and are kept"
    for meter in score["meters"]:
        day = next(one for one in meter["days"] if one["day"] == "2025-06-03")
        assert day["coverage"] == 1.0 or meter["meter"] == "e-2", day
        assert abs(day["error_pct"]) < 0.5, (meter["meter"], day)
