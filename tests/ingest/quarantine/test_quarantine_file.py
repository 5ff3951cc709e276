"""Samples acknowledged as quarantined are on disk, whole and once, until a person removes them."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.quarantine.quarantine_entry import (
    AgentAccount,
    EntryFilter,
    QuarantineItem,
    cut_item,
    samples_item,
)
from ingest.quarantine.quarantine_file import FILE_NAME, Quarantine
from jieneng.metering.errors import QuarantineUnavailable
from jieneng.metering.reading import Sample
from tests.ingest.agent import START, batch, sample

ALL = EntryFilter()
TOPIC = "jieneng/1/s/agent-1/batch"


def item(
    seq: int,
    *numbers: int,
    reason: str = "field_type",
    agent: str = "agent-1",
    meter: str = "e-main",
) -> QuarantineItem:
    """Samples of a batch; by default one sample of its own."""
    samples = [sample(number, meter) for number in numbers or (seq,)]
    return samples_item(TOPIC, batch(seq, agent=agent), samples, reason, "400 no", meter=meter)


def stray(number: int, size: int = 100) -> QuarantineItem:
    """A message that no agent of ours sent."""
    payload = str(number).encode().ljust(size)
    return cut_item("jieneng/1/s/nobody/batch", "", "unknown_agent", "who?", payload)


def held(kept: Quarantine, chosen: EntryFilter = ALL) -> list[QuarantineItem]:
    return [entry.item for entry in kept.entries(chosen)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Quarantine]:
    quarantine = Quarantine(tmp_path / "q")
    yield quarantine
    quarantine.close()


def test_entries_come_back_as_they_were_oldest_first(kept: Quarantine, tmp_path: Path) -> None:
    assert held(kept) == []
    assert not (tmp_path / "q").exists()  # a command that only looks makes nothing
    result = kept.add([[item(1), item(1, 5, reason="other")], [item(2)]], [stray(1)], START)
    assert (result.taken, result.lost) == ((True, True), 0)
    assert held(kept) == [item(1), item(1, 5, reason="other"), item(2), stray(1)]
    assert [(one.id, one.time_ms, one.replays) for one in kept.entries(ALL)] == [
        (number, START, 0) for number in (1, 2, 3, 4)
    ]
    again = Quarantine(tmp_path / "q")
    assert held(again) == held(kept)
    again.close()


def test_many_entries_are_read_by_pages(kept: Quarantine) -> None:
    items = [item(seq) for seq in range(1, 351)]
    kept.add([[one] for one in items], [], START)
    assert held(kept) == items


def test_the_file_is_as_durable_as_sqlite_can_make_it(kept: Quarantine) -> None:
    kept.add([[item(1)]], [], START)
    assert kept._connection is not None
    assert kept._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert kept._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.long
def test_a_power_cut_tears_no_batch_and_loses_none_that_was_taken(
    kept: Quarantine, tmp_path: Path
) -> None:
    """The log is cut at every length that a disk may have got to."""
    sizes = []
    log = tmp_path / "q" / f"{FILE_NAME}-wal"
    for seq in range(1, 9):
        kept.add([[item(seq, seq), item(seq, 100 + seq, reason="other")]], [stray(seq)], START)
        sizes.append(log.stat().st_size)
    for cut in range(0, sizes[-1] + 1, 512):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        shutil.copy(tmp_path / "q" / FILE_NAME, copy)
        (copy / log.name).write_bytes(log.read_bytes()[:cut])
        after = Quarantine(copy)
        counts = [sum(one.seq == seq for one in held(after)) for seq in range(1, 9)]
        safe = sum(size <= cut for size in sizes)
        assert counts[:safe] == [2] * safe
        assert set(counts) <= {0, 2}
        usage = after.usage(acknowledged=True)
        assert (usage.entries, usage.samples) == (sum(counts), sum(counts))
        after.close()


def test_a_full_quarantine_takes_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, max_bytes=4000)
    taken = [kept.add([[item(seq)]], [], START).taken[0] for seq in range(1, 40)]
    fit = taken.index(False)
    assert taken == [True] * fit + [False] * (39 - fit)
    assert 3000 < kept.usage(acknowledged=True).bytes <= 4000
    assert kept.is_full()
    assert [one.seq for one in held(kept)] == list(range(1, fit + 1))
    # What is held already is acknowledged again: the first acknowledgement may have been lost.
    assert kept.add([[item(1)], [item(39)]], [], START).taken == (True, False)
    assert kept.drop(EntryFilter(ids=(1, 2)), kept.last_id()) == (2, 2)
    assert not kept.is_full()
    assert kept.add([[item(39)]], [], START).taken == (True,)
    kept.close()


def test_a_batch_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, max_bytes=2000)
    assert kept.add([[item(1)]], [], START).taken == (True,)
    large = [item(2, number) for number in range(10)]
    assert kept.add([large], [], START).taken == (False,)
    assert held(kept) == [item(1)]
    kept.close()


def test_a_batch_larger_than_the_quarantine_is_taken_alone(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, max_bytes=2000)
    large = [item(2, number) for number in range(10)]
    assert kept.add([large], [], START).taken == (True,)
    assert kept.add([[item(3)]], [], START).taken == (False,)
    kept.close()


def test_what_nobody_was_told_to_forget_makes_room_and_takes_none(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, max_bytes=4000, max_other_bytes=4000)
    lost = 0
    for number in range(1000):
        lost += kept.add([], [stray(number)], START).lost
    kept.add([[item(1)]], [], START)
    usage = kept.usage(acknowledged=False)
    assert usage.bytes <= 4000
    assert usage.lost == lost == 1000 - usage.entries
    assert held(kept) == [*map(stray, range(lost, 1000)), item(1)]
    kept.close()


def test_a_message_of_nobody_that_repeats_is_kept_once(kept: Quarantine) -> None:
    for _ in range(5):
        kept.add([], [stray(1), stray(2)], START)
    assert held(kept) == [stray(1), stray(2)]


def test_a_batch_that_comes_again_is_held_once_and_loses_nothing(kept: Quarantine) -> None:
    kept.add([[item(1, 1, 2)]], [], START)
    for again in (item(1, 1, 2), item(1, 2, reason="retention"), item(1, 1)):
        assert kept.add([[again]], [], START + 1).taken == (True,)
    assert held(kept) == [item(1, 1, 2)]
    assert kept.add([[item(1, 2, 3)]], [], START + 1).taken == (True,)
    assert held(kept) == [item(1, 1, 2), item(1, 3)]
    assert kept.accounts() == {"agent-1": AgentAccount(held=3)}
    # Another agent's batch of the same number is another batch.
    kept.add([[item(1, 1, agent="agent-2")]], [], START)
    assert kept.accounts()["agent-2"].held == 1


def test_a_sample_whose_values_are_unknown_is_known_again(kept: Quarantine) -> None:
    odd = Sample("e-main", START, 0, ("energy_kwh", "power_kw"), (1.0, float("nan")))
    one = samples_item(TOPIC, batch(1), [odd], "field_type", "no", meter="e-main")
    two = samples_item(TOPIC, batch(1), [odd, sample(9)], "field_type", "no", meter="e-main")
    kept.add([[one]], [], START)
    kept.add([[two]], [], START)
    assert [entry.samples for entry in held(kept)] == [1, 1]


def test_entries_are_chosen_by_number_reason_meter_and_time(kept: Quarantine) -> None:
    kept.add([[item(1)], [item(2, reason="other")]], [], START)
    kept.add([[item(3, meter="e-2")]], [stray(1)], START + 1000)
    choices = {
        EntryFilter(ids=(1, 3)): [1, 3],
        EntryFilter(reason="field_type"): [1, 3],
        EntryFilter(reason="field_type", meter="e-2"): [3],
        EntryFilter(since_ms=START + 1): [3, 0],
        EntryFilter(ids=(1,), reason="other"): [],
    }
    for chosen, seqs in choices.items():
        assert [one.seq for one in held(kept, chosen)] == seqs
        assert kept.sums(chosen)[0] == len(seqs)
    (group,) = kept.groups(EntryFilter(meter="e-2"))
    assert (group.reason, group.entries, group.samples) == ("field_type", 1, 1)
    assert (group.first_ms, group.last_ms) == (START + 1000, START + 1000)
    assert len(kept.groups(ALL)) == 4


def test_what_a_person_drops_is_booked_and_what_came_meanwhile_stays(kept: Quarantine) -> None:
    kept.add([[item(1, 1, 2)], [item(2)]], [stray(1)], START)
    seen = kept.last_id()
    kept.add([[item(3)]], [], START)
    assert kept.drop(ALL, seen) == (3, 3)
    assert held(kept) == [item(3)]
    assert kept.accounts() == {"agent-1": AgentAccount(held=1, dropped=3)}
    assert kept.usage(acknowledged=False).lost == 0


def test_what_was_replayed_is_booked_and_the_rest_stays(kept: Quarantine) -> None:
    kept.add([[item(1, 1, 2, 3)], [item(2)]], [], START)
    first, second = kept.entries(ALL)
    kept.replace_replayed([(first, [item(1, 2), item(1, 3, reason="retention")]), (second, [])])
    # Another process did the same, and would book what is booked.
    kept.replace_replayed([(second, []), (first, [])])
    assert held(kept) == [item(1, 2), item(1, 3, reason="retention")]
    assert [entry.replays for entry in kept.entries(ALL)] == [1, 0]
    assert kept.accounts() == {"agent-1": AgentAccount(held=2, replayed=2)}
    assert kept.usage(acknowledged=True).samples == 2


def test_a_disk_that_takes_nothing_is_said_and_nothing_is_taken(kept: Quarantine) -> None:
    kept.add([[item(1)]], [], START)
    assert kept._connection is not None
    (pages,) = kept._connection.execute("PRAGMA page_count").fetchone()
    kept._connection.execute(f"PRAGMA max_page_count = {pages}")
    large = cut_item(TOPIC, "", "not_json", "", bytes(1000))
    many = [[item(seq, *range(100))] for seq in range(2, 9)]
    with pytest.raises(QuarantineUnavailable, match="full"):
        kept.add(many, [large], START)
    assert held(kept) == [item(1)]
    assert kept.add(many, [], START).taken == (True,) * 7  # opened again, and there is space


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_nothing_is_written_into_a_file_that_was_taken_away(
    kept: Quarantine, tmp_path: Path, how: str
) -> None:
    kept.add([[item(1)]], [], START)
    for path in (tmp_path / "q").iterdir():
        if how == "deleted":
            path.unlink()
        else:
            path.rename(tmp_path / path.name)
    assert kept.add([[item(2)]], [], START).taken == (True,)
    again = Quarantine(tmp_path / "q")
    assert held(again) == [item(2)]
    again.close()


def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(b"x" * 10_000)
    with pytest.raises(QuarantineUnavailable, match="keep it and move it away"):
        Quarantine(tmp_path).add([[item(1)]], [], START)
    assert file.read_bytes() == b"x" * 10_000


def test_a_file_of_another_version_is_refused(kept: Quarantine, tmp_path: Path) -> None:
    kept.add([[item(1)]], [], START)
    kept.close()
    with closing(sqlite3.connect(tmp_path / "q" / FILE_NAME)) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(QuarantineUnavailable, match="version 9"):
        held(kept)


WRITER = """
import sys
from pathlib import Path
from tests.ingest.quarantine.test_quarantine_file import Quarantine, item, stray
kept = Quarantine(Path(sys.argv[1]))
for number in range(1, 101):
    kept.add([[item(number, number, agent=sys.argv[2])]], [stray(number)], number)
"""


@pytest.mark.server
def test_copies_share_one_file(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=root)
        for name in ("agent-1", "agent-2", "agent-3")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    kept = Quarantine(tmp_path)
    assert {account.held for account in kept.accounts().values()} == {100}
    assert len(held(kept)) == 300 + 100
    kept.close()
