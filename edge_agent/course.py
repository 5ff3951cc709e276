"""How one poll goes, and what all of a bus came to. Pure: what happened is written in."""

from typing import NamedTuple

import msgspec

from edge_agent.meter import Heard
from edge_agent.protocols import Reply
from edge_agent.standing import Registers, Standing
from jieneng.metering.errors import LinkDown, LinkError, PeerError
from jieneng.metering.read_plan import Read
from jieneng.metering.reading import MILLISECONDS


class Trouble(NamedTuple):
    """Why a read has no answer.

    Attributes:
        error: what the link or the reply said.
        read: which one.
    """

    error: LinkError | PeerError
    read: Read


class Course(msgspec.Struct):
    """How one poll goes.

    Attributes:
        polled: whose it is.
        asked: what for.
        replies: to all reads, None where there is none.
        began_s: on the monotonic clock.
        ended_s: as long as it goes on, when it began.
        trouble: the last that says something about meter or link; None where all is well.
        complete: every read was asked for and answered.
        attempts: questions, repeated ones included.
        pauses: that were made for a busy meter.
    """

    polled: Standing
    asked: tuple[Registers, ...]
    replies: list[Reply | None]
    began_s: float
    ended_s: float
    trouble: Trouble | None = None
    complete: bool = True
    attempts: int = 0
    pauses: int = 0

    @property
    def lasted_s(self) -> float:
        """From the first question to the last answer or time-out."""
        return self.ended_s - self.began_s

    def heard(self, time_ms: int) -> Heard:
        """What is handed on of it, with its stamp."""
        meter, took_ms = self.polled.meter, round(MILLISECONDS * self.lasted_s)
        return Heard(meter, meter.due, self.replies, time_ms, self.complete, took_ms, self.attempts)

    @property
    def answered(self) -> bool:
        """Whether anything was read."""
        return any(self.replies)

    @property
    def is_in_vain(self) -> bool:
        """Whether the link was down before anything was read."""
        down = self.trouble is not None and isinstance(self.trouble.error, LinkDown)
        return down and not self.answered


class PollCounts(msgspec.Struct):
    """What a bus's polls came to, since the agent started.

    Attributes:
        ok: every read was answered.
        failed: one was not.
        seconds: spent on all of them.
    """

    ok: int = 0
    failed: int = 0
    seconds: float = 0.0

    def add(self, course: Course) -> None:
        """One more has ended."""
        self.seconds += course.lasted_s
        if course.complete:
            self.ok += 1
        else:
            self.failed += 1
