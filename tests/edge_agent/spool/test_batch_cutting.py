"""A batch that is cut loses nothing, doubles nothing and keeps its counts."""

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.spool import batch_queue
from edge_agent.spool.batch_cutting import cut_batch
from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack, Batch, PollReport, Sample
from tests.edge_agent.agent_setup import AGENT, StubPollResult
from tests.edge_agent.spool.disk_faults import LOG, balanced, spool

OLD, NEW = "aaaaaaaa", "bbbbbbbb"
LIMIT = 500


def sample(number: int, quantities: int = 1) -> Sample:
    names = ("energy_kwh", "power_kw", "voltage_a_v", "voltage_b_v", "voltage_c_v")[:quantities]
    return Sample(f"e-{number}", 1_795_000_000_000 + number, 0, names, (number / 7,) * len(names))


def poll(number: int) -> PollReport:
    return PollReport(f"e-{number}", 1_795_000_000_000 + number, True, 10, 1)


def batch(samples: int, polls: int = 0, seq: int = 1) -> Batch:
    return Batch(
        AGENT, OLD, seq, tuple(map(sample, range(samples))), tuple(map(poll, range(polls)))
    )


def queued(one: Batch, machine: str | None = None) -> QueuedBatch:
    payload = mqtt_messages.encode_batch(one)
    return QueuedBatch(one.boot, one.seq, len(one.samples), payload, machine)


def numbers() -> Callable[[], int]:
    return partial(next, itertools.count(1))


@given(samples=st.integers(0, 60), polls=st.integers(0, 60), limit=st.integers(1, 5000))
def test_the_parts_hold_everything_once_and_fit(samples: int, polls: int, limit: int) -> None:
    whole = batch(samples, polls)
    parts = cut_batch(whole, limit)
    assert tuple(one for part in parts for one in part.samples) == whole.samples
    assert tuple(one for part in parts for one in part.polls) == whole.polls
    for part in parts:
        size = len(mqtt_messages.encode_batch(part))
        assert size <= limit or len(part.samples) + len(part.polls) < 2


@pytest.fixture
def file(tmp_path: Path) -> SpoolFile:
    one = SpoolFile(tmp_path / "s", 10**6, LOG)
    one.put([queued(batch(3, seq=1)), queued(batch(40, 40, seq=2)), queued(batch(3, seq=3))])
    return one


def all_rows(file: SpoolFile) -> list[QueuedBatch]:
    return file.read([one.key for one in file.ends(1000, ()).oldest])


def test_parts_in_the_queue_have_names_of_their_own_and_the_same_counts(file: SpoolFile) -> None:
    before = file.known
    parts = file.cut((OLD, 2), LIMIT, NEW, numbers())
    rows = all_rows(file)
    assert [row.key for row in rows] == [
        *((OLD, seq) for seq in (1, 2, 3)),
        *((NEW, seq) for seq in range(1, parts)),
    ]
    assert max(len(row.payload) for row in rows) <= LIMIT
    size = sum(len(row.payload) for row in rows)
    assert file.known == msgspec.structs.replace(before, size_bytes=size)
    decoded = [mqtt_messages.decode_batch(row.payload) for row in rows]
    assert [(one.boot, one.seq, len(one.samples)) for one in decoded] == [
        (row.boot, row.seq, row.samples) for row in rows
    ]
    cut = [one for one in decoded if (one.boot, one.seq) not in {(OLD, 1), (OLD, 3)}]
    assert [one for part in cut for one in part.samples] == list(batch(40).samples)
    assert [one for part in cut for one in part.polls] == list(batch(0, 40).polls)
    file.close()


def test_an_acknowledgement_of_the_whole_that_comes_late_removes_the_first_part(
    file: SpoolFile,
) -> None:
    parts = file.cut((OLD, 2), LIMIT, NEW, numbers())
    first = file.read([(OLD, 2)])[0].samples
    assert file.confirm([Ack(OLD, ((2, 2),))]) == 1
    assert file.known.stored == first
    assert file.confirm([Ack(OLD, ((1, 3),)), Ack(NEW, ((1, parts),))]) == 2 + parts - 1
    assert file.known == SampleCounts(read=46, stored=46)
    file.close()


def test_killed_in_the_middle_of_a_cut_everything_is_as_before(
    file: SpoolFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rows = file.known, all_rows(file)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_queue, "insert_batches", killed)
        with pytest.raises(KeyboardInterrupt):
            file.cut((OLD, 2), LIMIT, NEW, numbers())
    file.close()
    assert (all_rows(file), file.known) == (rows, before)
    file.close()


def test_an_attempt_that_is_undone_leaves_no_gap_in_the_numbers(
    file: SpoolFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the transaction runs twice."""
    insert = batch_queue.insert_batches
    failed: list[bool] = []

    def full_at_first(db: sqlite3.Connection, rows: object, at_s: float) -> None:
        if not failed:
            failed.append(True)
            error = sqlite3.OperationalError("full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        insert(db, rows, at_s)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(batch_queue, "insert_batches", full_at_first)
    parts = file.cut((OLD, 2), LIMIT, NEW, numbers())
    assert failed
    assert [key[1] for key in (row.key for row in all_rows(file)) if key[0] == NEW] == list(
        range(1, parts)
    )
    file.close()


def test_what_can_not_be_cut_stays_as_it_is(file: SpoolFile) -> None:
    file.put([queued(batch(1, seq=4)), QueuedBatch(OLD, 5, 3, b"{" * 2000)])
    before, rows = file.known, all_rows(file)
    assert file.cut((OLD, 4), 50, NEW, numbers()) == 1
    assert file.cut((OLD, 5), 50, NEW, numbers()) == 0
    assert file.cut((OLD, 9), 50, NEW, numbers()) == 0
    assert (all_rows(file), file.known) == (rows, before)
    file.close()


@pytest.mark.parametrize("is_undated", [False, True], ids=["dated", "undated"])
async def test_new_batches_are_written_in_parts_that_fit(tmp_path: Path, is_undated: bool) -> None:
    async with spool(tmp_path / "s") as queue:
        writer = BatchWriter(
            queue,
            agent=AGENT,
            boot=NEW,
            delay_s=0.0,
            max_samples=1000,
            max_payload_bytes=lambda: LIMIT,
            take_number=numbers(),
            to_running_time=lambda time_ms: time_ms + 1_000_000_000_000,
            is_clock_unset=lambda: False,
            log=LOG,
        )
        for number in range(40):
            one = sample(number)
            time_ms = number + 1 if is_undated else one.time_ms
            writer.add(StubPollResult(msgspec.structs.replace(one, time_ms=time_ms)))
        await writer._commit()
        assert queue.counts.read == queue.counts.pending == 40
        assert balanced(queue.counts)
    with closing(sqlite3.connect(tmp_path / "s")) as db:
        rows = list(db.execute("SELECT seq, length(payload), machine IS NULL FROM batch"))
    assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > 5
    assert all(size <= LIMIT and bool(dated) is not is_undated for _, size, dated in rows)
