"""Define the entries of the outbox, and join them into messages. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from analytics.alerts.alert import Notice
from analytics.alerts.delivery.retry_plan import RetryState

#: States of an entry: `waiting` (for its due time or its next try), `sent`, or `given_up`.
EntryState = Literal["waiting", "sent", "given_up"]

#: If more notices than this are due for a receiver at once, they are joined into one message.
MAX_SINGLE: Final = 3
#: Greatest number of notices in one message.
MAX_JOINED: Final = 10


class QueuedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice for one receiver.

    Attributes:
        notice: the notice.
        receiver: id of the receiver.
        due_ms: time from which on the notice may be sent [UTC, ms].
        is_digest: True if the notice is sent in a digest.
    """

    notice: Notice
    receiver: str
    due_ms: int
    is_digest: bool = False


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the outbox.

    Attributes:
        id: number of the entry.
        queued: the notice and its receiver; `due_ms` is the time of the next try.
        state: state of the entry.
        tries: number of tries.
        retry: the failed tries.
        added_ms: time at which the entry was added [UTC, ms].
        done_ms: time at which the entry was sent or given up [UTC, ms]; 0 while it waits.
        reason: reason of the last failure, a msgid; empty without one.
    """

    id: int
    queued: QueuedNotice
    state: EntryState
    tries: int = 0
    retry: RetryState = RetryState()
    added_ms: int
    done_ms: int = 0
    reason: str = ""


def messages(entries: Iterable[OutboxEntry]) -> list[tuple[OutboxEntry, ...]]:
    """Return the entries of one receiver as messages, in the order in which they are sent.

    Critical notices come first, then other notices, then notices of a digest; within each of these,
    the oldest comes first. Notices of a digest are joined into one message. So are other notices if
    many are due at once, e.g. after a network outage, because messengers block a robot that sends
    too many messages.
    """
    ordered = sorted(entries, key=lambda entry: (entry.queued.notice.at_ms, entry.id))
    groups: tuple[list[OutboxEntry], ...] = ([], [], [])
    for entry in ordered:
        is_critical = entry.queued.notice.severity == "critical"
        groups[2 if entry.queued.is_digest else 0 if is_critical else 1].append(entry)
    *single, digest = groups
    found: list[tuple[OutboxEntry, ...]] = []
    for group in single:
        found += batched(group, MAX_JOINED if len(group) > MAX_SINGLE else 1)
    return [*found, *batched(digest, MAX_JOINED)]


def batched(entries: Sequence[OutboxEntry], size: int) -> list[tuple[OutboxEntry, ...]]:
    """Return the entries in parts of at most `size`."""
    return [tuple(entries[at : at + size]) for at in range(0, len(entries), size)]


def receivers_of(entries: Sequence[OutboxEntry]) -> dict[str, list[OutboxEntry]]:
    """Return the entries by receiver."""
    found: dict[str, list[OutboxEntry]] = {}
    for entry in entries:
        found.setdefault(entry.queued.receiver, []).append(entry)
    return found
