"""Samples read while a time service has not set the clock are marked, and kept as usual."""

import itertools
import math
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent import app
from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.spool import Spool
from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Quality, Sample
from tests.edge_agent.agent_setup import (
    Dtsd1352,
    Ingest,
    StubPollResult,
    bus,
    folder,
    gateway,
    meter,
    refuse_running_time,
    running,
    settings,
    until,
)
from tests.servers import Mosquitto

UNSET = "clock is not set: readings are marked"
MONTH_MS = 30 * 86_400_000


class Unset(SystemClock):
    """A clock that is a month behind, and not set by its time service."""

    def __init__(self) -> None:
        self.behind_ms = MONTH_MS

    def now_ms(self) -> int:
        return super().now_ms() - self.behind_ms

    def is_set(self) -> bool:
        return self.behind_ms == 0


async def test_what_is_read_before_the_clock_is_set_is_marked_and_kept(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest, clock, source = Ingest(mosquitto.port), Unset(), Dtsd1352(1)
    async with gateway(source) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        with capture_logs() as logs:
            async with running(app.run(where, settings(mosquitto.port), clock)):
                await until(lambda: len(ingest.samples) > 5)
                await until(lambda: ingest.status and not ingest.status.clock_ok)
                clock.behind_ms = 0
                await until(lambda: ingest.status and ingest.status.clock_ok)
                await until(lambda: any(one.quality == 0 for one in ingest.samples))
                asked = source.asked
                await until(lambda: ingest.has("e-1", asked))
    now_ms = clock.now_ms()
    early = [one for one in ingest.samples if one.time_ms < now_ms - MONTH_MS // 2]
    assert len(early) > 5
    assert {one.quality for one in early} == {Quality.CLOCK}
    said = [one["event"] for one in logs if "clock is not set" in one["event"]]
    assert said == [UNSET, f"{UNSET}: over"]


@pytest.mark.parametrize(
    ("before", "after", "mark"),
    [(False, False, 0), (True, False, Quality.CLOCK), (False, True, Quality.CLOCK)],
)
async def test_what_was_read_between_two_commits_is_marked_where_one_of_them_was_in_doubt(
    tmp_path: Path, before: bool, after: bool, mark: int
) -> None:
    doubts = iter([before, after])
    log = observe.log("test")
    spool = Spool(tmp_path / "s", 10**6, log)
    writer = BatchWriter(
        spool,
        agent="a",
        boot="0123abcd",
        delay_s=0.0,
        max_samples=9,
        max_payload_bytes=lambda: math.inf,
        take_number=partial(next, itertools.count(1)),
        to_running_time=refuse_running_time,
        is_clock_unset=lambda: next(doubts, after),
        log=log,
    )
    async with running(writer.run()):
        writer.add(
            StubPollResult(Sample("e-1", 1_795_000_000_000, Quality.FLAT, ("energy_kwh",), (1.0,)))
        )
        await spool.changed.wait()
        (row,) = await spool.peek(9)
    (sample,) = mqtt_messages.decode_batch(row.payload).samples
    assert sample.quality == Quality.FLAT | mark
    await spool.close()


def test_a_clock_is_right_where_it_is_plausible_and_set() -> None:
    trust = ClockTrust(1_795_000_000_000, 1000, is_set=False)
    assert not trust.is_trusted
    trust.update(1_795_000_001_000, 2000, is_set=True)
    assert trust.is_trusted
    trust.update(1_795_000_002_000, 3000, is_set=False)
    assert not trust.is_trusted
    trust.update(3000, 4000, is_set=True)
    assert not trust.is_trusted
