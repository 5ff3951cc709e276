"""One task a bus: wait until a meter is due, ask it, hand on what it said.

Laws:

1. One question at a time. A silent meter costs its neighbours one time-out, less and less often.
   One that answers in part is not silent, and a link that is down is no meter's failure.
2. After a silence or a wrong reply, the same meter is not asked for anything more before its next
   slot: what comes late now could be the answer to any of its questions.
3. What was read is handed on in the same moment, whole or with NaN for what is missing.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from edge_agent.breaker import TRIP, Breaker
from edge_agent.meter import PolledMeter
from edge_agent.protocols import Exchange, Framing, Reply
from edge_agent.schedule import Schedule
from jieneng.clock import Clock
from jieneng.metering.errors import DeviceRefused, LinkDown, LinkError, PeerError, ReplyError
from jieneng.metering.read_plan import Read
from jieneng.metering.reading import MILLISECONDS, Sample
from jieneng.observe import Fault, Log

# A gateway says that it can't reach the unit (Modbus application protocol V1.1b3, section 7:
# "gateway path unavailable", "gateway target device failed to respond").
_UNREACHED: Final = frozenset({0x0A, 0x0B})
_REOPEN_S: Final = 1.0  # a link that can't be opened is tried again after this, doubling ...
_REOPEN_LONGEST_S: Final = 30.0  # ... up to this


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


class _Polled(msgspec.Struct, frozen=True):
    meter: PolledMeter
    breaker: Breaker
    fault: Fault


class _Trouble(NamedTuple):
    error: LinkError | PeerError
    read: Read


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
    ) -> None:
        self.bus: Final = bus
        self.counts: Final = PollCounts()
        self._link = link
        self._ask = framing.ask
        self._clock = clock
        self._keep = keep
        self._numbers = itertools.count(1)
        self._link_breaker = Breaker(_REOPEN_S, _REOPEN_LONGEST_S)
        self._link_fault = Fault(log, "link is down", bus=bus)
        self._polled = {
            meter.id: _Polled(
                meter,
                Breaker(meter.interval_s),
                Fault(
                    log,
                    "meter does not answer as it should",
                    after=TRIP,
                    bus=bus,
                    meter=meter.id,
                    unit=meter.unit,
                    model=meter.model,
                ),
            )
            for meter in meters
        }

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
                slot = schedule.next()
                begin_s = max(slot.due_s, self._link_breaker.not_before_s)
                wait_s = begin_s - clock.monotonic()
                if wait_s > 0:
                    await clock.sleep(wait_s)
                polled = self._polled[slot.meter]
                await self._poll(polled)
                schedule.done(
                    utc_s=clock.now_ms() / MILLISECONDS,
                    now_s=clock.monotonic(),
                    not_before_s=polled.breaker.not_before_s,
                )
        finally:
            self._link.close()

    async def _poll(self, polled: _Polled) -> None:
        began_s = self._clock.monotonic()
        replies, trouble = await self._read(polled.meter)
        now_s = self._clock.monotonic()
        self.counts.seconds += now_s - began_s
        if trouble is None:
            self.counts.ok += 1
        else:
            self.counts.failed += 1
        self._remember(polled, any(replies), trouble, now_s)
        sample = polled.meter.sample(replies)
        if sample is not None:
            self._keep(sample)

    async def _read(self, meter: PolledMeter) -> tuple[list[Reply | None], _Trouble | None]:
        """The replies to all reads, None where there is none, and the last trouble."""
        replies: list[Reply | None] = [None] * len(meter.reads)
        trouble = None
        for number, read in enumerate(meter.reads):
            steps = self._ask(meter.unit, read, next(self._numbers))
            try:
                replies[number] = await self._link.exchange(steps)
            except (LinkError, PeerError) as error:
                trouble = _Trouble(error, read)
                if not _is_refusal(error):
                    break
        return replies, trouble

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
        last = read.address + read.count - 1
        registers = f"0x{read.address:04X}-0x{last:04X}"
        polled.fault.happened(error, function=read.function, registers=registers)
        if answered or _is_refusal(error):
            polled.breaker.answered()
        elif not isinstance(error, ReplyError):
            polled.breaker.failed(now_s)


def _is_refusal(error: LinkError | PeerError) -> bool:
    """Whether the meter itself answered, and may be asked for something else."""
    return isinstance(error, DeviceRefused) and error.code not in _UNREACHED
