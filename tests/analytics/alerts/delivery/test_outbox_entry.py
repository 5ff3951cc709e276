"""Notices that are due for a receiver are sent alone or joined."""

from msgspec.structs import replace

from analytics.alerts.alert_rule import Severity
from analytics.alerts.delivery.outbox_entry import OutboxEntry, QueuedNotice, messages
from tests.analytics.alerts.delivery.notices import NOW_MS, notice


def entry(number: int, *, severity: Severity = "warning", is_digest: bool = False) -> OutboxEntry:
    queued = QueuedNotice(
        notice=notice(f"n{number}", severity=severity, at_ms=NOW_MS + number),
        receiver="office",
        due_ms=NOW_MS,
        is_digest=is_digest,
    )
    return OutboxEntry(id=number, queued=queued, state="waiting", added_ms=NOW_MS)


def numbers(entries: list[OutboxEntry]) -> list[list[int]]:
    return [[one.id for one in message] for message in messages(entries)]


def test_a_few_notices_are_sent_one_by_one_in_the_order_of_time() -> None:
    assert numbers([entry(3), entry(1), entry(2)]) == [[1], [2], [3]]


def test_many_that_wait_are_joined_by_ten_and_critical_ones_come_first_alone() -> None:
    waiting = [entry(number) for number in range(12)]
    waiting += [entry(20, severity="critical"), entry(21, severity="critical")]
    assert numbers(waiting) == [[20], [21], list(range(10)), [10, 11]]


def test_a_digest_is_one_message_even_of_two() -> None:
    assert numbers([entry(1, is_digest=True), entry(2), entry(3, is_digest=True)]) == [[2], [1, 3]]
    assert numbers([]) == []


def test_the_order_is_that_of_the_events_and_not_of_the_queue() -> None:
    late = entry(9)
    late = replace(late, queued=replace(late.queued, notice=notice("late", at_ms=NOW_MS - 1)))
    assert numbers([entry(1), late]) == [[9], [1]]
