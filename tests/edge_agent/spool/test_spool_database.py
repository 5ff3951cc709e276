"""Disks that are full, read-only, or return other data than were written."""

import itertools
import math
import random
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool import Spool
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack, Sample
from tests.edge_agent.agent_setup import StubPollResult, refuse_running_time
from tests.edge_agent.spool.disk_faults import (
    BOOT,
    LOG,
    balanced,
    fill_disk,
    flip_bytes,
    mounted,
    remount,
    row,
    run,
    spool,
)

# --- full ---


@pytest.mark.server
async def test_a_disk_that_the_spool_fills_keeps_the_newest_and_drains(small_disk: Path) -> None:
    """Earlier the WAL could not be checkpointed, so nothing could be confirmed any more."""
    file = small_disk / "s"
    async with spool(file, max_bytes=10**9) as one:
        for seq in range(1, 600):
            await one.put([row(seq, size=20_000)])
        assert one.counts.dropped
        assert one.counts.size_bytes > 1_500_000
        first = (await one.peek(1))[0].seq
        assert await one.confirm([Ack(BOOT, stored=((first, first + 4),))]) == 5
    async with spool(file, max_bytes=10**9) as one:
        assert balanced(one.counts)
        last = (await one.peek(1000))[-1].seq
        assert last == 599
        await one.confirm([Ack(BOOT, stored=((1, last),))])
        assert one.counts.pending == 0
        dropped = one.counts.dropped
        await one.put([row(600 + seq, size=20_000) for seq in range(20)])
        assert (one.counts.pending, one.counts.dropped) == (60, dropped)


@pytest.mark.server
async def test_a_disk_that_the_spool_fills_is_said_once(small_disk: Path) -> None:
    """Not every put has to drop batches: one without drops does not end the fault.

    The message says whether the limit is too small or the disk.
    """
    with capture_logs() as logs:
        async with spool(small_disk / "s", max_bytes=10**9) as one:
            writer = new_writer(one)
            for number in range(300):
                for at in range(500 if number % 3 else 50):
                    writer.add(StubPollResult(sample(number * 500 + at)))
                await writer._commit()
            pending = one.counts.size_bytes
            assert one.counts.dropped
    (said,) = logs
    assert said["event"] == "spool is full: the oldest readings are dropped"
    assert int(said["reason"].split()[0]) < 2 * pending
    assert said["reason"].endswith("bytes are pending, and the disk has no room for more")


async def test_a_spool_that_has_reached_its_bound_says_nothing_of_the_disk(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with spool(tmp_path / "s", max_bytes=100_000) as one:
            writer = new_writer(one)
            keep(writer, 5000)
            await writer._commit()
            assert one.counts.full
    assert logs[0]["reason"] == f"{one.counts.size_bytes} bytes are pending"


@pytest.mark.server
@pytest.mark.parametrize("restart", [False, True], ids=["running", "after a restart"])
@pytest.mark.parametrize("before", [3, 40, 90])
async def test_a_disk_that_others_fill_does_not_lock_the_spool(
    small_disk: Path, before: int, restart: bool
) -> None:
    """Pending batches can still be confirmed; a batch without space is refused as a whole."""
    file = small_disk / "s"
    async with AsyncExitStack() as agent:
        one = await agent.enter_async_context(spool(file, max_bytes=10**9))
        for seq in range(1, before + 1):
            await one.put([row(seq, size=20_000)])
        fill_disk(small_disk)
        seq = before
        for seq in range(before + 1, before + 200):
            try:
                await one.put([row(seq, size=20_000)])
            except SpoolUnavailable:
                assert await one.peek(1)
            fill_disk(small_disk)
        if restart:
            await agent.aclose()
            fill_disk(small_disk)
            one = await agent.enter_async_context(spool(file, max_bytes=10**9))
        assert balanced(one.counts)
        for kept in await one.peek(1000):
            assert await one.confirm([Ack(BOOT, stored=((kept.seq, kept.seq),))]) == 1
        assert one.counts.pending == 0
        (small_disk / "others").unlink()
        await one.put([row(seq + 1, size=20_000)])
        assert one.counts.pending == 3


@pytest.mark.server
async def test_a_disk_with_less_room_than_the_reserve_costs_no_reading(small_disk: Path) -> None:
    """Earlier all pending batches were dropped for new ones, while the reserve was not used."""
    async with spool(small_disk / "s", max_bytes=10**9) as one:
        await one.put([row(1)])
        reserve = (small_disk / "s-reserve").stat().st_size
        fill_disk(small_disk, leave_bytes=reserve - 8192)
        for seq in range(2, 152):
            await one.put([row(seq, size=4000)])
        assert (one.counts.pending, one.counts.dropped) == (453, 0)
        assert (small_disk / "s").stat().st_size > reserve


@pytest.mark.server
@pytest.mark.parametrize("restart", [False, True], ids=["running", "after a restart"])
async def test_an_empty_spool_on_a_full_disk_keeps_what_its_file_has_room_for(
    small_disk: Path, restart: bool
) -> None:
    """Sent is sent: a spool is nearly empty when its disk turns full, and had no page to spare."""
    file = small_disk / "s"
    async with AsyncExitStack() as agent:
        one = await agent.enter_async_context(spool(file, max_bytes=10**9))
        await one.put([row(1)])
        await one.confirm([Ack(BOOT, stored=((1, 1),))])
        taken = 512 * file.stat().st_blocks
        assert taken >= (small_disk / "s-reserve").stat().st_size, "written, and no hole"
        fill_disk(small_disk)
        if restart:
            await agent.aclose()
            fill_disk(small_disk)
            one = await agent.enter_async_context(spool(file, max_bytes=10**9))
        for seq in range(2, 102):
            await one.put([row(seq, size=4000)])
            fill_disk(small_disk)
        assert (one.counts.pending, one.counts.dropped) == (300, 0)
        for seq in range(102, 302):
            await one.put([row(seq, size=4000)])
        assert one.counts.refused == 0
        kept = [found.seq for found in await one.peek(1000)]
        assert kept == list(range(302 - len(kept), 302)), "the newest"
        assert len(kept) > 100
        assert balanced(one.counts)


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process grows past this: another way in which a disk takes no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_write_that_fails_costs_what_was_in_it_and_is_over_when_it_works(
    tmp_path: Path,
) -> None:
    with capture_logs() as logs:
        async with spool(tmp_path / "s") as one:
            writer = new_writer(one)
            keep(writer, 5)
            await writer._commit()
            with files_end_at(8192):
                for _ in range(3):
                    keep(writer, 500)
                    await writer._commit()
                assert one.counts.refused == 1500
                assert ["can't be used" in fault for fault in writer.faults()] == [True]
                assert balanced(one.counts)
                assert [kept.samples for kept in await one.peek(10)] == [5]
            keep(writer, 7)
            await writer._commit()
            assert writer.faults() == []
            assert [kept.samples for kept in await one.peek(10)] == [5, 7]
            assert (one.counts.read, one.counts.refused, one.counts.pending) == (1512, 1500, 12)
    said = [entry["event"] for entry in logs]
    assert said == ["spool can't be written", "spool can't be written: over"]
    async with spool(tmp_path / "s") as one:
        assert (one.counts.read, one.counts.refused, one.counts.pending) == (1512, 1500, 12)


def new_writer(one: Spool) -> BatchWriter:
    return BatchWriter(
        one,
        agent="a",
        boot=BOOT,
        delay_s=0,
        max_samples=500,
        max_payload_bytes=lambda: math.inf,
        take_number=partial(next, itertools.count(1)),
        to_running_time=refuse_running_time,
        is_clock_unset=lambda: False,
        log=LOG,
    )


def sample(number: int) -> Sample:
    return Sample("e-1", 1_795_000_000_000 + number, 0, ("energy_kwh",), (1.0 / 3,))


def keep(writer: BatchWriter, samples: int) -> None:
    for at in range(samples):
        writer.add(StubPollResult(sample(at)))


# --- read-only ---


@pytest.mark.server
async def test_a_disk_that_is_read_only_from_the_start_is_used_when_it_no_longer_is(
    small_disk: Path,
) -> None:
    async with spool(small_disk / "s") as one:
        await one.put([row(1)])
    remount(small_disk, "ro")
    async with spool(small_disk / "s") as one:
        assert one.counts == SampleCounts(read=3, pending=3, size_bytes=100)
        for seq in (2, 3):
            with pytest.raises(SpoolUnavailable, match="check the disk"):
                await one.put([row(seq)])
        assert one.counts == SampleCounts(read=9, pending=3, refused=6, size_bytes=100)
        remount(small_disk, "rw")
        await one.put([row(4)])
        assert one.counts == SampleCounts(read=12, pending=6, refused=6, size_bytes=200)
        assert [kept.seq for kept in await one.peek(10)] == [1, 4]


@pytest.mark.server
async def test_a_new_spool_on_a_read_only_disk_is_made_later(small_disk: Path) -> None:
    remount(small_disk, "ro")
    async with spool(small_disk / "s") as one:
        with pytest.raises(SpoolUnavailable):
            await one.put([row(1)])
        remount(small_disk, "rw")
        await one.put([row(2)])
        assert one.counts == SampleCounts(read=6, pending=3, refused=3, size_bytes=100)


async def test_what_was_refused_is_counted_although_the_agent_is_killed(tmp_path: Path) -> None:
    """The ledger could not be written when it happened; its copy is written over in place."""
    async with spool(tmp_path / "s") as one:
        await one.put([row(1)])
        with files_end_at(8192), pytest.raises(SpoolUnavailable):
            await one.put([row(2, size=20_000)])
        before = one.counts
        assert before.refused == 3
        for suffix in ("", "-wal", "-counts"):
            shutil.copy(tmp_path / f"s{suffix}", tmp_path / f"killed{suffix}")
    async with spool(tmp_path / "killed") as one:
        assert one.counts == before
        await one.put([row(3)])
        assert one.counts.refused == 3


@pytest.mark.server
async def test_a_disk_that_turns_read_only_still_gives_what_is_pending(tmp_path: Path) -> None:
    """The file system is ext4: after an error in itself it turns read-only, with all open files."""
    image = tmp_path / "image"
    image.write_bytes(bytes(8 * 2**20))
    run("mkfs.ext4", "-q", "-F", str(image))
    with mounted(tmp_path / "disk", "-o", "loop,errors=remount-ro", str(image)) as folder:
        device = Path(run("findmnt", "-no", "SOURCE", str(folder))).name
        trigger = Path("/sys/fs/ext4") / device / "trigger_fs_error"
        if not trigger.exists():
            pytest.skip("this system has no ext4 whose errors can be triggered")
        async with spool(folder / "s") as one:
            await one.put([row(1), row(2)])
            trigger.write_text("1")
            for seq in (3, 4):
                with pytest.raises(SpoolUnavailable):
                    await one.put([row(seq)])
            assert [kept.seq for kept in await one.peek(10)] == [1, 2]
            with pytest.raises(SpoolUnavailable):
                await one.confirm([Ack(BOOT, stored=((1, 1),))])
            assert one.counts == SampleCounts(read=12, pending=6, refused=6, size_bytes=200)


# --- damaged ---


def truncate_file(file: Path, chance: random.Random) -> None:
    """Cut off the end of a file, as if it had never been written."""
    with file.open("r+b") as data:
        data.truncate(chance.randrange(file.stat().st_size))


def sizes(chance: random.Random) -> int:
    return int(10 ** chance.uniform(0, 4.3))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("spoil", [flip_bytes, truncate_file])
@pytest.mark.parametrize("alive", [True, False], ids=["running", "killed before"])
def test_whatever_rots_nothing_false_is_handed_out_and_nothing_uncounted(
    tmp_path: Path, seed: int, spoil: object, alive: bool
) -> None:
    assert callable(spoil)
    chance = random.Random(seed)
    path = tmp_path / "s"
    file = SpoolFile(path, 10**6, LOG)
    file.open()
    rows = [row(seq, chance.randint(1, 5), sizes(chance)) for seq in range(1, 200)]
    sent: set[int] = set()
    for first in range(0, 200, 10):
        file.put(rows[first : first + 10])
        if chance.random() < 0.3:
            seq = chance.randint(1, first + 1)
            file.confirm([Ack(BOOT, stored=((seq, seq),))])
            sent.add(seq)
    before = file.known
    if not alive:
        for suffix in ("", "-wal", "-counts"):
            shutil.copy(tmp_path / f"s{suffix}", tmp_path / f"k{suffix}")
        file.close()
        path = tmp_path / "k"
        file = SpoolFile(path, 10**6, LOG)
    victim = chance.choice([path, path.with_name(path.name + "-wal")])
    spoil(victim, chance)
    file.open()
    extra = [row(seq, 1, sizes(chance)) for seq in range(1000, 1050)]
    for one in extra:
        file.put([one])
    known = {one.key: one for one in (*rows, *extra)}
    found = file.read([one.key for one in file.ends(10_000, ()).oldest])
    assert all(known[one.key] == one for one in found)
    assert {one.key for one in extra} <= {one.key for one in found} or alive
    assert balanced(file.known)
    assert file.known.pending == sum(one.samples for one in found)
    assert file.known.read == before.read + len(extra)
    assert file.known.stored <= before.stored
    file.close()


async def test_a_digit_that_rotted_is_no_reading(tmp_path: Path) -> None:
    """The file is sound, but its content is not the written one."""
    path = tmp_path / "s"
    payloads = [b"[812345.6]" * 10, b"[812346.7]" * 10]
    async with spool(path) as one:
        await one.put(
            [QueuedBatch(BOOT, seq, 2, payload) for seq, payload in enumerate(payloads, 1)]
        )
    path.write_bytes(path.read_bytes().replace(b"812346.7", b"912346.7", 1))
    with capture_logs() as logs:
        async with spool(path) as one:
            assert [kept.payload for kept in await one.peek(10)] == payloads[:1]
            assert one.counts == SampleCounts(read=4, pending=2, damaged=2, size_bytes=100)
    assert [entry["event"] for entry in logs] == ["batches were damaged on the disk, and dropped"]


async def test_one_bad_page_costs_its_own_batches_only(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(seq, size=3000) for seq in range(1, 201)])
    with path.open("r+b") as data:
        data.seek(path.stat().st_size // 2)
        data.write(bytes(4096))
    with capture_logs() as logs:
        async with spool(path) as one:
            assert one.counts.read == 600
            assert balanced(one.counts)
            assert 590 <= one.counts.pending < 600
            lost = one.counts.damaged
    assert [(entry["event"], entry["dropped"]) for entry in logs] == [
        ("spool was damaged: it was set aside, and a new one was made", lost)
    ]


async def test_a_log_whose_middle_rotted_is_not_cut_without_a_word(tmp_path: Path) -> None:
    """SQLite reads a log up to the first bad checksum, and takes what is behind it for garbage."""
    async with spool(tmp_path / "s", max_bytes=10**9) as one:
        for seq in range(1, 41):
            await one.put([row(seq)])
        for suffix in ("", "-wal", "-counts"):
            shutil.copy(tmp_path / f"s{suffix}", tmp_path / f"killed{suffix}")
    log = tmp_path / "killed-wal"
    with log.open("r+b") as data:
        data.seek(log.stat().st_size // 2)
        data.write(b"rot")
    with capture_logs() as logs:
        async with spool(tmp_path / "killed") as one:
            lost = one.counts.damaged
            assert 0 < lost < 120
            assert one.counts == SampleCounts(
                read=120, pending=120 - lost, damaged=lost, size_bytes=(120 - lost) * 100 // 3
            )
    assert [(entry["event"], entry["dropped"]) for entry in logs] == [
        ("spool has lost readings that were in it", lost)
    ]


@pytest.mark.parametrize(
    ("sound", "rotten"),
    [
        (b"refused INTEGER", b"refuSSd INTEGER"),
        (b"payload BLOB", b"paeload BLOB"),
        (b"payload BLOB NOT", b"payload BLOB \xcfOT"),
        (b"INTEGER PRIMARY KEY", b"INTEGER PRIMCRY KEY"),
        (b"crc INTEGER", b"crc INTEGEB"),
        (b"TABLE batch (", b"TABLE bitch ("),
        (b"tablebatchbatch", b"tablebatchbOtch"),
        (b"batch_1batch", b"b\xe1tch_1batch"),
        (b"IS NOT NULL", b"IS NOT NULT"),
        (b"WHERE machine", b"WHERE payload"),
    ],
)
@pytest.mark.parametrize("counted", [True, False], ids=["", "without the copy of the counts"])
async def test_a_letter_that_rotted_in_the_tables_own_text_costs_no_reading(
    tmp_path: Path, sound: bytes, rotten: bytes, counted: bool
) -> None:
    """Earlier this crashed every start, refused every reading, or accepted all and sent none."""
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(1), row(2)])
    found = path.read_bytes().replace(sound, rotten, 1)
    assert found != path.read_bytes()
    path.write_bytes(found)
    if not counted:
        (tmp_path / "s-counts").unlink()
    with capture_logs() as logs:
        async with spool(path) as one:
            assert [kept.seq for kept in await one.peek(10)] == [1, 2]
            await one.put([row(3)])
            assert one.counts == SampleCounts(read=9, pending=9, size_bytes=300)
            assert await one.confirm([Ack(BOOT, stored=((1, 3),))]) == 3
    assert [(entry["event"], entry["rescued"], entry["dropped"]) for entry in logs] == [
        ("spool was damaged: it was set aside, and a new one was made", 6, 0)
    ]
    assert (tmp_path / "s.damaged").read_bytes() == found, "as it was"


@pytest.mark.parametrize("column", ["read", "stored", "pending", "refused"])
async def test_a_ledger_that_does_not_add_up_is_no_ledger(tmp_path: Path, column: str) -> None:
    """Earlier one damaged count was trusted, and the pending count never reached 0."""
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(1), row(2)])
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE ledger SET {column} = {column} + 32")  # noqa: S608 - ours
        db.commit()
    async with spool(path) as one:
        assert one.counts == SampleCounts(read=6, pending=6, size_bytes=200)


@pytest.mark.parametrize("version", [0, 1, 2, 3, 7, 2**30])
async def test_a_version_that_rotted_is_no_other_version(tmp_path: Path, version: int) -> None:
    """The tables say what it is."""
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(1), row(2)])
    with path.open("r+b") as data:
        data.seek(60)
        data.write(version.to_bytes(4, "big"))
    async with spool(path) as one:
        assert [kept.seq for kept in await one.peek(10)] == [1, 2]
        assert one.counts == SampleCounts(read=6, pending=6, size_bytes=200)


@pytest.mark.parametrize("at", [18, 47], ids=["forbids to write it", "of a later SQLite"])
async def test_a_head_that_rotted_does_not_lock_the_spool(tmp_path: Path, at: int) -> None:
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(1), row(2)])
    with path.open("r+b") as data:
        data.seek(at)
        data.write(b"\x58")
    async with spool(path) as one:
        await one.put([row(3)])
        assert 3 in [kept.seq for kept in await one.peek(10)]
        assert one.counts.read == 9
        assert one.counts.refused == 0
        assert balanced(one.counts)


# --- of before ---


async def test_a_spool_of_the_first_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            """
            CREATE TABLE batch (
                id INTEGER PRIMARY KEY,
                boot TEXT NOT NULL,
                seq INTEGER NOT NULL,
                samples INTEGER NOT NULL,
                payload BLOB NOT NULL,
                UNIQUE (boot, seq)
            );
            CREATE TABLE ledger (read INTEGER NOT NULL, stored INTEGER NOT NULL,
                pending INTEGER NOT NULL, dropped INTEGER NOT NULL, bytes INTEGER NOT NULL);
            INSERT INTO batch VALUES (7, 'aaaaaaaa', 1, 3, x'0101');
            INSERT INTO ledger VALUES (10, 5, 3, 2, 2);
            PRAGMA user_version = 1;
            """
        )
    async with spool(path) as one:
        assert one.counts == SampleCounts(read=10, stored=5, pending=3, full=2, size_bytes=2)
        await one.put([row(2)])
        assert [kept.seq for kept in await one.peek(10)] == [1, 2]
        assert await one.confirm([Ack(BOOT, stored=((1, 2),))]) == 2
    assert not (tmp_path / "s.damaged").exists()


async def test_a_spool_of_the_third_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(1), row(2, samples=0)])
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP INDEX reports; ALTER TABLE ledger DROP COLUMN quarantined;"
            "PRAGMA user_version = 3;"
        )
    async with spool(path, max_bytes=200) as one:
        await one.put([row(3)])
        assert [kept.seq for kept in await one.peek(10)] == [1, 3]
    assert not (tmp_path / "s.damaged").exists()


async def test_a_spool_of_the_fourth_version_goes_on_and_counts_what_is_set_aside(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(1), row(2)])
    with closing(sqlite3.connect(path)) as db:
        db.executescript("ALTER TABLE ledger DROP COLUMN quarantined; PRAGMA user_version = 4;")
    async with spool(path) as one:
        await one.confirm([Ack(BOOT, quarantined=((2, "unknown_meter"),))])
        assert one.counts == SampleCounts(read=6, pending=3, quarantined=3, size_bytes=100)
    assert not (tmp_path / "s.damaged").exists()


@pytest.mark.parametrize(
    "rotten",
    [b"aaaaaaaa\x4d\x03", b"cccccccc\x03\x03", b"aaaaaaaa\x03\x09", b"\xff\xfeaaaaaa\x03\x03"],
    ids=["number", "run", "samples", "no text"],
)
async def test_a_name_that_rotted_blocks_nothing(tmp_path: Path, rotten: bytes) -> None:
    """The table says one thing and its index another, which SQLite's quick check does not see: such
    a batch could not be read by its name, and would have held a place in the window for ever."""
    path = tmp_path / "s"
    async with spool(path) as one:
        await one.put([row(seq) for seq in range(1, 6)])
    third = b"\x03" * 100
    found = path.read_bytes()
    assert found.count(b"aaaaaaaa\x03\x03" + third) == 1
    path.write_bytes(found.replace(b"aaaaaaaa\x03\x03" + third, rotten + third))
    async with spool(path) as one:
        assert [kept.seq for kept in await one.peek(10)] == [1, 2, 4, 5]
        assert (one.counts.read, one.counts.pending) == (15, 12)
        assert one.counts.damaged == 3
        assert await one.confirm([Ack(BOOT, stored=((1, 5),))]) == 4
        assert one.counts == SampleCounts(read=15, stored=12, damaged=3)
