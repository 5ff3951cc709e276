"""A notice is on disk until its receiver accepts it, through kills, full disks and clock jumps."""

import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from analytics.alerts.delivery.notice_outbox import KEEP_MS, NoticeOutbox
from analytics.alerts.delivery.retry_plan import GIVE_UP_MS, Outcome
from jieneng.metering.errors import OutboxUnavailable
from tests.analytics.alerts.delivery.notices import NOW_MS, notice, queued
from tests.edge_agent.spool.disk_faults import mounted

LEASE_MS = 60_000
HOUR_MS = 3_600_000
SENT = Outcome("sent")
DOWN = Outcome("unreachable", "no connection")
REFUSED = Outcome("refused", "HTTP 404")


@pytest.fixture
def outbox(tmp_path: Path) -> NoticeOutbox:
    return NoticeOutbox(tmp_path / "site" / "outbox.sqlite")


def taken(outbox: NoticeOutbox, now_ms: int = NOW_MS) -> set[str]:
    return {entry.queued.notice.id for entry in outbox.take(now_ms, LEASE_MS)}


def test_a_notice_comes_back_whole_also_from_a_new_process(
    outbox: NoticeOutbox, tmp_path: Path
) -> None:
    """NaN stays NaN: a notice may be about a value that is not known."""
    outbox.add([queued()], NOW_MS)
    (entry,) = NoticeOutbox(tmp_path / "site" / "outbox.sqlite").take(NOW_MS, LEASE_MS)
    assert repr(entry.queued.notice) == repr(notice())
    assert (entry.queued.receiver, entry.state, entry.tries) == ("office", "waiting", 0)


def test_a_notice_is_added_once_for_each_receiver(outbox: NoticeOutbox) -> None:
    """Also after it was sent: the service plans it again if it is killed before it noted it."""
    assert outbox.add([queued(), queued(receiver="duty")], NOW_MS) == 2
    outbox.settle(outbox.take(NOW_MS, LEASE_MS), SENT, NOW_MS)
    assert outbox.add([queued(), queued("n2")], NOW_MS) == 1
    assert taken(outbox) == {"n2"}


def test_a_notice_is_not_taken_before_its_time(outbox: NoticeOutbox) -> None:
    outbox.add([queued(due_ms=NOW_MS + HOUR_MS)], NOW_MS)
    assert not taken(outbox, NOW_MS + HOUR_MS - 1)
    assert taken(outbox, NOW_MS + HOUR_MS)


def test_what_a_killed_process_had_taken_is_taken_again_after_its_lease(
    outbox: NoticeOutbox,
) -> None:
    outbox.add([queued()], NOW_MS)
    assert taken(outbox)
    assert not taken(outbox, NOW_MS + LEASE_MS - 1)
    assert taken(outbox, NOW_MS + LEASE_MS)


def test_a_clock_that_is_set_back_holds_no_notice_back(outbox: NoticeOutbox) -> None:
    """Neither a lease nor a waiting time that lies in the future delays it."""
    ahead_ms = NOW_MS + 300 * 24 * HOUR_MS
    outbox.add([queued("n1"), queued("n2")], ahead_ms)
    first, second = outbox.take(ahead_ms, LEASE_MS)
    outbox.settle([first], DOWN, ahead_ms)
    assert second.state == "waiting"
    assert taken(outbox, NOW_MS) == {"n1", "n2"}


def test_receivers_in_work_are_left_out(outbox: NoticeOutbox) -> None:
    outbox.add([queued("n1", "office"), queued("n2", "duty")], NOW_MS)
    assert [e.queued.receiver for e in outbox.take(NOW_MS, LEASE_MS, ["office"])] == ["duty"]


def test_an_unreachable_receiver_is_tried_for_weeks_at_waits_up_to_ten_minutes(
    outbox: NoticeOutbox,
) -> None:
    outbox.add([queued()], NOW_MS)
    now_ms, waits = NOW_MS, []
    while now_ms < NOW_MS + 14 * 24 * HOUR_MS:
        outbox.settle(outbox.take(now_ms, LEASE_MS), DOWN, now_ms)
        (entry,) = outbox.entries("waiting")
        waits.append(entry.queued.due_ms - now_ms)
        now_ms = entry.queued.due_ms
        if len(waits) > 10:
            now_ms += 24 * HOUR_MS
    assert waits[:8] == [10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]
    outbox.settle(outbox.take(now_ms, LEASE_MS), SENT, now_ms)
    assert outbox.counts() == {("office", "sent"): 1}


def test_whatever_waits_for_a_receiver_is_due_once_one_notice_got_through(
    outbox: NoticeOutbox,
) -> None:
    outbox.add([queued("n1"), queued("n2", receiver="duty"), queued("n3")], NOW_MS)
    outbox.settle(outbox.take(NOW_MS, LEASE_MS), DOWN, NOW_MS)
    outbox.add([queued("n4"), queued("n5", due_ms=NOW_MS + HOUR_MS)], NOW_MS)
    outbox.settle(outbox.take(NOW_MS, LEASE_MS), SENT, NOW_MS + 1)
    assert taken(outbox, NOW_MS + 1) == {"n1", "n3"}


def test_a_refused_notice_is_given_up_after_a_day_of_tries_with_its_reason(
    outbox: NoticeOutbox,
) -> None:
    outbox.add([queued()], NOW_MS)
    now_ms, tries = NOW_MS, 0
    while entries := outbox.take(now_ms, LEASE_MS):
        outbox.settle(entries, REFUSED, now_ms)
        tries += 1
        waiting = outbox.entries("waiting")
        now_ms = waiting[0].queued.due_ms if waiting else now_ms + 1
    (entry,) = outbox.entries("given_up")
    assert (entry.reason, entry.tries, tries) == ("HTTP 404", 8, 8)
    assert GIVE_UP_MS <= entry.done_ms - NOW_MS < 2 * GIVE_UP_MS


def test_what_is_done_stays_for_a_month_and_what_waits_for_ever(outbox: NoticeOutbox) -> None:
    outbox.add([queued("n1"), queued("n2", receiver="duty")], NOW_MS)
    done = [e for e in outbox.take(NOW_MS, LEASE_MS) if e.queued.receiver == "office"]
    outbox.settle(done, SENT, NOW_MS)
    assert outbox.prune(NOW_MS + KEEP_MS) == 0
    assert outbox.prune(NOW_MS + KEEP_MS + 1) == 1
    assert outbox.counts() == {("duty", "waiting"): 1}


def test_a_question_creates_no_file(outbox: NoticeOutbox, tmp_path: Path) -> None:
    assert (outbox.entries("waiting"), outbox.counts(), taken(outbox)) == ([], {}, set())
    assert not (tmp_path / "site").exists()


def test_the_id_of_the_copy_lasts_as_long_as_the_file(outbox: NoticeOutbox, tmp_path: Path) -> None:
    again = NoticeOutbox(tmp_path / "site" / "outbox.sqlite")
    other = NoticeOutbox(tmp_path / "other" / "outbox.sqlite")
    assert outbox.copy() == again.copy() != other.copy()


def test_a_file_that_is_none_of_ours_is_said_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_text("no database")
    with pytest.raises(OutboxUnavailable, match=r"outbox\.sqlite can't be used"):
        NoticeOutbox(tmp_path / "outbox.sqlite").add([queued()], NOW_MS)


@pytest.mark.server
def test_a_full_disk_takes_hundreds_of_notices_then_says_so_and_works_once_there_is_room(
    tmp_path: Path,
) -> None:
    with (
        mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4m", "tmpfs") as disk,
        closing(NoticeOutbox(disk / "outbox.sqlite")) as outbox,
    ):
        outbox.copy()
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        added, said = 0, ""
        while not said:
            try:
                added += outbox.add([queued(f"n{added}")], NOW_MS)
            except OutboxUnavailable as error:
                said = str(error)
        assert "full" in said
        assert added >= 300
        (disk / "filler").unlink()
        assert outbox.add([queued("last")], NOW_MS) == 1
        assert outbox.counts() == {("office", "waiting"): added + 1}


_WRITER = """
import sys
from pathlib import Path
from analytics.alerts.delivery.notice_outbox import NoticeOutbox
from analytics.alerts.delivery.retry_plan import Outcome
from tests.analytics.alerts.delivery.notices import NOW_MS, queued

outbox, number = NoticeOutbox(Path(sys.argv[1])), int(sys.argv[2])
while True:
    outbox.add([queued(f"n{number}")], NOW_MS)
    print("added", number, flush=True)
    if number % 2:
        entries = [e for e in outbox.take(NOW_MS, 0) if e.queued.notice.id == f"n{number}"]
        outbox.settle(entries, Outcome("sent"), NOW_MS)
        print("sent", number, flush=True)
    number += 1
"""


@pytest.mark.server
def test_whatever_was_added_is_there_after_the_process_was_killed_at_any_moment(
    tmp_path: Path,
) -> None:
    """Entries reported as added are waiting or sent; entries reported as sent are not waiting."""
    path = tmp_path / "outbox.sqlite"
    said: dict[str, set[int]] = {"added": set(), "sent": set()}
    for round_number, lines in enumerate((1, 4, 7, 30, 61)):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(round_number * 1000)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        )
        assert process.stdout is not None
        for _ in range(lines):
            word, number = process.stdout.readline().split()
            said[word].add(int(number))
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                word, number = line.split()
                said[word].add(int(number))
        process.wait()
        process.stdout.close()
    outbox = NoticeOutbox(path)
    waiting = {int(e.queued.notice.id[1:]) for e in outbox.entries("waiting")}
    sent = {int(e.queued.notice.id[1:]) for e in outbox.entries("sent")}
    assert said["added"] <= waiting | sent
    assert said["sent"] <= sent
    assert not waiting & sent
