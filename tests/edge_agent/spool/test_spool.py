"""The disk queue never loses and never miscounts a batch that it has taken."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from tests.edge_agent.spool.disk_faults import BOOT, LOG, OTHER, balanced, row, spool


async def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "spool.sqlite"
    async with spool(file) as one:
        await one.put([row(1), row(2)])
        before = one.counts
    async with spool(file) as one:
        assert one.counts == before == SampleCounts(read=6, pending=6, size_bytes=200)
        assert await one.peek(10) == [row(1), row(2)]


@pytest.mark.parametrize("damaged", [False, True], ids=["", "of a file that was rescued"])
def test_a_transaction_is_forced_to_the_disk(tmp_path: Path, damaged: bool) -> None:
    """No test cuts the power: without this, a put is safe from a kill and from nothing else."""
    file = SpoolFile(tmp_path / "s", 10**6, LOG)
    file.put([row(seq, size=3000) for seq in range(1, 30)])
    file.close()
    if damaged:
        damage(tmp_path / "s", 4096, 4096)
    file.put([row(30)])
    db = file._database._db
    assert db is not None
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (tmp_path / "s.damaged").exists() == damaged
    file.close()


async def test_an_acknowledgement_removes_its_own_boot_and_range_only(tmp_path: Path) -> None:
    async with spool(tmp_path / "s") as one:
        await one.put([row(seq) for seq in range(1, 6)] + [row(2, boot=OTHER)])
        assert await one.confirm([Ack(BOOT, stored=((2, 3),), quarantined=((5, "bad"),))]) == 3
        assert [kept.key for kept in await one.peek(10)] == [(BOOT, 1), (BOOT, 4), (OTHER, 2)]
        assert one.counts == SampleCounts(
            read=18, stored=6, quarantined=3, pending=9, size_bytes=300
        )


async def test_samples_set_aside_of_a_stored_batch_are_booked_apart(tmp_path: Path) -> None:
    """Also where the acknowledgement comes twice, or names more samples than the batch had."""
    async with spool(tmp_path / "s") as one:
        await one.put([row(seq) for seq in range(1, 5)])
        ack = Ack(BOOT, ((1, 2), (4, 4)), partly=((2, "retention", 1), (4, "a", 2), (4, "b", 9)))
        assert await one.confirm([ack]) == 3
        assert one.counts == SampleCounts(
            read=12, stored=5, quarantined=4, pending=3, size_bytes=100
        )
        assert await one.confirm([ack]) == 0
        assert (one.counts.stored, one.counts.quarantined) == (5, 4)


async def test_samples_set_aside_of_a_batch_that_is_not_stored_count_nothing(
    tmp_path: Path,
) -> None:
    async with spool(tmp_path / "s") as one:
        await one.put([row(1)])
        assert await one.confirm([Ack(BOOT, partly=((1, "retention", 1),))]) == 0
        assert one.counts == SampleCounts(read=3, pending=3, size_bytes=100)


async def test_an_acknowledgement_counts_once(tmp_path: Path) -> None:
    async with spool(tmp_path / "s") as one:
        await one.put([row(1)])
        ack = Ack(BOOT, stored=((1, 2**53 - 1), (1, 1)))
        assert await one.confirm([ack, ack]) == 1
        assert await one.confirm([ack]) == 0
        assert one.counts == SampleCounts(read=3, stored=3)


async def test_a_full_spool_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    async with spool(tmp_path / "s", max_bytes=250) as one:
        for seq in range(1, 5):
            await one.put([row(seq)])
        assert [kept.seq for kept in await one.peek(10)] == [3, 4]
        assert one.counts == SampleCounts(read=12, pending=6, full=6, size_bytes=200)


async def test_reports_of_polls_that_read_nothing_give_way_before_any_reading(
    tmp_path: Path,
) -> None:
    """Links that are down make thousands of them a day."""
    async with spool(tmp_path / "s", max_bytes=2000) as one:
        await one.put([row(1), row(2)])
        for seq in range(3, 50):
            await one.put([row(seq, samples=int(seq % 5 == 0))])
        kept = [found.seq for found in await one.peek(100)]
        assert kept == [1, 2, *range(5, 40, 5), *range(39, 50)]
        assert one.counts == SampleCounts(read=15, pending=15, size_bytes=2000)
        for seq in range(50, 70):
            await one.put([row(seq)])
        kept = [found.seq for found in await one.peek(100)]
        assert kept == list(range(50, 70)), "then the oldest"
        assert one.counts == SampleCounts(read=75, pending=60, full=15, size_bytes=2000)


@pytest.mark.parametrize("size", [100, 900, 2100, 5000, 100_000])
async def test_the_file_stays_within_its_bound_whatever_the_size_of_a_batch(
    tmp_path: Path, size: int
) -> None:
    """A batch of half a page leaves the other half empty: payload alone bounded no file."""
    bound = 500_000
    async with spool(tmp_path / "s", max_bytes=bound) as one:
        for seq in range(1, 1_500_000 // size, 10):
            await one.put([row(number, size=size) for number in range(seq, seq + 10)])
        assert one.counts.full
        assert one.counts.size_bytes > bound / 4
        assert (tmp_path / "s-wal").stat().st_size < 5_000_000
    assert (tmp_path / "s").stat().st_size <= bound * 1.2 + 10 * size  # what one put adds first


class Watch:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1e6

    def __call__(self) -> float:
        return self.now_s


def test_what_is_too_old_goes_with_the_next_put_and_is_counted(tmp_path: Path) -> None:
    watch = Watch()
    file = SpoolFile(tmp_path / "s", 10**6, LOG, max_age_s=100, now_s=watch)
    for seq in range(1, 6):
        file.put([row(seq)])
        watch.now_s += 50
    assert [one.key[1] for one in file.ends(10, ()).oldest] == [3, 4, 5]
    assert file.known == SampleCounts(read=15, pending=9, old=6, size_bytes=300)
    file.close()


def test_age_is_running_time_and_no_clock_that_jumps(tmp_path: Path) -> None:
    """Neither the time while nothing ran counts, nor another start of the machine."""
    watch = Watch()
    for seq, began_s in enumerate((5e6, 10.0, 3e9), 1):
        watch.now_s = began_s
        file = SpoolFile(tmp_path / "s", 10**6, LOG, max_age_s=100, now_s=watch)
        file.put([row(10 * seq)])
        watch.now_s += 40
        file.put([row(10 * seq + 1)])
        file.close()
    file = SpoolFile(tmp_path / "s", 10**6, LOG, max_age_s=100, now_s=watch)
    assert [one.key[1] for one in file.ends(10, ()).oldest] == [11, 20, 21, 30, 31]
    file.close()


def test_the_age_is_that_of_the_oldest_batch_and_grows_while_nobody_looks(tmp_path: Path) -> None:
    """The age also grows while the disk hangs, and is known without a query."""
    watch = Watch()
    file = SpoolFile(tmp_path / "s", 10**6, LOG, now_s=watch)
    assert file.age_s == 0.0
    for seq in (1, 2):
        file.put([row(seq)])
        watch.now_s += 30
    assert file.age_s == 60.0
    file.close()
    watch.now_s = 7e6
    file = SpoolFile(tmp_path / "s", 10**6, LOG, now_s=watch)
    file.open()
    assert file.age_s == 30.0, "when the last batch was put, the running time ended"
    watch.now_s += 5
    assert file.age_s == 35.0
    file.confirm([Ack(BOOT, stored=((1, 1),))])
    assert file.age_s == 5.0
    file.confirm([Ack(BOOT, stored=((2, 2),))])
    assert file.age_s == 0.0
    file.close()


async def test_a_put_that_is_cancelled_still_happens(tmp_path: Path) -> None:
    async with spool(tmp_path / "s") as one:
        putting = [asyncio.create_task(one.put([row(seq)])) for seq in range(1, 20)]
        await asyncio.sleep(0)
        for task in putting:
            task.cancel()
        await asyncio.gather(*putting, return_exceptions=True)
        assert len(await one.peek(100)) == 19


async def test_two_agents_can_not_share_a_spool(tmp_path: Path) -> None:
    async with spool(tmp_path / "s"):
        with pytest.raises(SpoolUnavailable, match="no other agent"):
            async with spool(tmp_path / "s"):
                pass


async def test_a_spool_of_another_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "s"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(SpoolUnavailable, match="another version"):
        async with spool(file):
            pass
    assert file.exists()
    assert not (tmp_path / "s.damaged").exists()


@pytest.mark.parametrize("version", [0, 1, 3])
async def test_a_database_of_another_program_is_left_alone(tmp_path: Path, version: int) -> None:
    """A database without any of the spool's tables means a wrong path, not a damaged spool."""
    file = tmp_path / "s"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(f"CREATE TABLE theirs (it TEXT); PRAGMA user_version = {version};")
    before = file.read_bytes()
    with pytest.raises(SpoolUnavailable, match="is not a spool"):
        async with spool(file):
            pass
    assert not (tmp_path / "s.damaged").exists()
    assert file.read_bytes() == before


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnavailable, match="check the disk"):
        async with spool(tmp_path / "no" / "s"):
            pass


def damage(file: Path, start: int, size: int) -> None:
    data = bytearray(file.read_bytes())
    data[start : start + size] = b"\xa5" * len(data[start : start + size])
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("start", "size"),
    [(0, 100), (0, 10**9), (4096, 4096), (3 * 4096, 10**9)],
    ids=["head", "all", "one page", "all but the first pages"],
)
async def test_a_damaged_file_is_set_aside_and_the_agent_goes_on(
    tmp_path: Path, start: int, size: int
) -> None:
    file = tmp_path / "spool.sqlite"
    async with spool(file) as one:
        await one.put([row(seq, size=3000) for seq in range(1, 30)])
        await one.confirm([Ack(BOOT, stored=((1, 2),))])
    damage(file, start, size)
    async with spool(file) as one:
        assert await one.peek(10) == []
        assert balanced(one.counts)
        await one.put([row(30)])
        assert [kept.seq for kept in await one.peek(10)] == [30]
    assert (tmp_path / "spool.sqlite.damaged").exists()


async def test_damage_while_running_is_counted_and_set_aside(tmp_path: Path) -> None:
    """The counts go on, and what was pending in the damaged file is dropped."""
    file = tmp_path / "spool.sqlite"
    async with spool(file) as one:
        await one.put([row(seq, size=3000) for seq in range(1, 30)])
    async with spool(file) as one:
        await one.confirm([Ack(BOOT, stored=((1, 2),))])
        db = one._file._database._db
        assert db is not None
        await one._run(lambda: db.executescript("PRAGMA wal_checkpoint; PRAGMA shrink_memory"))
        damage(file, 0, 10**9)
        await one.put([row(30)])
        assert one.counts == SampleCounts(read=90, stored=6, pending=3, damaged=81, size_bytes=100)
        assert [kept.seq for kept in await one.peek(10)] == [30]


class TheSpool(RuleBasedStateMachine):
    """A spool against a list: the same rows and counts after any history."""

    bound = 2000

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "s"
        self.file = SpoolFile(self.path, self.bound, LOG)
        self.rows: list[QueuedBatch] = []
        self.parked: set[int] = set()
        self.counts = {"read": 0, "stored": 0, "full": 0, "refused": 0}
        self.seq = 0

    @rule(sizes=st.lists(st.integers(1, 900), max_size=4))
    def put(self, sizes: list[int]) -> None:
        new = [row(self.seq + n, samples=n, size=size) for n, size in enumerate(sizes, 1)]
        self.seq += len(new)
        self.file.put(new)
        self.rows += new
        self.counts["read"] += sum(one.samples for one in new)
        while sum(len(one.payload) for one in self.rows) > self.bound:
            first = next((one for one in self.rows if one.seq in self.parked), self.rows[0])
            self.rows.remove(first)
            self.counts["full"] += first.samples

    @rule(seq=st.integers(1, 60))
    def park(self, seq: int) -> None:
        names = {one.seq for one in self.rows} - self.parked
        assert self.file.park([(BOOT, seq), (OTHER, seq), (BOOT, seq)]) == int(seq in names)
        self.parked |= names & {seq}

    @rule(first=st.integers(1, 60), length=st.integers(0, 5))
    def confirm(self, first: int, length: int) -> None:
        gone = [one for one in self.rows if first <= one.seq <= first + length]
        left = self.file.confirm([Ack(BOOT, stored=((first, first + length),))])
        assert left == len(gone)
        self.rows = [one for one in self.rows if one not in gone]
        self.counts["stored"] += sum(one.samples for one in gone)

    @rule(seq=st.integers(1, 60))
    def fail(self, seq: int) -> None:
        """A name that is taken: the whole put is undone, and what was in it counts as refused."""
        if self.rows:
            with pytest.raises(SpoolUnavailable):
                self.file.put([row(10_000), self.rows[seq % len(self.rows)]])
            lost = 3 + self.rows[seq % len(self.rows)].samples
            self.counts["read"] += lost
            self.counts["refused"] += lost

    @rule()
    def restart(self) -> None:
        self.file.close()
        self.file = SpoolFile(self.path, self.bound, LOG)

    @invariant()
    def same(self) -> None:
        self.file.open()
        counts = self.file.known
        assert balanced(counts)
        assert counts == SampleCounts(
            **self.counts,
            pending=sum(one.samples for one in self.rows),
            size_bytes=sum(len(one.payload) for one in self.rows),
        )
        ends = self.file.ends(10, [(BOOT, 1)], (-(2**63), 100))
        ready = [one.key for one in self.rows if one.seq not in self.parked]
        assert [one.key for one in ends.oldest] == ready[:10]
        assert [one.key for one in ends.newest] == ready[:-11:-1]
        parked = [one.key for one in self.rows if one.seq in self.parked]
        assert ends.parked is not None
        assert [one.key for one in ends.parked] == parked
        if parked:
            behind = self.file.ends(10, (), (ends.parked[0].row_id, 2)).parked
            assert behind == ends.parked[1:3]
        assert (not ends.gone) == any(one.seq == 1 for one in self.rows)
        assert self.file.read([one.key for one in self.rows]) == self.rows

    def teardown(self) -> None:
        self.file.close()
        self.folder.cleanup()


TestTheSpool = TheSpool.TestCase
TestTheSpool.settings = settings(max_examples=25, stateful_step_count=20)
