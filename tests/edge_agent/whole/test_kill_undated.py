"""Agents of a box without a battery are killed before its clock is set, and while it is."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from edge_agent.timekeeping.clock_trust import RUNNING_TIME_EPOCH_MS
from jieneng.clock import SystemClock
from jieneng.metering.reading import Batch
from jieneng.storage import StoreSettings
from tests.edge_agent.agent_setup import AGENT, Dtsd1352, Ingest, gateway, running, until
from tests.edge_agent.timekeeping.file_clock import FileClock
from tests.edge_agent.whole.test_kill import (
    AGENT_TOML,
    BUS_TOML,
    INGEST_TOML,
    SITE_TOML,
    ProcessFactory,
    moment,
    on_disk,
    process_factory,
)
from tests.servers import Mosquitto

START_MS = 1_795_000_000_000
BOX = "agent without battery"
ROUNDS = 24


class Remembering(Dtsd1352):
    """Knows at which running time of the machine it was asked for each value."""

    def __init__(self, unit: int) -> None:
        super().__init__(unit)
        self.asked_ms: dict[float, int] = {}

    async def action(self, *given: object) -> None:
        before = self.asked
        await super().action(*given)  # type: ignore[arg-type]  # they are pymodbus's
        if self.asked > before:
            self.asked_ms[self.asked / 100] = SystemClock().up_ms()


@asynccontextmanager
async def running_box(
    mosquitto: Mosquitto, path: Path
) -> AsyncIterator[tuple[ProcessFactory, Remembering, Ingest]]:
    """A box with one meter, and an ingest that is always there."""
    source, ingest = Remembering(1), Ingest(mosquitto.port)
    (path / "agent.toml").write_text(AGENT_TOML.format(port=mosquitto.port))
    (path / "ingest.toml").write_text(
        INGEST_TOML.format(port=mosquitto.port, delay_s=0.1, store=StoreSettings())
    )
    async with gateway(source) as port, running(ingest.run()):
        bus = BUS_TOML.format(number=0, agent=AGENT, port=port)
        (path / "site.toml").write_text(SITE_TOML + bus)
        async with process_factory(path) as processes:
            yield processes, source, ingest


@pytest.mark.timeout(300)
async def test_what_dead_agents_read_before_the_clock_was_set_arrives_with_its_time(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Half of them die at a random time, half at a random statement. In the last third the clock is
    set, and they die while they give what they found its time, or send it."""
    seed = int(os.environ.get("JIENENG_KILL_SEED", random.randrange(10**6)))
    print(f"JIENENG_KILL_SEED={seed}")
    chance = random.Random(seed)
    box = FileClock(tmp_path)
    committed: dict[tuple[str, int], Batch] = {}
    early: list[Batch] = []
    async with running_box(mosquitto, tmp_path) as (processes, source, ingest):
        for number in range(ROUNDS):
            if number == ROUNDS * 2 // 3:
                assert not ingest.batches, "nothing is sent before it has its time"
                early = list(committed.values())
                for batch in early:
                    for poll in batch.polls:
                        assert (
                            RUNNING_TIME_EPOCH_MS
                            <= poll.time_ms
                            < RUNNING_TIME_EPOCH_MS + box.up_ms()
                        )
                box.set_start(START_MS)
            by_statement = number % 2 == 0
            agent = await processes.spawn(BOX, moment(chance) if by_statement else 0)
            await processes.kill(agent, 1.0 if by_statement else chance.uniform(0.2, 0.7))
            committed |= on_disk(tmp_path)[0]
        agent = await processes.spawn(BOX)
        await until(lambda: ingest.batches.keys() >= committed.keys())
        await processes.kill(agent)
        _, book = on_disk(tmp_path)
    values = [sample.values[0] for batch in early for sample in batch.samples]
    assert len(values) > ROUNDS
    assert len(values) == len(set(values))
    came: dict[float, list[int]] = {}
    for _, time_ms, value in ingest.points:
        came.setdefault(value, []).append(time_ms)
    assert set(values) <= came.keys()
    for value, times_ms in came.items():
        assert len(times_ms) == 1, "no reading has two times"
        assert abs(times_ms[0] - START_MS - source.asked_ms[value]) < 2000
    assert book["read"] - book["pending"] <= len(came) <= book["read"]


async def test_what_was_read_before_the_machine_started_again_is_counted_and_not_made_up(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    box = FileClock(tmp_path)
    async with running_box(mosquitto, tmp_path) as (processes, source, ingest):
        agent = await processes.spawn(BOX)
        await until(lambda: ingest.status and ingest.status.pending > 3)
        await processes.kill(agent)
        earlier, book = on_disk(tmp_path)
        assert book["pending"] > 3
        box.restart_machine("another start")
        asked = source.asked
        for _ in range(2):
            agent = await processes.spawn(BOX)
            await until(
                lambda: (
                    ingest.status
                    and ingest.status.dropped == book["pending"]
                    and ingest.status.pending > 3
                )
            )
            await processes.kill(agent)
        box.set_start(START_MS)
        agent = await processes.spawn(BOX)
        await until(lambda: ingest.status and ingest.status.stored > 6)
        status = ingest.status
        await processes.kill(agent)
    assert status is not None
    assert status.read == (status.stored + status.quarantined + status.pending + status.dropped)
    assert not ingest.batches.keys() & earlier.keys()
    assert min(value for _, _, value in ingest.points) > asked / 100
    log = [
        msgspec.json.decode(line) for line in (tmp_path / "services.log").read_text().splitlines()
    ]
    said = [one for one in log if "before a restart of the machine" in one["event"]]
    assert [one["dropped"] for one in said] == [book["pending"]]
