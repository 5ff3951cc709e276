"""Readings taken before the clock was plausible wait on the disk, and get their times there."""

import itertools
import math
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool import Spool
from edge_agent.spool.spool_file import SpoolFile
from edge_agent.timekeeping.clock_trust import EARLIEST_MS, RUNNING_TIME_EPOCH_MS, ClockTrust
from edge_agent.timekeeping.clock_watch import ClockWatch
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack, Batch, PollReport, Sample
from tests.edge_agent.agent_setup import StubPollResult, running, until
from tests.edge_agent.spool.disk_faults import (
    BOOT,
    LOG,
    OTHER,
    balanced,
    fill_disk,
    flip_bytes,
    row,
)

START_MS = 1_795_000_000_000
THIS, EARLIER = "this start of the machine", "an earlier one"
WAITS = "clock is implausible: readings wait for their time"


def batch(seq: int, *times_ms: int, machine: str | None = None, boot: str = BOOT) -> QueuedBatch:
    """Return a batch whose values encode its number and those of its samples."""
    samples = [
        Sample("e-1", time_ms, 0, ("energy_kwh",), (100.0 * seq + number,))
        for number, time_ms in enumerate(times_ms)
    ]
    payload = mqtt_messages.encode_batch(Batch("a", boot, seq, tuple(samples)))
    return QueuedBatch(boot, seq, len(samples), payload, machine)


def early(seq: int, *up_ms: int, machine: str = THIS, boot: str = BOOT) -> QueuedBatch:
    """Return an undated batch, read at these running times of the machine [ms]."""
    return batch(seq, *(RUNNING_TIME_EPOCH_MS + one for one in up_ms), machine=machine, boot=boot)


def spool_file(path: Path, max_bytes: int = 10**6, machine: str = THIS) -> SpoolFile:
    file = SpoolFile(path, max_bytes, LOG, machine_boot=machine)
    file.open()
    return file


def sendable(file: SpoolFile) -> list[QueuedBatch]:
    oldest, newest = (getattr(file.ends(1000, ()), end) for end in ("oldest", "newest"))
    assert oldest == newest[::-1]
    return file.read([one.key for one in oldest])


# --- the queue ----------------------------------------------------------------------------------


def test_a_batch_that_waits_is_pending_and_not_sent(tmp_path: Path) -> None:
    file = spool_file(tmp_path / "s")
    file.put([batch(1, START_MS)])
    file.put([early(2, 5000, 6000)])
    file.put([batch(3, START_MS + 9000)])
    assert [one.seq for one in sendable(file)] == [1, 3]
    assert file.has_undated
    assert (file.known.read, file.known.pending) == (4, 4)
    file.close()


def test_it_gets_its_time_once_and_is_a_batch_like_any_other(tmp_path: Path) -> None:
    file = spool_file(tmp_path / "s")
    file.put([early(1, 5000, 6000), early(2, 7000)])
    before = file.known
    file.assign_times(START_MS)
    assert not file.has_undated
    assert sendable(file) == [batch(1, START_MS + 5000, START_MS + 6000), batch(2, START_MS + 7000)]
    assert file.known == before, "a batch that gets its time does not grow"
    file.assign_times(START_MS + 3_600_000)
    assert sendable(file)[1] == batch(2, START_MS + 7000)
    assert file.confirm([Ack(BOOT, stored=((1, 2),))]) == 2
    assert file.known == SampleCounts(read=3, stored=3)
    file.close()


def test_an_agent_that_starts_again_goes_on_with_what_the_earlier_one_read(tmp_path: Path) -> None:
    file = spool_file(tmp_path / "s")
    file.put([early(1, 5000)])
    file.close()
    file = spool_file(tmp_path / "s")
    assert file.has_undated
    file.put([early(1, 9000, boot=OTHER)])
    file.assign_times(START_MS)
    assert sendable(file) == [batch(1, START_MS + 5000), batch(1, START_MS + 9000, boot=OTHER)]
    file.close()


def test_what_waited_for_an_earlier_start_of_the_machine_is_dropped_and_said_once(
    tmp_path: Path,
) -> None:
    file = spool_file(tmp_path / "s", machine=EARLIER)
    file.put([batch(1, START_MS), early(2, 5000, 6000, machine=EARLIER)])
    file.close()
    with capture_logs() as logs:
        for _ in range(2):
            file = spool_file(tmp_path / "s")
            assert not file.has_undated
            assert sendable(file) == [batch(1, START_MS)]
            assert (file.known.read, file.known.pending, file.known.undated) == (3, 1, 2)
            assert balanced(file.known)
            file.close()
    (said,) = logs
    assert (said["event"], said["dropped"]) == (
        "readings before a restart of the machine never got a time, and are dropped",
        2,
    )


def test_what_got_its_time_before_the_machine_started_again_keeps_it(tmp_path: Path) -> None:
    file = spool_file(tmp_path / "s", machine=EARLIER)
    file.put([early(1, 5000, machine=EARLIER)])
    file.assign_times(START_MS)
    file.close()
    file = spool_file(tmp_path / "s")
    assert sendable(file) == [batch(1, START_MS + 5000)]
    file.close()


def test_an_acknowledgement_takes_nothing_that_was_never_sent(tmp_path: Path) -> None:
    file = spool_file(tmp_path / "s")
    file.put([batch(1, START_MS), early(2, 5000), batch(3, START_MS)])
    assert file.confirm([Ack(BOOT, stored=((1, 2**53 - 1),))]) == 2
    assert (file.known.stored, file.known.pending) == (2, 1)
    file.close()


@pytest.mark.server
def test_many_get_their_time_in_parts(tmp_path: Path) -> None:
    """Between two of them others come to the disk; each part by the clock as it is then."""
    file = spool_file(tmp_path / "s", max_bytes=10**8)
    rows = [early(seq, *range(seq * 5000, seq * 5000 + 4000)) for seq in range(1, 41)]
    file.put(rows)
    parts = 0
    while file.has_undated:
        before = len(sendable(file))
        file.assign_times(START_MS)
        assert len(sendable(file)) > before
        parts += 1
    assert 2 < parts < 20
    batches = [mqtt_messages.decode_batch(row.payload) for row in sendable(file)]
    times = [one.time_ms for batch in batches for one in batch.samples]
    assert times == [START_MS + 5000 * seq + at for seq in range(1, 41) for at in range(4000)]
    file.close()


def test_a_full_spool_drops_the_oldest_also_of_those_that_wait(tmp_path: Path) -> None:
    size = len(early(1, 5000).payload)
    file = spool_file(tmp_path / "s", max_bytes=3 * size)
    for seq in range(1, 6):
        file.put([early(seq, 5000 + seq)])
    assert (file.known.read, file.known.pending, file.known.full) == (5, 3, 2)
    file.assign_times(START_MS)
    assert [one.seq for one in sendable(file)] == [3, 4, 5]
    assert (file.known.full, file.known.size_bytes) == (2, 3 * size)
    file.close()


def test_what_waits_for_too_long_goes_as_well(tmp_path: Path) -> None:
    now_s = [0.0]
    file = SpoolFile(
        tmp_path / "s", 10**6, LOG, machine_boot=THIS, max_age_s=100, now_s=lambda: now_s[0]
    )
    for seq in range(1, 6):
        file.put([early(seq, 5000)])
        now_s[0] += 50
    assert (file.known.read, file.known.pending, file.known.old) == (5, 3, 2)
    assert file.age_s == 150.0
    file.close()


@pytest.mark.server
def test_on_a_disk_that_is_full_they_get_their_time_all_the_same(small_disk: Path) -> None:
    file = spool_file(small_disk / "s", max_bytes=10**9)
    for seq in range(1, 41):
        file.put([early(seq, *range(400))])
    fill_disk(small_disk)
    while file.has_undated:
        file.assign_times(START_MS)
        fill_disk(small_disk)
    found = sendable(file)
    assert balanced(file.known)
    assert found == [batch(seq, *range(START_MS, START_MS + 400)) for seq in range(1, 41)]
    file.close()


# --- damage and earlier versions ----------------------------------------------------------------


@pytest.mark.parametrize("machine", [THIS, EARLIER])
def test_a_damaged_file_gives_back_what_waits(tmp_path: Path, machine: str) -> None:
    path = tmp_path / "s"
    file = spool_file(path, machine=machine)
    file.put([early(seq, *range(200), machine=machine) for seq in range(1, 101)])
    file.close()
    with path.open("r+b") as data:
        data.seek(path.stat().st_size // 2)
        data.write(bytes(4096))
    file = spool_file(path)
    saved = 20_000 - file.known.damaged
    assert 18_000 <= saved < 20_000
    assert balanced(file.known)
    if machine == THIS:
        file.assign_times(START_MS)
        assert sum(row.samples for row in sendable(file)) == saved
        assert all(
            row == batch(row.seq, *range(START_MS, START_MS + 200)) for row in sendable(file)
        )
    else:
        assert (file.known.undated, file.known.pending, file.has_undated) == (saved, 0, False)
    file.close()


@pytest.mark.parametrize(
    ("right", "rotten"),
    [(b"2001000", b"2009000"), (THIS.encode(), THIS.encode()[:-1] + b"x")],
    ids=["stamp", "start"],
)
def test_one_that_rotted_is_no_reading(tmp_path: Path, right: bytes, rotten: bytes) -> None:
    path = tmp_path / "s"
    file = spool_file(path)
    file.put([early(1, 5000), early(2, 2_001_000), early(3, 7000)])
    file.close()
    found = path.read_bytes()
    at = found.index(b"1000002001000" if right != THIS.encode() else right)
    path.write_bytes(found[:at] + found[at:].replace(right, rotten, 1))
    file = spool_file(path)
    file.assign_times(START_MS)
    assert len(sendable(file)) == 2
    assert balanced(file.known)
    assert file.known.damaged + file.known.undated == 1
    file.close()


@pytest.mark.parametrize("seed", range(25))
def test_whatever_rots_nothing_gets_a_wrong_time(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "s"
    file = spool_file(path, max_bytes=10**8)
    right = {}
    for seq in range(1, 120):
        samples = range(1000 * seq, 1000 * seq + chance.randint(1, 40))
        file.put([early(seq, *samples)])
        one = batch(seq, *(START_MS + at for at in samples))
        right[one.key] = one
        if chance.random() < 0.02:
            file.assign_times(START_MS)
    read = file.known.read
    file.close()
    flip_bytes(path, chance)
    file = spool_file(path, max_bytes=10**8)
    while file.has_undated:
        file.assign_times(START_MS)
    sendable(file)  # where a name leads to another row, that one is lost; then it leads nowhere
    found = sendable(file)
    assert all(right[one.key] == one for one in found)
    assert balanced(file.known)
    assert file.known.pending == sum(one.samples for one in found)
    assert file.known.read == read
    file.close()


def test_an_index_that_rotted_moves_nothing_twice(tmp_path: Path) -> None:
    """The index lists a dated batch as undated, and omits an undated one.

    SQLite's quick check compares no index with its table.
    """
    path = tmp_path / "s"
    file = spool_file(path)
    file.put([early(1, 5000)])
    file.assign_times(START_MS)
    file.put([early(2, 6000)])
    file.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'waiting'"
        db.execute(sql, ("NOT NULL", "NULL"))
        db.execute("PRAGMA writable_schema = RESET")
        db.execute("REINDEX waiting")
        db.execute("PRAGMA writable_schema = ON")
        db.execute(sql, ("NULL", "NOT NULL"))
    file = spool_file(path)
    while file.has_undated:
        file.assign_times(START_MS)
    assert sendable(file) == [batch(1, START_MS + 5000), batch(2, START_MS + 6000)]
    assert file.known.damaged == 0
    file.close()
    assert (tmp_path / "s.damaged").exists()


SECOND = """
CREATE TABLE batch (id INTEGER PRIMARY KEY, boot TEXT NOT NULL, seq INTEGER NOT NULL,
    samples INTEGER NOT NULL, payload BLOB NOT NULL, put_s REAL NOT NULL DEFAULT 0, crc INTEGER,
    UNIQUE (boot, seq));
CREATE TABLE ledger (read INTEGER NOT NULL, stored INTEGER NOT NULL, pending INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, "full" INTEGER NOT NULL, old INTEGER NOT NULL,
    refused INTEGER NOT NULL, damaged INTEGER NOT NULL, running_s REAL NOT NULL);
INSERT INTO ledger VALUES (15, 5, 6, 200, 1, 1, 1, 1, 77.0);
PRAGMA user_version = 2;
"""


def of_second_version(path: Path, *rows: QueuedBatch) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SECOND)
        for one in rows:
            db.execute(
                "INSERT INTO batch (boot, seq, samples, payload, put_s, crc) VALUES (?,?,?,?,70,?)",
                (one.boot, one.seq, one.samples, one.payload, one.checksum),
            )
        db.commit()


def test_a_spool_of_the_second_version_goes_on(tmp_path: Path) -> None:
    of_second_version(tmp_path / "s", row(7), row(8))
    for _ in range(2):
        file = spool_file(tmp_path / "s")
        assert file.known == SampleCounts(
            read=15, stored=5, pending=6, size_bytes=200, full=1, old=1, refused=1, damaged=1
        )
        assert not file.has_undated
        assert sendable(file) == [row(7), row(8)]
        file.close()
    file = spool_file(tmp_path / "s")
    file.put([early(9, 5000)])
    file.assign_times(START_MS)
    assert sendable(file)[2] == batch(9, START_MS + 5000)
    file.close()


def test_one_that_was_damaged_before_it_was_upgraded_gives_back_what_is_sound(
    tmp_path: Path,
) -> None:
    """The damage makes the upgrade fail, so the rescue reads a file of the earlier version."""
    path = tmp_path / "s"
    of_second_version(path, *(row(seq, size=500) for seq in range(1, 201)))
    data = path.read_bytes()
    # A page of the table in the middle of it.
    at = data.index(bytes([100]) * 500) // 4096 * 4096
    path.write_bytes(data[:at] + b"\xa5" * 4096 + data[at + 4096 :])
    file = spool_file(path)
    saved = sendable(file)
    assert 180 < len(saved) < 200
    assert saved == [row(one.seq, size=500) for one in saved]
    assert balanced(file.known)
    file.close()
    with closing(sqlite3.connect(tmp_path / "s.damaged")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


# --- any history --------------------------------------------------------------------------------


class TheBox(RuleBasedStateMachine):
    """A machine whose clock is set and lost, and which restarts, as its agent does.

    Its spool is compared with a list that knows when everything was read.
    """

    bound = 3000

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "s"
        self.starts = 0
        self.up_ms = 1000
        self.offset_ms = 0  # what the clock shows less the running time
        self.seq = 0
        self.rows: list[
            tuple[QueuedBatch, int | None]
        ] = []  # and the running time of those that wait
        self.counts = {"read": 0, "stored": 0, "full": 0, "undated": 0}
        self.file = self.opened()

    @property
    def machine(self) -> str:
        return f"start {self.starts}"

    def opened(self) -> SpoolFile:
        return spool_file(self.path, self.bound, self.machine)

    @rule(samples=st.integers(1, 5))
    def read(self, samples: int) -> None:
        self.seq += 1
        self.up_ms += 1000
        now_ms = self.offset_ms + self.up_ms
        if now_ms >= EARLIEST_MS:
            new = batch(self.seq, *range(now_ms, now_ms + samples))
            self.rows.append((new, None))
        else:
            new = early(self.seq, *range(self.up_ms, self.up_ms + samples), machine=self.machine)
            self.rows.append((new, self.up_ms))
        self.file.put([new])
        self.counts["read"] += samples
        while sum(len(one.payload) for one, _ in self.rows) > self.bound:
            self.counts["full"] += self.rows.pop(0)[0].samples

    @rule(start_ms=st.integers(START_MS, START_MS + 10**9))
    def clock_is_set(self, start_ms: int) -> None:
        self.offset_ms = start_ms

    @rule()
    def clock_is_lost(self) -> None:
        self.offset_ms = 0

    @precondition(lambda self: self.offset_ms)
    @rule()
    def look(self) -> None:
        while self.file.has_undated:
            self.file.assign_times(self.offset_ms)
        self.rows = [
            (
                one
                if up_ms is None
                else batch(
                    one.seq,
                    *range(self.offset_ms + up_ms, self.offset_ms + up_ms + one.samples),
                ),
                None,
            )
            for one, up_ms in self.rows
        ]

    @rule()
    def agent_restarts(self) -> None:
        self.file.close()
        self.file = self.opened()

    @rule()
    def machine_restarts(self) -> None:
        self.file.close()
        self.starts += 1
        self.up_ms, self.offset_ms = 1000, 0
        self.counts["undated"] += sum(one.samples for one, up_ms in self.rows if up_ms is not None)
        self.rows = [(one, up_ms) for one, up_ms in self.rows if up_ms is None]
        self.file = self.opened()

    @rule(most=st.integers(1, 5))
    def send(self, most: int) -> None:
        keys = [one.key for one in self.file.ends(most, ()).oldest]
        self.file.confirm([Ack(boot, stored=((seq, seq),)) for boot, seq in keys])
        self.counts["stored"] += sum(one.samples for one, _ in self.rows if one.key in keys)
        self.rows = [(one, up_ms) for one, up_ms in self.rows if one.key not in keys]

    @invariant()
    def same(self) -> None:
        assert balanced(self.file.known)
        assert self.file.known == SampleCounts(
            **self.counts,
            pending=sum(one.samples for one, _ in self.rows),
            size_bytes=sum(len(one.payload) for one, _ in self.rows),
        )
        waiting = [number for number, (_, up_ms) in enumerate(self.rows) if up_ms is not None]
        assert self.file.has_undated or not waiting
        dated = [one for one, up_ms in self.rows if up_ms is None]
        if waiting:  # what came among them waits with them
            dated = [*(one for one, _ in self.rows[: waiting[0]])]
            dated += [one for one, _ in self.rows[waiting[-1] + 1 :]]
        assert sendable(self.file) == dated

    def teardown(self) -> None:
        self.file.close()
        self.folder.cleanup()


TestTheBox = TheBox.TestCase
TestTheBox.settings = settings(max_examples=30, stateful_step_count=30)


# --- writer and watch ---------------------------------------------------------------------------


class Box(SystemClock):
    """A clock whose offset from the running time the test sets."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def now_ms(self) -> int:
        return self.up_ms() + self.offset_ms


@asynccontextmanager
async def kept(path: Path, clock: Box) -> AsyncIterator[tuple[Spool, BatchWriter]]:
    """Run a batch writer and a clock watch."""
    spool = Spool(path / "s", 10**7, LOG, machine_boot=clock.machine_boot())
    await spool.open()
    watch = ClockWatch(ClockTrust(clock.now_ms(), clock.up_ms()), spool, clock, LOG)
    writer = BatchWriter(
        spool,
        agent="a",
        boot=BOOT,
        delay_s=0.0,
        max_samples=100,
        max_payload_bytes=lambda: math.inf,
        take_number=partial(next, itertools.count(1)),
        to_running_time=watch.running_time_stamp,
        is_clock_unset=lambda: False,
        log=LOG,
    )
    async with running(watch.run()), running(writer.run()):
        yield spool, writer
    await spool.close()


def about(time_ms: int, right_ms: int) -> bool:
    """Two clocks can't be read at the same moment."""
    return abs(time_ms - right_ms) < 100


def reading(clock: Box, value: float) -> Sample:
    return Sample("e-1", clock.now_ms(), 0, ("energy_kwh",), (value,))


async def sent(spool: Spool) -> list[Batch]:
    return [mqtt_messages.decode_batch(row.payload) for row in await spool.peek(100)]


async def test_it_is_on_the_disk_like_any_other_with_its_poll(tmp_path: Path) -> None:
    clock = Box()
    with capture_logs() as logs:
        async with kept(tmp_path, clock) as (spool, writer):
            one = reading(clock, 1.5)
            writer.add(StubPollResult(one))
            writer.add(StubPollResult(PollReport("e-2", clock.now_ms(), False, 1000, 1)))
            await until(lambda: spool.counts.pending)
            assert await sent(spool) == []
            await until(lambda: logs)
            clock.offset_ms = START_MS
            await until(lambda: not spool.has_undated)
            (found,) = await sent(spool)
            await until(lambda: any(entry["event"] == f"{WAITS}: over" for entry in logs))
    assert (found.samples[0].meter, found.samples[0].values) == ("e-1", (1.5,))
    assert about(found.samples[0].time_ms, START_MS + one.time_ms)
    assert [poll.meter for poll in found.polls] == ["e-1", "e-2"]
    assert found.polls[0].time_ms == found.samples[0].time_ms
    events = [entry["event"] for entry in logs]
    assert events == [WAITS, "the system's clock has jumped", f"{WAITS}: over"]


async def test_a_jump_that_does_not_help_keeps_them_waiting(tmp_path: Path) -> None:
    clock = Box()
    async with kept(tmp_path, clock) as (spool, writer):
        up_ms = clock.up_ms()
        writer.add(StubPollResult(reading(clock, 1.0)))
        clock.offset_ms = 3_600_000
        writer.add(StubPollResult(reading(clock, 2.0)))
        await until(lambda: spool.counts.pending == 2)
        assert await sent(spool) == []
        clock.offset_ms = START_MS
        writer.add(StubPollResult(reading(clock, 3.0)))
        await until(lambda: spool.counts.pending == 3 and not spool.has_undated)
        samples = [one for batch in await sent(spool) for one in batch.samples]
    assert sorted(one.values[0] for one in samples) == [1.0, 2.0, 3.0]
    assert all(0 <= one.time_ms - START_MS - up_ms < 5000 for one in samples)


async def test_a_clock_that_is_lost_and_set_again_moves_no_reading_that_has_its_time(
    tmp_path: Path,
) -> None:
    clock = Box()
    async with kept(tmp_path, clock) as (spool, writer):
        up_ms = clock.up_ms()
        writer.add(StubPollResult(reading(clock, 1.0)))
        await until(lambda: spool.has_undated)
        clock.offset_ms = START_MS
        await until(lambda: not spool.has_undated)
        clock.offset_ms = 0
        writer.add(StubPollResult(reading(clock, 2.0)))
        await until(lambda: spool.has_undated)
        clock.offset_ms = START_MS + 3_600_000
        await until(lambda: not spool.has_undated)
        clock.offset_ms -= 1_800_000
        writer.add(StubPollResult(reading(clock, 3.0)))
        await until(lambda: spool.counts.pending == 3)
        samples = [one for batch in await sent(spool) for one in batch.samples]
    offsets_s = [(one.time_ms - START_MS - up_ms) / 1000 for one in samples]
    assert [round(one / 1800) for one in offsets_s] == [0, 2, 1]


async def test_the_clock_may_have_been_set_while_no_agent_ran(tmp_path: Path) -> None:
    clock = Box()
    async with kept(tmp_path, clock) as (spool, writer):
        one = reading(clock, 1.0)
        writer.add(StubPollResult(one))
        await until(lambda: spool.has_undated)
    clock.offset_ms = START_MS
    async with kept(tmp_path, clock) as (spool, _):
        await until(lambda: not spool.has_undated)
        (found,) = await sent(spool)
    assert about(found.samples[0].time_ms, START_MS + one.time_ms)
