"""The agent is killed like by a power cut, again and again: what was on its disk arrives."""

import asyncio
import os
import random
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jieneng.metering import wire
from jieneng.metering.reading import Batch
from jieneng.storage import StoreSettings, open_store
from tests.edge_agent.nursery import Bear, End, Order
from tests.edge_agent.scene import AGENT, SITE, Dtsd1352, gateway, until
from tests.servers import Mosquitto

ROUNDS = 220
SITE_TOML = f"""
[site]
id = "{SITE}"
name = "试验"
[[area]]
id = "block"
name = "楼"
"""
BUS_TOML = """
[[bus]]
id = "b-{number}"
agent = "{agent}"
host = "127.0.0.1"
port = {port}
[[meter]]
id = "e-{number}"
name = "电表"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "b-{number}"
unit = 1
area = "block"
interval_s = 0.1
"""
AGENT_TOML = """
[broker]
port = {port}
timeout_s = 2.0
[spool]
commit_delay_s = 0.01
[publish]
ack_timeout_s = 0.5
status_interval_s = 0.2
"""
INGEST_TOML = """
[broker]
port = {port}
timeout_s = 2.0
[batch]
max_delay_s = 0.1
"""


class Nursery:
    """The process that bears the others, as a test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def born(self, service: str, moment: int = 0) -> int:
        return int(await self._do(Bear(service, moment)))

    async def end(self, pid: int, after_s: float = 0.0) -> str:
        return str(await self._do(End(pid, after_s)))

    async def _do(self, order: Order) -> Any:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(msgspec.json.encode(order) + b"\n")
        return msgspec.json.decode(await back.readline())


@asynccontextmanager
async def nursery(folder: Path) -> AsyncIterator[Nursery]:
    with (folder / "services.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.edge_agent.nursery",
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def on_disk(folder: Path) -> tuple[dict[tuple[str, int], Batch], dict[str, int]]:
    """What a dead agent left behind, and its book. Read off a copy: the original is the next's."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in folder.glob(f"spool-{AGENT}.sqlite*"):
        if not file.name.endswith("-reserve"):
            shutil.copy(file, copy)
    with closing(sqlite3.connect(copy / f"spool-{AGENT}.sqlite")) as db:
        db.row_factory = sqlite3.Row
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            return {}, {}  # killed before the first one was made
        batches = [wire.decode_batch(one["payload"]) for one in db.execute("SELECT * FROM batch")]
        book = dict(db.execute("SELECT * FROM ledger").fetchone())
    assert book["read"] == book["stored"] + book["pending"]
    assert book["pending"] == sum(len(batch.samples) for batch in batches)
    return {(batch.boot, batch.seq): batch for batch in batches}, book


async def stored(folder: Path, meters: int) -> dict[tuple[str, int], float]:
    """Energy by meter and time, as the store has it."""
    store = open_store(StoreSettings(), folder)
    try:
        series = await store.read(
            "electricity", "energy_kwh", where={"site": SITE}, start_ms=0, end_ms=2**42
        )
    finally:
        await store.close()
    return {
        (dict(one.tags)["meter"], int(time)): float(value)
        for one in series
        for time, value in zip(one.times_ms, one.values, strict=True)
    }


def moment(chance: random.Random) -> int:
    """Of the agent's death: mostly at work, often while it opens its spool."""
    return chance.randint(1, 40) if chance.random() < 0.3 else chance.randint(40, 400)


@pytest.mark.timeout(900)
async def test_what_was_on_the_disk_arrives_whatever_is_killed(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Half of the agents die at a random time, half at a random statement; in every third round the
    broker or the ingest is killed meanwhile, and comes back a round later."""
    seed = int(os.environ.get("JIENENG_KILL_SEED", random.randrange(10**6)))
    print(f"JIENENG_KILL_SEED={seed}")
    chance = random.Random(seed)
    sources = [Dtsd1352(1), Dtsd1352(1)]
    committed: dict[tuple[str, int], Batch] = {}
    died: Counter[str] = Counter()
    (tmp_path / "agent.toml").write_text(AGENT_TOML.format(port=mosquitto.port))
    (tmp_path / "ingest.toml").write_text(INGEST_TOML.format(port=mosquitto.port))
    async with gateway(sources[0]) as one, gateway(sources[1]) as two:
        buses = [BUS_TOML.format(number=n, agent=AGENT, port=p) for n, p in enumerate((one, two))]
        (tmp_path / "site.toml").write_text(SITE_TOML + "".join(buses))
        async with nursery(tmp_path) as births:
            storing = await births.born("ingest")
            for number in range(ROUNDS):
                by_statement = number % 2 == 0
                agent = await births.born("agent", moment(chance) if by_statement else 0)
                life_s = 1.0 if by_statement else chance.uniform(0.0, 0.7)
                also = chance.choice(["broker", "ingest", "", "", "", ""])
                dying = asyncio.create_task(births.end(agent, life_s))
                if also == "broker":
                    await asyncio.sleep(chance.uniform(0, life_s / 2))
                    mosquitto.kill()
                died[await dying or "at a random time"] += 1
                batches, _ = on_disk(tmp_path)
                committed |= batches
                if also == "ingest":
                    await births.end(storing)
                    storing = await births.born("ingest")
                if also == "broker":
                    await asyncio.to_thread(mosquitto.start)
            await births.end(storing)
            storing = await births.born("ingest")
            left, book = on_disk(tmp_path)
            while left.keys() & committed.keys():
                agent = await births.born("agent")
                # Read off a file that is being written, so this may come too soon; hence the loop.
                await until(lambda: not on_disk(tmp_path)[0].keys() & committed.keys())
                await births.end(agent)
                left, book = on_disk(tmp_path)
            await births.end(storing)
    print(sum(died.values()), "deaths:", dict(died.most_common()))
    found = await stored(tmp_path, len(sources))
    for batch in committed.values():
        for sample in batch.samples:
            assert found[sample.meter, sample.time_ms] == sample.values[0]
    for number in range(len(sources)):
        energies = [value for (name, _), value in found.items() if name == f"e-{number}"]
        assert len(energies) == len(set(energies))
    assert book["read"] - book["pending"] <= len(found) <= book["read"]
    assert len(found) > 3 * ROUNDS
    assert len(committed) > ROUNDS / 2
    assert len(died) > 15  # different moments
