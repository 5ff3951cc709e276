"""The agent is killed like by a power cut, again and again: what was on its disk arrives."""

import asyncio
import random
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from jieneng.metering import wire
from jieneng.metering.reading import Batch
from tests.edge_agent.scene import AGENT, SITE, Dtsd1352, Ingest, gateway, running, until
from tests.servers import Mosquitto

ROUNDS = 8
RUN = """
import asyncio, sys
from pathlib import Path
from edge_agent import app
from edge_agent.config import AgentSettings
from jieneng import clock, site_folder

here = Path(sys.argv[1])
settings = site_folder.read_settings(here / "agent.toml", AgentSettings)
asyncio.run(app.run(site_folder.load(here), settings, clock.SystemClock()))
"""
SITE_TOML = """
[site]
id = "{site}"
name = "试验"
[[area]]
id = "block"
name = "楼"
[[bus]]
id = "b"
agent = "{agent}"
host = "127.0.0.1"
port = {port}
[[meter]]
id = "e-1"
name = "电表"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "b"
unit = 1
area = "block"
interval_s = 0.1
"""
AGENT_TOML = """
[broker]
port = {port}
[spool]
commit_delay_s = 0.01
[publish]
ack_timeout_s = 0.5
status_interval_s = 0.2
"""


def on_disk(folder: Path) -> dict[tuple[str, int], Batch]:
    """What a dead agent left behind."""
    with closing(sqlite3.connect(folder / f"spool-{AGENT}.sqlite")) as db:
        batches = [wire.decode_batch(one) for (one,) in db.execute("SELECT payload FROM batch")]
        read, stored, pending, dropped, _ = db.execute("SELECT * FROM ledger").fetchone()
    assert read == stored + pending + dropped
    assert pending == sum(len(batch.samples) for batch in batches)
    return {(batch.boot, batch.seq): batch for batch in batches}


async def test_what_was_on_the_disk_arrives_whatever_is_killed(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Every other round the broker goes with it; no value is stored under two names."""
    ingest, source, chance = Ingest(mosquitto.port), Dtsd1352(1), random.Random(3)
    committed: dict[tuple[str, int], Batch] = {}
    (tmp_path / "agent.toml").write_text(AGENT_TOML.format(port=mosquitto.port))
    async with gateway(source) as port, running(ingest.run()):
        text = SITE_TOML.format(site=SITE, agent=AGENT, port=port)
        (tmp_path / "site.toml").write_text(text)
        for number in range(ROUNDS):
            ingest.deaf = number % 4 == 2
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, str(tmp_path))
            enough = source.asked + chance.randint(1, 8)
            await until(lambda enough=enough: source.asked >= enough)  # type: ignore[misc]  # mypy infers no lambda with a default
            if number % 2:
                mosquitto.kill()
            await asyncio.sleep(chance.random() / 10)
            process.kill()
            assert await process.wait() == -signal.SIGKILL
            committed |= on_disk(tmp_path)
            if number % 2:
                await asyncio.to_thread(mosquitto.start)
        ingest.deaf = False
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, str(tmp_path))
        await until(lambda: committed.keys() <= ingest.batches.keys())
        await until(lambda: ingest.status and ingest.status.pending < 3)
        process.kill()
        await process.wait()
    assert {key: ingest.batches[key] for key in committed} == committed
    assert len(committed) > ROUNDS
    energies = ingest.energies("e-1")
    assert len(energies) == len(set(energies))
    assert source.asked - len(energies) <= 4 * (ROUNDS + 1)  # under way when the power went
