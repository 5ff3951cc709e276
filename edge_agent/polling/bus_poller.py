"""The talk on a bus: wait until a meter is due, ask it, hand on what it said. Sees no socket.

Laws:

1. One question at a time. A silent meter costs its neighbours one time-out, less and less often.
   One that answers in part is not silent; one that can't be understood five times in a row is
   asked less, too. A link that is down is no meter's failure, and costs no meter its slot as long
   as that lasts; it is down, too, where one meter after the other is hung up on, until none is
   left. Less than that are meters for which a gateway hangs up.
2. After a silence or a wrong reply, the same meter is not asked for anything more before its next
   slot: what comes late now could be the answer to any of its questions. Where replies carry no
   number, its next answer counts only if it stays alone up to its deadline; and one that turns out
   to be another question's spoils those before it that could be as well.
3. Every poll is handed on in the moment in which it ends, with what was heard, be that nothing.
4. A question is repeated only where that is safe and cheap: once where the link turned out to have
   been closed while idle, and after a short pause where the meter is busy, within the meter's share
   of the bus's time.
5. Registers that a meter refuses as not being there are a mistake in its model or in the site: said
   once, and from then on only asked for now and then, because a gateway that starts up may say the
   same. The meter's other registers go on.
"""

from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Final, Protocol, TypeAlias

from edge_agent.polling.circuit_breaker import TRIP, CircuitBreaker
from edge_agent.polling.meter_state import UNPOLLED, MeterState, ReadState
from edge_agent.polling.poll import Poll, PollCounts, Trouble
from edge_agent.polling.poll_slots import PollSlots
from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.polling.schedule import Schedule
from edge_agent.protocols.request_reply import (
    Ask,
    Exchange,
    Meaning,
    Pause,
    Reply,
    Talk,
    checked_for_second_reply,
)
from jieneng.clock import Clock
from jieneng.metering.errors import (
    HungUp,
    LinkDown,
    LinkError,
    PeerError,
    ReplyError,
    Silent,
    StrayReply,
    TurnedAway,
)
from jieneng.metering.reading import MILLISECONDS
from jieneng.metering.site import Link as LinkKind
from jieneng.observe import Log, LoggedFault

_REOPEN_S: Final = 1.0  # a link that can't be opened is tried again after this, doubling ...
_REOPEN_LONGEST_S: Final = 30.0  # ... up to this
_BUSY_PAUSES_S: Final = (0.1, 0.2)  # before a busy meter is asked again, in one poll
_NOW_S: Final = 0.001  # what is due so soon is due: a loop's timers are no finer

_Part: TypeAlias = Generator[Ask | Pause, Reply | None, bool]


class Link(Protocol):
    """The part of a link that the poller uses."""

    async def converse(self, talk: Talk, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Drive a talk to its end; its pauses are slept with `sleep`."""

    def close(self) -> None:
        """Let go of the connection."""


class BusPoller:
    """Polls the meters of one bus.

    Attributes:
        bus: its id.
        counts: what its polls came to.
        link_fault: that there is no way to its meters.
        polled: how each meter stands with it, by id.
    """

    def __init__(
        self,
        bus: str,
        meters: Iterable[PolledMeter],
        *,
        phase: str,
        wave: int = 0,
        link: Link,
        link_kind: LinkKind,
        clock: Clock,
        slots: PollSlots | None = None,
        on_result: Callable[[PollResult], None],
        log: Log,
    ) -> None:
        """Poll them, once it runs.

        Args:
            bus: its id.
            meters: on it.
            phase: whose phase they are polled at (`schedule`) ...
            wave: ... and in which of its waves.
            link: to them.
            link_kind: kind of that link, which decides how each meter's protocol is framed.
            clock: when.
            slots: of that clock, which all buses look at together; its own where None.
            on_result: takes what each poll heard.
            log: for faults.
        """
        self.bus: Final = bus
        self.counts = PollCounts()
        self._phase = phase
        self._wave = wave
        self._link = link
        self._link_kind: Final = link_kind
        self._clock = clock
        self._slots = slots or PollSlots(clock.now_ms(), clock.monotonic())
        self._on_result = on_result
        self._asked = 0  # questions so far
        self._turned_away: set[str] = set()  # since anything answered: meters hung up on
        self._link_breaker = CircuitBreaker(_REOPEN_S, _REOPEN_LONGEST_S)
        self.link_fault = LoggedFault(
            log, "link is down", after=TRIP, now_s=clock.monotonic, bus=bus
        )
        self.polled = {
            one.id: MeterState(one, bus, link_kind, log, clock.monotonic) for one in meters
        }

    def take_over(self, previous: "BusPoller") -> None:
        """Continue from a previous poller's state after a reload, for unchanged meters."""
        self.counts = previous.counts
        self.link_fault = previous.link_fault
        for name, known in previous.polled.items():
            mine = self.polled.get(name)
            if mine is not None and mine.meter.made_of == known.meter.made_of:
                known.change_link(self._link_kind)
                self.polled[name] = known
            else:
                known.retire()

    def retire(self) -> None:
        """End all faults, because the bus is no longer polled."""
        self.link_fault.end(why=UNPOLLED)
        for known in self.polled.values():
            known.retire()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            await self._link.converse(self._poll_meters(), self._clock.sleep)
        finally:
            self._link.close()

    def _poll_meters(self) -> Talk:
        now_s = self._read_clocks()
        schedule = Schedule(
            [(polled.meter.id, polled.meter.interval_s) for polled in self.polled.values()],
            phase=self._phase,
            wave=self._wave,
            ahead_s=self._ahead_s,
            now_s=now_s,
            slots=self._slots,
        )
        while True:
            meter, slot = schedule.next(now_s)
            soon_s = now_s + _NOW_S
            if slot.due_s > soon_s or self._link_breaker.not_before_s > soon_s:
                yield Pause(max(slot.due_s, self._link_breaker.not_before_s) - now_s)
                now_s = self._read_clocks()
                continue  # others may be due as well by now
            polled = self.polled[meter]
            reads = polled.ask(slot.number)
            poll = Poll(polled, reads, [None] * len(reads), now_s, self._asked)
            for number, read in enumerate(reads):
                if read.breaker.not_before_s > now_s:
                    poll.complete = False
                    continue
                self._asked += 1
                try:
                    poll.replies[number] = yield self._exchange(poll, read)
                except (LinkError, PeerError) as error:
                    if not (yield from self._retry(poll, number, error)):
                        break
                else:
                    polled.owes = False
                    if read.fault.times:
                        read.clear_fault()
            had_turn = self._finish(poll)
            now_s = self._read_clocks()
            if not had_turn and now_s < slot.ends_s:
                continue  # it has its turn when the link is back
            schedule.done(now_s, not_before_s=polled.not_before_s, failures=polled.breaker.failures)

    def _read_clocks(self) -> float:
        """Read both clocks and return the monotonic time [s]."""
        now_s = self._clock.monotonic()
        self._slots.look(self._clock.now_ms(), now_s)
        return now_s

    def _ahead_s(self) -> float:
        """Return how far UTC is ahead of the monotonic clock [s]."""
        return self._clock.now_ms() / MILLISECONDS - self._clock.monotonic()

    def _retry(self, poll: Poll, number: int, error: LinkError | PeerError) -> _Part:
        """Repeat an unanswered read if that is safe and cheap.

        Returns:
            True if the meter may be asked for more.
        """
        read = poll.asked[number]
        reopened = False
        while True:
            if isinstance(error, HungUp) and not reopened:
                reopened = True
            elif (pause_s := self._pause_s(poll, error)) is not None:
                yield Pause(pause_s)
            else:
                return self._record_failure(poll, number, error)
            self._asked += 1
            try:
                poll.replies[number] = yield self._exchange(poll, read)
            except (LinkError, PeerError) as another:
                error = another
            else:
                poll.polled.owes = False
                read.clear_fault()
                return True

    def _exchange(self, poll: Poll, read: ReadState) -> Ask:
        """Return the request of a read, checked for a second reply if a late one may still come."""
        steps = read.request.exchange(self._asked)
        if poll.asked_s is None:
            steps = self._note_first_request(poll, steps)
        if poll.polled.owes:
            steps = checked_for_second_reply(steps)
        return Ask(steps, poll.polled.framing)

    def _note_first_request(self, poll: Poll, steps: Exchange) -> Exchange:
        """Note when the first request is sent; a link may wait before it sends one."""
        poll.asked_s = self._clock.monotonic()
        return (yield from steps)

    def _pause_s(self, poll: Poll, error: LinkError | PeerError) -> float | None:
        """Return the pause before a busy meter is asked again [s]; None if it is not any more."""
        is_busy = poll.polled.framing.meaning(error) is Meaning.BUSY
        if not is_busy or poll.pauses == len(_BUSY_PAUSES_S):
            return None
        pause_s = _BUSY_PAUSES_S[poll.pauses]
        poll.pauses += 1
        until_s = poll.began_s + poll.polled.meter.interval_s / len(self.polled)
        return pause_s if self._clock.monotonic() + pause_s <= until_s else None

    def _record_failure(self, poll: Poll, number: int, error: LinkError | PeerError) -> bool:
        """Record that a read has no answer; return True if the meter may be asked for more."""
        poll.complete = False
        framing = poll.polled.framing
        if not framing.numbered:
            if isinstance(error, Silent):
                poll.polled.owes = True
            elif isinstance(error, StrayReply):
                poll.discard_ambiguous_replies(number)
        state = poll.asked[number]
        meaning = framing.meaning(error)
        if meaning is Meaning.NOT_THERE:
            state.refused(error, self._clock.monotonic())
            return True
        poll.trouble = Trouble(self._interpret(poll, error), state.read)
        return meaning not in _SILENT

    def _interpret(self, poll: Poll, error: LinkError | PeerError) -> LinkError | PeerError:
        """Return the error, or LinkDown if every meter of the bus was turned away in a row."""
        if not isinstance(error, TurnedAway) or poll.answered:
            return error
        self._turned_away.add(poll.polled.meter.id)
        if len(self._turned_away) < len(self.polled):
            return error
        return LinkDown("no meter is reached: {error}", error=error)

    def _finish(self, poll: Poll) -> bool:
        """Hand on the result of a poll, and update the states of meter and link.

        Returns:
            False if the link was down, so that the meter keeps its turn.
        """
        meter = poll.polled.meter
        if poll.trouble is None:  # registers that are not there must not keep the others due
            meter.mark_complete()
        attempts = self._asked - poll.before
        if not attempts:
            return True
        ended_s = self._clock.monotonic()
        self.counts.add(ended_s - poll.began_s, poll.complete)
        self._remember(poll, ended_s)
        replies, complete = poll.replies, poll.complete
        stamp = meter.stamp(replies)
        time_ms = self._clock.now_ms() if stamp is None else stamp.time_ms
        lasted_ms = round(MILLISECONDS * poll.duration_s(ended_s))
        self._on_result(
            PollResult(meter, meter.due, replies, time_ms, complete, lasted_ms, attempts)
        )
        return not poll.found_link_down

    def _remember(self, poll: Poll, ended_s: float) -> None:
        polled, trouble = poll.polled, poll.trouble
        if trouble is not None and isinstance(trouble.error, LinkDown):
            self._link_breaker.failed(ended_s)
            self.link_fault.happened(trouble.error)
            return
        if self.link_fault.times:
            self._link_breaker.answered()
            self.link_fault.over()
        if trouble is None:
            self._turned_away.clear()
            if polled.fault.times:
                polled.answered()
                polled.fault.over()
            return
        error, read = trouble
        if not isinstance(error, TurnedAway):
            self._turned_away.clear()
        polled.fault.happened(error, **read.log_fields)
        if poll.answered or polled.framing.meaning(error) not in _SILENT:
            polled.answered()
        elif isinstance(error, ReplyError):
            polled.breaker.answered()
            polled.garble.failed(ended_s)
        else:
            polled.breaker.failed(ended_s)


#: The meter itself did not answer, and is not asked for anything else in this poll.
_SILENT: Final = frozenset({Meaning.NO_ANSWER, Meaning.UNREACHABLE})
