"""Agent, broker, ingest and the store's server are killed again and again, as by a power cut.

Readings on the agent's disk are stored, exactly once.
"""

import asyncio
import itertools
import os
import random
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Set
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch
from jieneng.storage import StoreSettings, open_store
from tests.edge_agent.agent_setup import AGENT, SITE, Dtsd1352, gateway
from tests.edge_agent.whole.process_factory import Command, Kill, Spawn
from tests.patience import PATIENCE_S
from tests.servers import Influx, Mosquitto

ROUNDS = 80  # at least, in each of the histories
HISTORIES = 2
STORE_DEATHS = 20
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
max_delay_s = {delay_s}
[store]
kind = "{store.kind}"
url = "{store.url}"
"""


pytestmark = [pytest.mark.long, pytest.mark.server]


class ProcessFactory:
    """The process that starts and kills the others, as a test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def spawn(self, service: str, moment: int = 0) -> int:
        return int(await self._do(Spawn(service, moment)))

    async def kill(self, pid: int, after_s: float = 0.0) -> str:
        return str(await self._do(Kill(pid, after_s)))

    async def _do(self, command: Command) -> Any:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(msgspec.json.encode(command) + b"\n")
        return msgspec.json.decode(await back.readline())


@asynccontextmanager
async def process_factory(folder: Path) -> AsyncIterator[ProcessFactory]:
    with (folder / "services.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.edge_agent.whole.process_factory",
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield ProcessFactory(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def on_disk(folder: Path) -> tuple[dict[tuple[str, int], Batch], dict[str, int]]:
    """Return a dead agent's batches and ledger, from a copy: the next agent needs the original."""
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
        batches = [
            mqtt_messages.decode_batch(one["payload"]) for one in db.execute("SELECT * FROM batch")
        ]
        book = dict(db.execute("SELECT * FROM ledger").fetchone())
    assert book["read"] == book["stored"] + book["pending"]
    assert book["pending"] == sum(len(batch.samples) for batch in batches)
    return {(batch.boot, batch.seq): batch for batch in batches}, book


async def stored(folder: Path, settings: StoreSettings) -> dict[tuple[str, int], float]:
    """Energy by meter and time, as the store has it."""
    store = open_store(settings, folder)
    try:
        series = await store.read(
            "electricity", "energy_kwh", where={"site": SITE}, start_ms=0, end_ms=2**42
        )
    finally:
        await store.close()
    found = {
        (dict(one.tags)["meter"], int(time)): float(value)
        for one in series
        for time, value in zip(one.times_ms, one.values, strict=True)
    }
    assert len(found) == sum(len(one.values) for one in series)
    return found


def moment(chance: random.Random) -> int:
    """Return a random moment of death: mostly at work, often while the spool is opened."""
    return chance.randint(1, 40) if chance.random() < 0.3 else chance.randint(40, 400)


@asynccontextmanager
async def living(
    folder: Path, broker_port: int, store: StoreSettings, delay_s: float
) -> AsyncIterator[ProcessFactory]:
    """Run two meters, and the factory of the processes that read and store them."""
    (folder / "agent.toml").write_text(AGENT_TOML.format(port=broker_port))
    (folder / "ingest.toml").write_text(
        INGEST_TOML.format(port=broker_port, delay_s=delay_s, store=store)
    )
    async with gateway(Dtsd1352(1)) as one, gateway(Dtsd1352(1)) as two:
        buses = [BUS_TOML.format(number=n, agent=AGENT, port=p) for n, p in enumerate((one, two))]
        (folder / "site.toml").write_text(SITE_TOML + "".join(buses))
        async with process_factory(folder) as processes:
            yield processes


class Agents:
    """Agents that live on one disk, one after the other, until they are killed.

    Attributes:
        committed: every batch that was seen on the disk of a dead one.
        died: how often, by the statement at which it was.
    """

    def __init__(self, processes: ProcessFactory, folder: Path, chance: random.Random) -> None:
        self.committed: dict[tuple[str, int], Batch] = {}
        self.died: Counter[str] = Counter()
        self._processes = processes
        self._folder = folder
        self._chance = chance
        self._count = 0

    def fate(self) -> tuple[int, float]:
        """Return how the next agent dies: at a statement, or at a random time [s]."""
        self._count += 1
        if self._count % 2:
            return moment(self._chance), 1.0
        return 0, self._chance.uniform(0.0, 0.7)

    async def live(self, statement: int, life_s: float) -> None:
        """Run one agent until it dies; the batches then on the disk count as committed."""
        agent = await self._processes.spawn("agent", statement)
        self.died[await self._processes.kill(agent, life_s) or "at a random time"] += 1
        batches, _ = on_disk(self._folder)
        self.committed |= batches

    async def drain(self) -> tuple[set[tuple[str, int]], dict[str, int]]:
        """Run agents until all committed batches have left the disk.

        Returns:
            Meter and time of the samples that are there now, and the ledger.
        """
        life_s = 1.0
        batches, book = on_disk(self._folder)
        while batches.keys() & self.committed.keys():
            await self._processes.kill(await self._processes.spawn("agent"), life_s)
            batches, book = on_disk(self._folder)
            life_s *= 1.5  # on a slow machine it takes a while to begin
        samples = [sample for batch in batches.values() for sample in batch.samples]
        return {(one.meter, one.time_ms) for one in samples}, book

    def check(
        self,
        found: Mapping[tuple[str, int], float],
        left: Set[tuple[str, int]],
        book: Mapping[str, int],
    ) -> None:
        """Check that all committed samples are in the store or on the disk, exactly once."""
        print(sum(self.died.values()), "deaths:", dict(self.died.most_common()))
        print(len(self.committed), "batches seen on the disk,", len(found), "samples in the store")
        for batch in self.committed.values():
            for sample in batch.samples:
                assert found[sample.meter, sample.time_ms] == sample.values[0]
        assert len(found.keys() | left) == book["read"]
        # No two answers of a meter are alike: a sample under two times would be seen.
        for name in {meter for meter, _ in found}:
            energies = [value for (meter, _), value in found.items() if meter == name]
            assert len(energies) == len(set(energies))


def seeded() -> random.Random:
    """Return a generator with a new seed, or with the seed in the environment."""
    seed = int(os.environ.get("JIENENG_KILL_SEED", random.randrange(10**6)))
    print(f"JIENENG_KILL_SEED={seed}")
    return random.Random(seed)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("history", range(HISTORIES))
async def test_what_was_on_the_disk_arrives_whatever_is_killed(
    mosquitto: Mosquitto, tmp_path: Path, history: int
) -> None:
    """Agents, ingests and the broker are killed at many moments, and no reading is lost.

    In every sixth round the broker is killed as well, and is started again a round later. Half of
    the ingests kill themselves at a chosen statement of their work, while agents run. If such an
    ingest had acknowledged data before it had stored them, these data would be missing. In every
    third round, a new ingest is started, and the old one is killed if it still runs.

    On a slow machine, most processes are killed before they reach the chosen statement. Then there
    are more rounds, until there are enough different moments of death.
    """
    chance, store = seeded(), StoreSettings()
    ingests: Counter[str] = Counter()
    async with living(tmp_path, mosquitto.port, store, delay_s=0.1) as processes:
        agents = Agents(processes, tmp_path, chance)
        storing = await processes.spawn("ingest")
        for done in itertools.count():
            various = len(ingests) > 5 and len(agents.died) > 15
            if done >= ROUNDS and various and len(agents.committed) > ROUNDS / 2:
                break
            statement, life_s = agents.fate()
            also = chance.choice(["broker", "ingest", "ingest", "", "", ""])
            life = asyncio.create_task(agents.live(statement, life_s))
            if also == "broker":
                await asyncio.sleep(chance.uniform(0, life_s / 2))
                mosquitto.kill()
            await life
            if also == "ingest":
                ingests[await processes.kill(storing) or "when it was told"] += 1
                storing = await processes.spawn(
                    "ingest", chance.choice([0, chance.randint(1, 100)])
                )
            if also == "broker":
                await asyncio.to_thread(mosquitto.start)
        await processes.kill(storing)
        storing = await processes.spawn("ingest")
        left, book = await agents.drain()
        await processes.kill(storing)
    found = await stored(tmp_path, store)
    agents.check(found, left, book)
    print("ingests:", dict(ingests.most_common()))


@pytest.mark.timeout(300)
async def test_what_was_on_the_disk_arrives_in_a_database_that_is_killed(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The database is killed while agents and ingests are, and once more after the last ack."""
    chance, influx = seeded(), Influx(tmp_path / "influx").start()
    store = StoreSettings(kind="influx", url=influx.url)

    async def kill_again_and_again() -> None:
        for _ in range(STORE_DEATHS):
            before = len(await stored(tmp_path, store))
            async with asyncio.timeout(PATIENCE_S):  # the ingest comes back at its own pace
                while len(await stored(tmp_path, store)) == before:  # noqa: ASYNC110 - see `until`
                    await asyncio.sleep(0.02)
            await asyncio.sleep(chance.uniform(0, 0.1))
            influx.kill()
            await asyncio.sleep(chance.uniform(0, 0.2))
            await asyncio.to_thread(influx.start)

    try:
        # Without a delay it is nearly always being written to.
        async with living(tmp_path, mosquitto.port, store, delay_s=0) as processes:
            agents = Agents(processes, tmp_path, chance)
            storing = await processes.spawn("ingest")
            async with asyncio.TaskGroup() as tasks:
                killing = tasks.create_task(kill_again_and_again())
                while not killing.done():
                    await agents.live(*agents.fate())
                    if chance.random() < 0.2:
                        await processes.kill(storing)
                        storing = await processes.spawn("ingest")
            left, book = await agents.drain()
            await processes.kill(storing)
        influx.kill()
        await asyncio.to_thread(influx.start)
        agents.check(await stored(tmp_path, store), left, book)
    finally:
        influx.stop()
    assert len(agents.committed) > STORE_DEATHS / 2
