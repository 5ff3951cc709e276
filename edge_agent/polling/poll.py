"""The state of one poll of one meter, and the counts of all polls of a bus. Pure.

Law: what a poll took is the meter's, from the first question that was sent; what the bus was busy
for is more, with all that it waited for before that. A poll is complete only if every read was
asked for and answered. Where replies carry no number, an answer that turns out to be another
question's takes with it those before it that can't be told from it.
"""

from typing import NamedTuple

import msgspec

from edge_agent.polling.meter_state import MeterState, ReadState
from edge_agent.protocols.request_reply import Reply
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.errors import LinkDown, LinkError, PeerError


class Trouble(NamedTuple):
    """The reason why a read has no answer.

    Attributes:
        error: what the link or the reply said.
        read: which one.
    """

    error: LinkError | PeerError
    read: Read


class Poll(msgspec.Struct):
    """The state of one poll.

    Attributes:
        polled: whose it is.
        asked: what for.
        replies: to all reads, None where there is none.
        began_s: on the monotonic clock: from then on the bus was busy with it, if only with waiting
            until it may be asked.
        before: questions that the bus had been asked until then.
        asked_s: when its first question was sent; None where none was.
        trouble: the last that says something about meter or link; None where all is well.
        complete: every read was asked for and answered.
        pauses: that were made for a busy meter.
    """

    polled: MeterState
    asked: tuple[ReadState, ...]
    replies: list[Reply | None]
    began_s: float
    before: int
    asked_s: float | None = None
    trouble: Trouble | None = None
    complete: bool = True
    pauses: int = 0

    def duration_s(self, ended_s: float) -> float:
        """Return the time since the first request, or since the first attempt if none was sent.

        What the link waited for before that is mostly the answer of another meter.
        """
        return ended_s - (self.began_s if self.asked_s is None else self.asked_s)

    def discard_ambiguous_replies(self, number: int) -> None:
        """Discard earlier replies that may belong to another request, after a stray reply.

        Then neither did what came for that, if it is like the one before it in turn; and so on.
        """
        reads = [state.read for state in self.asked[:number]]
        while len(reads) > 1 and reads[-2].reply_shape == reads[-1].reply_shape:
            reads.pop()
            self.replies[len(reads)] = None

    @property
    def answered(self) -> bool:
        """True if any read was answered."""
        return any(self.replies)

    @property
    def found_link_down(self) -> bool:
        """True if the link was down before anything was read."""
        down = self.trouble is not None and isinstance(self.trouble.error, LinkDown)
        return down and not self.answered


class PollCounts(msgspec.Struct):
    """Counts of a bus's finished polls since the agent started.

    Attributes:
        ok: every read was answered.
        failed: one was not.
        seconds: that the bus was busy with all of them, its waits included.
    """

    ok: int = 0
    failed: int = 0
    seconds: float = 0.0

    def add(self, lasted_s: float, complete: bool) -> None:
        """Count one finished poll."""
        self.seconds += lasted_s
        if complete:
            self.ok += 1
        else:
            self.failed += 1
