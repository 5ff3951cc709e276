"""The state of one poll of one meter, and the counts of all polls of a bus. Pure.

Laws:

1. The duration of a poll is counted from its first request. The bus is busy for longer: it may have
   to wait before the first request, for a late reply of another meter.
2. A poll is complete only if every read was requested and answered.
3. If replies carry no number, and a reply proves to belong to another request, the earlier replies
   of the poll with the same shape are discarded as well.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edge_agent.polling.meter_state import MeterState, ReadState
from edge_agent.protocols.request_reply import Reply
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.errors import LinkDown, LinkError, PeerError


class ReadFailure(NamedTuple):
    """A read without an answer.

    Attributes:
        error: error of the link or of the reply.
        read: the read.
    """

    error: LinkError | PeerError
    read: Read


class Poll(msgspec.Struct):
    """The state of one poll.

    Attributes:
        meter_state: polling state of the meter.
        reads: the reads that are due, each with its breaker and fault.
        order: indexes of the reads in the order in which they are requested.
        replies: reply to each read; None for a read without one.
        began_s: time on the monotonic clock from which the bus is busy with the poll.
        requests_before: number of requests sent on the bus before this poll.
        first_request_s: time at which the first request was sent; None if none was.
        failure: last failure that concerns the meter or the link; None if there was none.
        complete: True if every read was requested and answered.
        busy_retries: number of pauses made because the meter was busy.
    """

    meter_state: MeterState
    reads: tuple[ReadState, ...]
    order: Sequence[int]
    replies: list[Reply | None]
    began_s: float
    requests_before: int
    first_request_s: float | None = None
    failure: ReadFailure | None = None
    complete: bool = True
    busy_retries: int = 0

    def duration_s(self, ended_s: float) -> float:
        """Return the time since the first request [s]; since the beginning if none was sent."""
        return ended_s - (self.began_s if self.first_request_s is None else self.first_request_s)

    def discard_ambiguous_replies(self, number: int) -> None:
        """Discard earlier replies that may belong to another request, after a stray reply.

        If the reply to a request belongs to another one, the reply to the request before it may
        also be wrong, if it has the same shape; and so on for the requests before.
        """
        before = list(self.order[: self.order.index(number)])
        shapes = [self.reads[index].read.reply_shape for index in before]
        while len(before) > 1 and shapes[len(before) - 2] == shapes[len(before) - 1]:
            self.replies[before.pop()] = None

    @property
    def answered(self) -> bool:
        """True if any read was answered."""
        return any(self.replies)

    @property
    def found_link_down(self) -> bool:
        """True if the link was down before anything was read."""
        is_down = self.failure is not None and isinstance(self.failure.error, LinkDown)
        return is_down and not self.answered


class PollCounts(msgspec.Struct):
    """Counts of a bus's finished polls since the agent started.

    Attributes:
        ok: number of polls in which every read was answered.
        failed: number of all other polls.
        busy_s: total time for which the bus was busy with polls, including waits.
    """

    ok: int = 0
    failed: int = 0
    busy_s: float = 0.0

    def add(self, busy_s: float, complete: bool) -> None:
        """Count one finished poll."""
        self.busy_s += busy_s
        if complete:
            self.ok += 1
        else:
            self.failed += 1
