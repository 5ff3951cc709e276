"""One task a bus: wait until a meter is due, ask it, hand on what it said.

Laws:

1. One question at a time. A silent meter costs its neighbours one time-out, less and less often.
   One that answers in part is not silent, and a link that is down is no meter's failure.
2. After a silence or a wrong reply, the same meter is not asked for anything more before its next
   slot: what comes late now could be the answer to any of its questions.
3. What was read is handed on in the same moment, whole or with NaN for what is missing; and every
   poll is told of, whether or not anything was read.
4. A question is repeated only where that is safe and cheap: once where the link turned out to have
   been closed while idle, and after a short pause where the meter is busy, within the meter's share
   of the bus's time.
5. Registers that a meter refuses as not being there are a mistake in its model or in the site: said
   once, and from then on only asked for now and then, because a gateway that starts up may say the
   same. The meter's other registers go on.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from edge_agent.breaker import TRIP, Breaker
from edge_agent.meter import PolledMeter
from edge_agent.protocols import Exchange, Framing, Reply, Treatment
from edge_agent.schedule import Schedule
from jieneng.clock import Clock
from jieneng.metering.errors import (
    DeviceRefused,
    HungUp,
    LinkDown,
    LinkError,
    PeerError,
    ReplyError,
)
from jieneng.metering.read_plan import Read
from jieneng.metering.reading import MILLISECONDS, Poll, Sample
from jieneng.observe import Fault, Log

_REOPEN_S: Final = 1.0  # a link that can't be opened is tried again after this, doubling ...
_REOPEN_LONGEST_S: Final = 30.0  # ... up to this
_BUSY_PAUSES_S: Final = (0.1, 0.2)  # before a busy meter is asked again, in one poll
_MISTAKES: Final = 3  # refusals in a row that are no passing state of the device
_DOUBT_S: Final = 60.0  # registers that it refused are asked for again after this, doubling ...
_DOUBT_LONGEST_S: Final = 3600.0  # ... up to this


def nobody_listens(_: Poll) -> None:
    """Nobody wants to know how polls go."""


class Link(Protocol):
    """What the poller needs of a link."""

    async def exchange(self, steps: Exchange) -> Reply:
        """Drive one exchange to its end. Raises `LinkError` or `PeerError`."""

    def close(self) -> None:
        """Let go of the connection."""


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


class _Registers(msgspec.Struct, frozen=True):
    """One read of a meter, and whether the meter has such registers at all."""

    read: Read
    breaker: Breaker
    fault: Fault


class _Polled(msgspec.Struct, frozen=True):
    """A meter of the bus.

    Attributes:
        registers: its reads, in their order.
        share_s: of the bus's time that it may take where all do.
    """

    meter: PolledMeter
    breaker: Breaker
    fault: Fault
    registers: tuple[_Registers, ...]
    share_s: float


class _Trouble(NamedTuple):
    error: LinkError | PeerError
    read: Read


class _Patience:
    """What is left in one poll for asking a busy meter again."""

    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        self._pauses_s = iter(_BUSY_PAUSES_S)

    def busy_s(self, now_s: float) -> float | None:
        """How long to wait before a busy meter is asked again; None: not any more."""
        pause_s = next(self._pauses_s, None)
        return pause_s if pause_s is not None and now_s + pause_s <= self._until_s else None


class _Poll(NamedTuple):
    """What one poll came to.

    Attributes:
        replies: to all reads, None where there is none.
        trouble: the last that says something about meter or link; None where all is well.
        asked: anything was asked for at all.
        complete: every read was asked for and answered.
        attempts: questions, repeated ones included.
    """

    replies: list[Reply | None]
    trouble: _Trouble | None
    asked: bool
    complete: bool
    attempts: int


class BusPoller:
    """Polls the meters of one bus."""

    def __init__(
        self,
        bus: str,
        meters: Iterable[PolledMeter],
        *,
        link: Link,
        framing: Framing,
        clock: Clock,
        keep: Callable[[Sample], None],
        log: Log,
        tell: Callable[[Poll], None] = nobody_listens,
    ) -> None:
        self.bus: Final = bus
        self.counts: Final = PollCounts()
        self._link = link
        self._framing = framing
        self._clock = clock
        self._keep = keep
        self._tell = tell
        self._asked = 0  # questions so far
        self._link_breaker = Breaker(_REOPEN_S, _REOPEN_LONGEST_S)
        self._link_fault = Fault(log, "link is down", after=TRIP, bus=bus)
        listed = tuple(meters)
        self._polled = {meter.id: _polled(meter, bus, len(listed), log) for meter in listed}

    async def run(self) -> None:
        """Poll until cancelled."""
        clock = self._clock
        schedule = Schedule(
            [(polled.meter.id, polled.meter.interval_s) for polled in self._polled.values()],
            utc_s=clock.now_ms() / MILLISECONDS,
            now_s=clock.monotonic(),
        )
        try:
            while True:
                now_s = clock.monotonic()
                slot = schedule.next(now_s)
                wait_s = max(slot.due_s, self._link_breaker.not_before_s) - now_s
                if wait_s > 0:
                    await clock.sleep(wait_s)
                    continue  # others may be due as well by now
                polled = self._polled[slot.meter]
                await self._poll(polled)
                schedule.done(
                    utc_s=clock.now_ms() / MILLISECONDS,
                    now_s=clock.monotonic(),
                    not_before_s=polled.breaker.not_before_s,
                    doubted=polled.breaker.failures > 0,
                )
        finally:
            self._link.close()

    async def _poll(self, polled: _Polled) -> None:
        began_s = self._clock.monotonic()
        poll = await self._read(polled, began_s)
        now_s = self._clock.monotonic()
        self.counts.seconds += now_s - began_s
        if poll.complete:
            self.counts.ok += 1
        else:
            self.counts.failed += 1
        if poll.asked:
            self._remember(polled, any(poll.replies), poll.trouble, now_s)
        sample = polled.meter.sample(poll.replies)
        if sample is not None:
            self._keep(sample)
        if poll.asked:
            time_ms = self._clock.now_ms() if sample is None else sample.time_ms
            lasted_ms = round(1000 * (now_s - began_s))
            self._tell(Poll(polled.meter.id, time_ms, poll.complete, lasted_ms, poll.attempts))

    async def _read(self, polled: _Polled, began_s: float) -> _Poll:
        replies: list[Reply | None] = [None] * len(polled.registers)
        trouble, asked, complete = None, False, True
        before = self._asked
        patience = _Patience(began_s + polled.share_s)
        for number, registers in enumerate(polled.registers):
            if registers.breaker.not_before_s > began_s:
                complete = False
                continue
            asked, read = True, registers.read
            try:
                replies[number] = await self._answer(polled.meter.unit, read, patience)
                if registers.breaker.failures:
                    registers.breaker.answered()
                    registers.fault.over()
            except (LinkError, PeerError) as error:
                complete = False
                treatment = self._treatment(error)
                if treatment is Treatment.MISTAKEN:
                    registers.breaker.failed(self._clock.monotonic())
                    registers.fault.happened(error)
                    continue
                trouble = _Trouble(error, read)
                if treatment in _SILENT:
                    break
        return _Poll(replies, trouble, asked, complete, self._asked - before)

    async def _answer(self, unit: int, read: Read, patience: _Patience) -> Reply:
        """The reply to one read, which is asked for again where that is safe and cheap.

        Raises:
            LinkError: there is none.
            PeerError: there is none, or a wrong one.
        """
        reopened = False
        while True:
            self._asked += 1
            steps = self._framing.ask(unit, read, self._asked)
            try:
                return await self._link.exchange(steps)
            except HungUp:
                if reopened:
                    raise
                reopened = True
            except DeviceRefused as error:
                if self._treatment(error) is not Treatment.LATER:
                    raise
                pause_s = patience.busy_s(self._clock.monotonic())
                if pause_s is None:
                    raise
                await self._clock.sleep(pause_s)

    def _remember(
        self, polled: _Polled, answered: bool, trouble: _Trouble | None, now_s: float
    ) -> None:
        if trouble is not None and isinstance(trouble.error, LinkDown):
            self._link_breaker.failed(now_s)
            self._link_fault.happened(trouble.error)
            return
        self._link_breaker.answered()
        self._link_fault.over()
        if trouble is None:
            polled.breaker.answered()
            polled.fault.over()
            return
        error, read = trouble
        polled.fault.happened(error, function=read.function, registers=_span(read))
        if answered or self._treatment(error) not in _SILENT:
            polled.breaker.answered()
        elif not isinstance(error, ReplyError):
            polled.breaker.failed(now_s)

    def _treatment(self, error: LinkError | PeerError) -> Treatment | None:
        """What a refusal means; None where it is none."""
        return self._framing.treatment(error.code) if isinstance(error, DeviceRefused) else None


#: The meter itself did not answer, and is not asked for anything else in this poll.
_SILENT: Final = frozenset({None, Treatment.UNREACHED})


def _polled(meter: PolledMeter, bus: str, neighbours: int, log: Log) -> _Polled:
    who = {"bus": bus, "meter": meter.id, "unit": meter.unit, "model": meter.model}
    return _Polled(
        meter,
        Breaker(meter.interval_s),
        Fault(log, "meter does not answer as it should", after=TRIP, **who),
        tuple(
            _Registers(
                read,
                Breaker(_DOUBT_S, _DOUBT_LONGEST_S, trip=_MISTAKES),
                Fault(
                    log,
                    "meter has no such registers: check its model and unit in site.toml",
                    after=_MISTAKES,
                    function=read.function,
                    registers=_span(read),
                    **who,
                ),
            )
            for read in meter.reads
        ),
        share_s=meter.interval_s / neighbours,
    )


def _span(read: Read) -> str:
    return f"0x{read.address:04X}-0x{read.address + read.count - 1:04X}"
