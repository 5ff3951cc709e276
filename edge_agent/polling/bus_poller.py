"""Poll the meters of one bus: wait until a meter is due, read it, report the result. No sockets.

Laws:

1. There is one request at a time. A silent meter delays the others by one time-out, and is polled
   less and less often (`meter_state`). While a link is down, a meter that is due keeps its slot
   until the slot ends (`link_state`).
2. After a time-out or an invalid reply, the meter is not read further until its next slot. A reply
   that arrives late could otherwise be taken for the reply to a later request. If replies carry no
   number, these rules apply, too:
   - If possible, the next poll begins with a request whose reply differs in shape from the late
     one (`MeterState.request_order`).
   - Until a poll succeeds, a reply that may be the late one is accepted only if no second reply
     arrives before the deadline.
   - If a reply proves to belong to another request, earlier replies of the poll that may be wrong
     for the same reason are discarded (`poll`).
3. The result of every poll is reported when the poll ends, even if it has no reply.
4. A request is repeated in two cases only: once, if the idle connection had been closed; and after
   a short pause, if the meter is busy and its share of the bus time is not used up.
"""

from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Final, Protocol, TypeAlias

from edge_agent.polling.link_state import LinkState
from edge_agent.polling.meter_state import UNPOLLED, MeterState, ReadState
from edge_agent.polling.poll import Poll, PollCounts, ReadFailure
from edge_agent.polling.poll_slots import PollSlots
from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.polling.schedule import Schedule
from edge_agent.protocols.request_reply import (
    Ask,
    Exchange,
    FailureKind,
    Pause,
    Reply,
    Talk,
    checked_for_second_reply,
)
from jieneng.clock import Clock
from jieneng.metering.errors import (
    IdleLinkClosed,
    LinkDown,
    LinkError,
    PeerError,
    ReplyError,
    ReplyTimedOut,
    StrayReply,
)
from jieneng.metering.reading import MILLISECONDS
from jieneng.metering.site import LinkKind
from jieneng.observe import Log

_BUSY_PAUSES_S: Final = (0.1, 0.2)  # pauses before a request to a busy meter is repeated
_TIMER_RESOLUTION_S: Final = 0.001  # a poll that is due within this is due now

#: Kinds of failure after which the meter is not read further in this poll.
_SILENT: Final = frozenset({FailureKind.NO_ANSWER, FailureKind.UNREACHABLE})

#: Part of a talk, as a generator. It returns True if the meter may be read further.
_RetrySteps: TypeAlias = Generator[Ask | Pause, Reply | None, bool]


class Link(Protocol):
    """The part of a link that the poller uses."""

    async def converse(self, talk: Talk, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Run all exchanges and pauses of a talk; `sleep` makes the pauses."""

    def close(self) -> None:
        """Close the connection."""


class BusPoller:
    """Polls the meters of one bus.

    Attributes:
        bus: id of the bus.
        counts: counts of finished polls.
        link_state: polling state of the link.
        meter_states: polling state of each meter, by id.
    """

    def __init__(
        self,
        bus: str,
        meters: Iterable[PolledMeter],
        *,
        phase_key: str,
        start_group: int = 0,
        link: Link,
        link_kind: LinkKind,
        clock: Clock,
        slots: PollSlots | None = None,
        on_result: Callable[[PollResult], None],
        log: Log,
    ) -> None:
        """Create a poller; `run` starts polling.

        Args:
            bus: id of the bus.
            meters: meters of the bus.
            phase_key: name whose hash decides when in an interval the meters are polled
                (`schedule`).
            start_group: number of the group of buses that start at the same time; 0 for the first.
            link: link to the meters.
            link_kind: kind of the link; it decides the framing of each protocol.
            clock: the agent's clock.
            slots: poll slots, shared by all buses of the agent; new ones if None.
            on_result: called with the result of each poll.
            log: log for faults.
        """
        self.bus: Final = bus
        self.counts = PollCounts()
        self._phase_key = phase_key
        self._start_group = start_group
        self._link = link
        self._link_kind: Final = link_kind
        self._clock = clock
        self._slots = slots or PollSlots(clock.now_ms(), clock.monotonic())
        self._on_result = on_result
        self._requests = 0  # number of requests so far
        self.meter_states = {
            meter.id: MeterState(meter, bus, link_kind, log, clock.monotonic) for meter in meters
        }
        self.link_state = LinkState(bus, len(self.meter_states), log, clock.monotonic)

    def take_over(self, previous: "BusPoller") -> None:
        """Continue from a previous poller's state after a reload, for unchanged meters."""
        self.counts = previous.counts
        self.link_state.fault = previous.link_state.fault
        for name, state in previous.meter_states.items():
            new_state = self.meter_states.get(name)
            if new_state is not None and new_state.meter.definition == state.meter.definition:
                state.change_link(self._link_kind)
                self.meter_states[name] = state
            else:
                state.retire()

    def retire(self) -> None:
        """End all faults, because the bus is no longer polled."""
        self.link_state.fault.end(why=UNPOLLED)
        for state in self.meter_states.values():
            state.retire()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            await self._link.converse(self._poll_meters(), self._clock.sleep)
        finally:
            self._link.close()

    def _poll_meters(self) -> Talk:
        now_s = self._read_clocks()
        schedule = Schedule(
            [(name, state.meter.interval_s) for name, state in self.meter_states.items()],
            phase_key=self._phase_key,
            start_group=self._start_group,
            clock_offset_s=self._clock_offset_s,
            now_s=now_s,
            slots=self._slots,
        )
        link_breaker = self.link_state.breaker
        while True:
            meter, slot = schedule.next(now_s)
            due_now_s = now_s + _TIMER_RESOLUTION_S
            if slot.due_s > due_now_s or link_breaker.not_before_s > due_now_s:
                yield Pause(max(slot.due_s, link_breaker.not_before_s) - now_s)
                now_s = self._read_clocks()
                continue  # meanwhile another meter may have become due
            state = self.meter_states[meter]
            reads = state.reads_due(slot.number)
            order = state.request_order(reads)
            poll = Poll(state, reads, order, [None] * len(reads), now_s, self._requests)
            for number in order:
                read = reads[number]
                if read.breaker.not_before_s > now_s:
                    poll.complete = False
                    continue
                self._requests += 1
                try:
                    poll.replies[number] = yield self._exchange(poll, read)
                except (LinkError, PeerError) as error:
                    if not (yield from self._retry(poll, number, error)):
                        break
                else:
                    if read.fault.occurrences:
                        read.clear_fault()
            self._finish(poll)
            now_s = self._read_clocks()
            if poll.found_link_down and now_s < slot.ends_s:
                continue  # the meter keeps its slot until the link is back
            schedule.reschedule(
                now_s,
                not_before_s=state.not_before_s,
                failures=state.silence_breaker.failures,
            )

    def _read_clocks(self) -> float:
        """Read both clocks and return the monotonic time [s]."""
        now_s = self._clock.monotonic()
        self._slots.update(self._clock.now_ms(), now_s)
        return now_s

    def _clock_offset_s(self) -> float:
        """Return UTC minus the time of the monotonic clock [s]."""
        return self._clock.now_ms() / MILLISECONDS - self._clock.monotonic()

    def _retry(self, poll: Poll, number: int, error: LinkError | PeerError) -> _RetrySteps:
        """Repeat an unanswered read if that is safe and cheap.

        Returns:
            True if the meter may be read further.
        """
        read = poll.reads[number]
        reopened = False
        while True:
            if isinstance(error, IdleLinkClosed) and not reopened:
                reopened = True
            elif (pause_s := self._busy_pause_s(poll, error)) is not None:
                yield Pause(pause_s)
            else:
                return self._record_failure(poll, number, error)
            self._requests += 1
            try:
                poll.replies[number] = yield self._exchange(poll, read)
            except (LinkError, PeerError) as next_error:
                error = next_error
            else:
                read.clear_fault()
                return True

    def _exchange(self, poll: Poll, read: ReadState) -> Ask:
        """Return the exchange of a read; if a late reply may come, with the check for a second."""
        steps = read.request.exchange(self._requests)
        if poll.first_request_s is None:
            steps = self._note_first_request(poll, steps)
        if poll.meter_state.may_be_late(read.read):
            may_follow = poll.meter_state.framing.may_follow_reply
            steps = checked_for_second_reply(steps, may_follow)
        return Ask(steps, poll.meter_state.framing)

    def _note_first_request(self, poll: Poll, steps: Exchange) -> Exchange:
        """Record the time of the first request; the link may wait before it sends the request."""
        poll.first_request_s = self._clock.monotonic()
        return (yield from steps)

    def _busy_pause_s(self, poll: Poll, error: LinkError | PeerError) -> float | None:
        """Return the pause before a request to a busy meter is repeated [s]; None for no repeat."""
        is_busy = poll.meter_state.framing.failure_kind(error) is FailureKind.BUSY
        if not is_busy or poll.busy_retries == len(_BUSY_PAUSES_S):
            return None
        pause_s = _BUSY_PAUSES_S[poll.busy_retries]
        poll.busy_retries += 1
        share_s = poll.meter_state.meter.interval_s / len(self.meter_states)
        return pause_s if self._clock.monotonic() + pause_s <= poll.began_s + share_s else None

    def _record_failure(self, poll: Poll, number: int, error: LinkError | PeerError) -> bool:
        """Record that a read has no answer; return True if the meter may be read further."""
        poll.complete = False
        state, read = poll.meter_state, poll.reads[number]
        if not state.framing.numbered:
            if isinstance(error, ReplyTimedOut):
                state.late_read = read.read
            elif isinstance(error, StrayReply):
                poll.discard_ambiguous_replies(number)
        kind = state.framing.failure_kind(error)
        if kind is FailureKind.NOT_THERE:
            read.record_refusal(error, self._clock.monotonic())
            return True
        if not poll.answered:
            error = self.link_state.classify(error, state.meter.id)
        poll.failure = ReadFailure(error, read.read)
        return kind not in _SILENT

    def _finish(self, poll: Poll) -> None:
        """Report the result of a poll, and update the states of meter and link."""
        meter = poll.meter_state.meter
        if poll.failure is None:  # missing registers must not keep the other quantities due
            meter.mark_complete()
            poll.meter_state.late_read = None
        attempts = self._requests - poll.requests_before
        if not attempts:
            return
        ended_s = self._clock.monotonic()
        self.counts.add(ended_s - poll.began_s, poll.complete)
        if poll.answered:
            poll.meter_state.answered_s = ended_s
        self._update_states(poll, ended_s)
        replies, complete = poll.replies, poll.complete
        timestamp_reply = meter.timestamp_reply(replies)
        time_ms = self._clock.now_ms() if timestamp_reply is None else timestamp_reply.time_ms
        duration_ms = round(MILLISECONDS * poll.duration_s(ended_s))
        self._on_result(
            PollResult(meter, meter.due_cadences, replies, time_ms, complete, duration_ms, attempts)
        )

    def _update_states(self, poll: Poll, now_s: float) -> None:
        """Update breakers and faults of meter and link after a poll."""
        state, failure = poll.meter_state, poll.failure
        if failure is None:
            self.link_state.record_up(None)
            if state.fault.occurrences:
                state.reset_breakers()
                state.fault.clear()
            return
        error, read = failure
        if isinstance(error, LinkDown):
            self.link_state.record_down(error, now_s)
            return
        self.link_state.record_up(error)
        state.fault.report(error, **read.log_fields)
        if poll.answered or state.framing.failure_kind(error) not in _SILENT:
            state.reset_breakers()
        elif isinstance(error, ReplyError):
            state.record_invalid_reply(now_s)
        else:
            state.silence_breaker.record_failure(now_s)
