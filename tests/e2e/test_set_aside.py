"""A real agent, ingest and database: refused samples are counted, kept, and stored after all."""

import asyncio
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.ledger import AgentLedger
from jieneng.clock import SystemClock
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import StoreSettings
from tests.cli.run import jieneng
from tests.e2e.test_unplugged import METER, METERS, SITE, Process, account, readings
from tests.ingest.test_refused_points import post, write_line
from tests.patience import PATIENCE_S
from tests.servers import Influx, Mosquitto, free_port

pytestmark = [pytest.mark.long, pytest.mark.server]


@pytest.fixture
def store(influx: Influx) -> StoreSettings:
    return StoreSettings(kind="influx", url=influx.url, database=f"t{uuid4().hex}")


@pytest.fixture
def folder(tmp_path: Path, mosquitto: Mosquitto, store: StoreSettings) -> SiteFolder:
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
    (site / "ingest.toml").write_text(
        f'{broker}[store]\nkind = "influx"\nurl = "{store.url}"\ndatabase = "{store.database}"\n'
    )
    (site / "agent.toml").write_text(
        broker + "[publish]\nack_timeout_s = 1.0\nstatus_interval_s = 0.5\n"
    )
    return load(site)


@pytest.fixture
def services(folder: SiteFolder) -> Iterator[dict[str, Process]]:
    """Simulators, agent and ingest as processes, each started by the test."""
    running: dict[str, Process] = {}
    yield running
    for process in running.values():
        process.end(signal.SIGTERM)


async def until(
    folder: SiteFolder,
    settings: StoreSettings,
    condition: Callable[[AgentLedger], bool],
    same_for: int = 1,
) -> AgentLedger:
    """Return the book once a condition has held so often while as much was read."""
    times, read = 0, -1
    async with asyncio.timeout(PATIENCE_S):
        while True:
            book = await account(folder, settings)
            if book is not None:
                holds = condition(book) and (same_for == 1 or book.read == read)
                times, read = times + 1 if holds else 0, book.read
                if times == same_for:
                    return book
            await asyncio.sleep(0.7)  # longer than the agent's status interval


async def test_what_the_database_refuses_is_booked_and_stored_after_all(
    folder: SiteFolder, store: StoreSettings, influx: Influx, services: dict[str, Process]
) -> None:
    now_ns = SystemClock().now_ms() * 1_000_000
    await post(influx, store.database, f'CREATE DATABASE "{store.database}"')
    await write_line(influx, store.database, f"water,meter=x,site=other volume_m3=1i {now_ns}")
    for name, command in (
        ("simulator", ("simulate",)),
        ("ingest", ("ingest", "run")),
        ("agent", ("edge", "run")),
    ):
        log = folder.path / f"{name}.log"
        services[name] = Process(*command, "--site", str(folder.path), log=log)
    await until(folder, store, lambda book: book.quarantined >= 10 and book.stored >= 30)
    services.pop("simulator").end(signal.SIGTERM)  # so that nothing more comes in
    last = await until(folder, store, lambda book: not book.pending, same_for=3)
    assert last.read == last.stored + last.quarantined
    assert last.dropped == 0
    assert await readings(folder, store) == last.stored

    done = jieneng("ingest", "ledger", "--site", folder.path)
    assert f"held {last.quarantined}, replayed 0, dropped 0" in done.stdout
    assert done.returncode == 0
    done = jieneng("ingest", "quarantine", "replay", "--site", folder.path)
    assert done.returncode == 1
    assert "already exists as type integer" in done.stdout
    await post(influx, store.database, 'DROP MEASUREMENT "water"')
    done = jieneng("ingest", "quarantine", "replay", "--site", folder.path)
    assert re.search(rf"; {last.quarantined} samples of them are stored", done.stdout)
    assert done.returncode == 0
    assert await readings(folder, store) == last.read
    done = jieneng("ingest", "ledger", "--site", folder.path)
    assert f"held 0, replayed {last.quarantined}, dropped 0" in done.stdout
    assert done.returncode == 0
    said = (folder.path / "ingest.log").read_text()
    assert said.count("samples are quarantined") == 1  # said once, not a thousand times
