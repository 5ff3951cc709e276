"""A stopped or full database, and a stopped ingest: no reading is lost.

Each ends in balanced books, and in a store and a quarantine that hold each sample once.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from structlog.testing import capture_logs

from ingest.settings import IngestSettings
from jieneng.site_folder import SiteFolder
from jieneng.storage import StoreSettings
from tests.edge_agent.spool.disk_faults import mounted
from tests.ingest.agent import connected
from tests.ingest.faults.booked_agent import BookedAgent
from tests.ingest.test_app import copy, running, settings_for
from tests.patience import PATIENCE_S
from tests.servers import Influx, Mosquitto

pytestmark = [pytest.mark.server, pytest.mark.long]


@pytest.fixture
def folder(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    return msgspec.structs.replace(example, path=tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Influx]:
    """An InfluxDB of this test alone; it may kill and restart it."""
    server = Influx(tmp_path / "influx").start()
    yield server
    server.stop()


def stored_in(server: Influx, mosquitto: Mosquitto) -> IngestSettings:
    store = StoreSettings(kind="influx", url=server.url, database=f"t{uuid4().hex}")
    return settings_for(mosquitto, store=store)


async def test_ten_minutes_of_batches_outlast_a_database_that_was_killed(
    folder: SiteFolder, mosquitto: Mosquitto, database: Influx
) -> None:
    """Of an agent that reads every second: more than the ingest has room for in memory."""
    settings = stored_in(database, mosquitto)
    settings = msgspec.structs.replace(
        settings, batch=msgspec.structs.replace(settings.batch, max_waiting=300)
    )
    async with running(folder, settings), connected(mosquitto.port) as connection:
        agent = BookedAgent(connection, 600)
        await connection.resend_until_stored(agent.batches[0])
        database.kill()
        await agent.send_once()
        database.start()
        await agent.send_until_done()
    await agent.check(folder, settings)


async def test_a_database_without_disk_space_refuses_no_reading(
    folder: SiteFolder, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The batches stay with their agent until there is room again."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "tmpfs") as disk:
        server = Influx(disk / "influx").start()
        try:
            settings = stored_in(server, mosquitto)
            with capture_logs() as logs:
                async with running(folder, settings), connected(mosquitto.port) as connection:
                    agent = BookedAgent(connection, 300)
                    await connection.resend_until_stored(agent.batches[0])
                    fill(disk / "filler")
                    await agent.send_once()
                    await until_logged("store unavailable", logs)
                    (disk / "filler").unlink()
                    server.kill()  # InfluxDB 1.6.7 repeats the error until it is restarted
                    server.start()
                    await agent.send_until_done()
            await agent.check(folder, settings)
        finally:
            server.stop()


async def until_logged(event: str, logs: Sequence[Mapping[str, object]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not any(entry["event"] == event for entry in logs):  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.05)


def fill(file: Path) -> None:
    """Write until the disk has no room."""
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4096)
        except OSError:
            return


async def test_an_ingest_that_stands_still_behind_the_brokers_limits_loses_nothing(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    """mosquitto silently drops messages beyond its queue."""
    settings = settings_for(mosquitto)
    async with connected(mosquitto.port) as connection, copy(folder, settings) as process:
        agent = BookedAgent(connection, 2500)
        await connection.resend_until_stored(agent.batches[0])
        os.kill(process.pid, signal.SIGSTOP)
        await agent.send_once()
        os.kill(process.pid, signal.SIGCONT)
        await agent.send_until_done()
    await agent.check(folder, settings)
