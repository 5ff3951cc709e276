"""Samples become numbered batches on the disk; samples that the disk refuses are counted."""

import asyncio
import itertools
import math
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.spool import batch_writer as writer_module
from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack, PollReport, Sample
from tests.edge_agent.agent_setup import StubPollResult, refuse_running_time, running, until

LOG = observe.log("test")
BOOT = "0123abcd"


def sample(number: int) -> Sample:
    return Sample("e-1", 1_795_000_000_000 + number, 0, ("energy_kwh",), (float(number),))


def new_writer(spool: Spool, delay_s: float, max_samples: int = 100) -> BatchWriter:
    return BatchWriter(
        spool,
        agent="agent-1",
        boot=BOOT,
        delay_s=delay_s,
        max_samples=max_samples,
        max_payload_bytes=lambda: math.inf,
        take_number=partial(next, itertools.count(1)),
        to_running_time=refuse_running_time,
        is_clock_unset=lambda: False,
        log=LOG,
    )


async def kept(spool: Spool) -> list[list[float]]:
    """Return the values in each batch on the disk, after a check of numbers and ids."""
    batches = [mqtt_messages.decode_batch(row.payload) for row in await spool.peek(1000)]
    assert [(one.agent, one.boot, one.seq) for one in batches] == [
        ("agent-1", BOOT, number) for number in range(1, len(batches) + 1)
    ]
    return [[one.values[0] for one in batch.samples] for batch in batches]


async def test_what_comes_within_the_delay_is_one_batch(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 10**6, LOG)
    one = new_writer(spool, 0.05)
    async with running(one.run()):
        for number in range(5):
            one.add(StubPollResult(sample(number)))
        await spool.changed.wait()
        assert await kept(spool) == [[0.0, 1.0, 2.0, 3.0, 4.0]]
    await spool.close()


async def test_as_many_as_a_batch_holds_do_not_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 10**6, LOG)
    one = new_writer(spool, 3600.0, max_samples=2)
    async with running(one.run()):
        for number in range(5):
            one.add(StubPollResult(sample(number)))
        await spool.changed.wait()
        assert await kept(spool) == [[0.0, 1.0], [2.0, 3.0], [4.0]]
    await spool.close()


async def test_a_batch_of_one_does_not_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 10**6, LOG)
    one = new_writer(spool, 3600.0, max_samples=1)
    async with running(one.run()):
        one.add(StubPollResult(sample(0)))
        await asyncio.wait_for(spool.changed.wait(), 10)
        assert await kept(spool) == [[0.0]]
    await spool.close()


async def test_what_is_left_at_the_end_goes_to_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 10**6, LOG)
    one = new_writer(spool, 3600.0)
    async with running(one.run()):
        await asyncio.sleep(0)
        one.add(StubPollResult(sample(0)))
    assert await kept(spool) == [[0.0]]
    await spool.close()


async def test_what_the_disk_does_not_take_is_counted(tmp_path: Path) -> None:
    """The file is locked by another process for some time."""
    file = tmp_path / "s"
    spool = Spool(file, 10**6, LOG)
    one = new_writer(spool, 0.01)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    async with running(one.run()):
        for number in range(3):
            one.add(StubPollResult(sample(number)))
        await until(lambda: one._has_unrecorded_refusals)
        holder.execute("ROLLBACK")
        holder.close()
        one.add(StubPollResult(sample(9)))
        await spool.changed.wait()
        counts = spool.counts
        assert (counts.read, counts.pending, counts.dropped) == (4, 1, 3)
        assert [row.seq for row in await spool.peek(10)] == [2]
    await spool.close()


async def busy(spool: Spool) -> Callable[[], None]:
    """Block the spool's thread, and return the function that lets it continue."""
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go_on.wait(30)

    spool._thread.submit(wait)
    await asyncio.to_thread(begun.wait, 30)
    return go_on.set


@pytest.mark.parametrize("takes", [True, False], ids=["taken", "refused"])
async def test_a_cancel_in_the_middle_of_a_put_leaves_the_books_right(
    tmp_path: Path, takes: bool
) -> None:
    """100 samples were refused earlier; the writer is cancelled while it puts 10 more."""
    file = tmp_path / "s"
    spool = Spool(file, 10**6, LOG)
    one = new_writer(spool, 0.01)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    keeping = asyncio.create_task(one.run())
    for number in range(100):
        one.add(StubPollResult(sample(number)))
    await until(lambda: one._has_unrecorded_refusals)
    let_go = await busy(spool)
    for number in range(10):
        one.add(StubPollResult(sample(number)))
    await until(spool._thread._work_queue.qsize)
    if takes:
        holder.execute("ROLLBACK")
    keeping.cancel()
    await asyncio.sleep(0)
    let_go()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    holder.close()
    if not takes:
        assert (spool.counts.read, spool.counts.dropped) == (110, 110)
        await one._commit()
    counts = spool.counts
    assert (counts.read, counts.pending, counts.dropped) == (
        (110, 10, 100) if takes else (110, 0, 110)
    )
    await spool.close()


async def test_a_second_cancel_in_the_middle_of_a_put_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 10**6, LOG)
    await spool.open()
    one = new_writer(spool, 0.001, max_samples=10)
    let_go = await busy(spool)
    keeping = asyncio.create_task(one.run())
    for number in range(100):
        one.add(StubPollResult(sample(number)))
    await until(spool._thread._work_queue.qsize)
    for number in range(100, 200):
        one.add(StubPollResult(sample(number)))
    for _ in range(4):
        keeping.cancel()
        await asyncio.sleep(0)
    assert not keeping.done()
    let_go()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert await kept(spool) == [
        [float(first + at) for at in range(10)] for first in range(0, 200, 10)
    ]
    await spool.close()


async def test_what_waits_for_too_long_is_said_once(tmp_path: Path) -> None:
    """Not every put drops something; it is over when what waits has become much less."""
    spool = Spool(tmp_path / "s", 10**6, LOG, max_age_s=10.0)
    now_s = [0.0]
    spool._file._now_s = spool._file._database._now_s = lambda: now_s[0]
    one = new_writer(spool, 0)
    with capture_logs() as logs:
        for number in range(40):
            now_s[0] += 1.0
            one.add(StubPollResult(sample(number)))
            await one._commit()
        assert spool.counts.old == 29
        rows = await spool.peek(100)
        await spool.confirm([Ack(BOOT, stored=((1, rows[-1].seq),))])
        one.add(StubPollResult(sample(40)))
        await one._commit()
    name = "readings wait for too long: the oldest are dropped"
    assert [entry["event"] for entry in logs] == [name, f"{name}: over"]
    await spool.close()


async def test_a_disk_that_hangs_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier, polls that waited for a hanging put had no limit."""
    monkeypatch.setattr(writer_module, "_MAX_WAITING", 50)
    spool = Spool(tmp_path / "s", 10**6, LOG)
    await spool.open()
    one = new_writer(spool, 0.001)
    with capture_logs() as logs:
        async with running(one.run()):
            one.add(StubPollResult(sample(0)))
            await until(lambda: spool.counts.pending == 1)
            let_go = await busy(spool)
            one.add(StubPollResult(sample(1)))
            await until(spool._thread._work_queue.qsize)
            for number in range(2, 90):
                one.add(StubPollResult(sample(number)))
            one.add(StubPollResult(PollReport("e-1", 1_795_000_000_000 + number, False, 10, 1)))
            assert len(one._dated) == 50
            counts = spool.counts
            assert (counts.read, counts.pending, counts.refused) == (39, 1, 38)
            let_go()
            await until(lambda: spool.counts.pending == 52)
            one.add(StubPollResult(sample(90)))
            await until(lambda: spool.counts.pending == 53)
            counts = spool.counts
            assert (counts.read, counts.pending, counts.refused) == (91, 53, 38)
    name = "the disk does not respond, and the memory is full: readings are dropped"
    assert [entry["event"] for entry in logs] == [name, f"{name}: over"]
    await spool.close()
    again = Spool(tmp_path / "s", 10**6, LOG)
    await again.open()
    assert (again.counts.read, again.counts.pending, again.counts.refused) == (91, 53, 38)
    await again.close()


async def test_a_disk_that_hangs_before_the_clock_is_set_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_MAX_WAITING", 50)
    spool = Spool(tmp_path / "s", 10**6, LOG, machine_boot="m")
    one = new_writer(spool, 3600.0)
    one._to_running_time = lambda time_ms: time_ms
    for number in range(60):
        one.add(StubPollResult(Sample("e-1", number, 0, ("energy_kwh",), (1.0,))))
    assert len(one._undated) == 50
    assert (spool.counts.read, spool.counts.refused) == (10, 10)
    await one._commit()
    counts = spool.counts
    assert (counts.read, counts.pending, counts.refused) == (60, 50, 10)
    await spool.close()


async def test_what_the_memory_had_no_room_for_is_counted_once_where_the_disk_refuses(
    tmp_path: Path,
) -> None:
    file = tmp_path / "s"
    spool = Spool(file, 10**6, LOG)
    await spool.open()
    spool.count_refused(5)
    assert (spool.counts.read, spool.counts.refused) == (5, 5)
    await spool.close()
    spool = Spool(file, 10**6, LOG)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    spool.count_refused(7)
    for _ in range(2):
        with pytest.raises(SpoolUnavailable):
            await spool.put([])
        assert (spool.counts.read, spool.counts.refused) == (7, 7)
    holder.execute("ROLLBACK")
    holder.close()
    spool.count_refused(1)
    await spool.put([])
    await spool.put([])
    assert (spool.counts.read, spool.counts.refused) == (8, 8)
    await spool.close()
