"""Each real process is killed (kill -9) while the others run: no reading is lost.

The agent's own count of what it read must come out as stored, and the store must hold as many
readings: none missing, none twice.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger import AgentLedger, latest_ledgers
from jieneng.clock import SystemClock
from jieneng.metering.quantities import CONSUMPTION
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import StoreSettings, open_store
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto, free_port

SQLITE = StoreSettings()

pytestmark = [pytest.mark.long, pytest.mark.server]

SITE = """
[site]
id = "small"
name = "small"
[[area]]
id = "house"
name = "house"
[[bus]]
id = "bus"
agent = "agent-1"
host = "127.0.0.1"
port = {port}
"""
METER = """
[[meter]]
id = "{medium}-{unit}"
name = "{medium}-{unit}"
medium = "{medium}"
model = "{model}"
bus = "bus"
unit = {unit}
area = "house"
interval_s = 0.2
rated_max = 400.0
"""
METERS = (
    ("electricity", "acrel-dtsd1352"),
    ("electricity", "eastron-sdm630"),
    ("water", "tuf-2000m-water"),
    ("gas", "fuxin-gas-corrector"),
)


class Process:
    """A service as its user starts it."""

    def __init__(self, *arguments: str, log: Path) -> None:
        self._arguments = arguments
        self._log = log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jieneng", *self._arguments],
                stdout=out,
                stderr=out,
                env={**os.environ, "JIENENG_LANGUAGE": "en"},
            )

    def end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.wait(timeout=PATIENCE_S)


@pytest.fixture
def folder(tmp_path: Path, mosquitto: Mosquitto) -> SiteFolder:
    site = tmp_path / "site"
    site.mkdir()
    port = free_port()
    meters = "".join(
        METER.format(medium=medium, model=model, unit=unit)
        for unit, (medium, model) in enumerate(METERS, 1)
    )
    (site / "site.toml").write_text(SITE.format(port=port) + meters)
    (site / "simulator.toml").write_text(f"[ports]\nbus = {port}\n")
    broker = f'[broker]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n'
    (site / "ingest.toml").write_text(broker)
    (site / "agent.toml").write_text(
        broker + "[publish]\nack_timeout_s = 1.0\nstatus_interval_s = 0.5\n"
    )
    return load(site)


@pytest.fixture
def services(folder: SiteFolder) -> Iterator[dict[str, Process]]:
    """Simulators, agent and ingest as processes."""
    path = folder.path
    commands = {
        "simulator": ("simulate",),
        "ingest": ("ingest", "run"),
        "agent": ("edge", "run"),
    }
    running = {
        name: Process(*command, "--site", str(path), log=path / f"{name}.log")
        for name, command in commands.items()
    }
    yield running
    for process in running.values():
        process.end(signal.SIGTERM)


async def account(folder: SiteFolder, settings: StoreSettings = SQLITE) -> AgentLedger | None:
    """The agent's book, as the store has it."""
    now_ms = SystemClock().now_ms()
    store = open_store(settings, folder.path)
    try:
        await store.prepare()
        found = await latest_ledgers(
            store, folder.site.id, start_ms=now_ms - 3_600_000, end_ms=now_ms + 1000
        )
        return found[0] if found else None
    finally:
        await store.close()


async def readings(folder: SiteFolder, settings: StoreSettings = SQLITE) -> int:
    """How many readings of counters the store has."""
    now_ms = SystemClock().now_ms()
    store = open_store(settings, folder.path)
    try:
        total = 0
        for medium in ("electricity", "water", "gas"):
            for series in await store.read(
                medium,
                CONSUMPTION[medium],
                where={"site": folder.site.id},
                start_ms=now_ms - 3_600_000,
                end_ms=now_ms + 1000,
            ):
                total += len(series.values)
        return total
    finally:
        await store.close()


async def grown(folder: SiteFolder, more: int) -> None:
    """Wait until that many more samples are stored than before."""
    begin = await account(folder)
    wanted = (begin.stored if begin else 0) + more
    for _ in range(600):
        now = await account(folder)
        if now is not None and now.stored >= wanted:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"only {now}, wanted {wanted} stored")


async def test_nothing_is_lost_whatever_is_unplugged(
    folder: SiteFolder, services: dict[str, Process], mosquitto: Mosquitto
) -> None:
    await grown(folder, 20)
    mosquitto.kill()
    await asyncio.sleep(1)  # readings pile up in the agent meanwhile
    mosquitto.start()
    await grown(folder, 20)
    for name in ("ingest", "agent", "simulator", "ingest", "agent"):
        services[name].end(signal.SIGKILL)
        services[name].start()
        await grown(folder, 20)
    services["simulator"].end(signal.SIGTERM)  # so that nothing more comes in
    book = await settled(folder)
    services["simulator"].start()
    assert (book.is_balanced, book.dropped) == (True, 0)
    assert book.read == book.stored > 100
    assert await readings(folder) == book.stored


async def settled(folder: SiteFolder) -> AgentLedger:
    """The book once nothing is pending any more and nothing comes in."""
    book, same = await account(folder), 0
    for _ in range(100):
        await asyncio.sleep(0.6)  # longer than the agent's status interval
        last, book = book, await account(folder)
        assert book is not None
        still = last is not None and (book.read, book.pending) == (last.read, 0)
        same = same + 1 if still else 0
        if same == 4:
            return book
    pytest.fail(f"it never settled: {book}")
