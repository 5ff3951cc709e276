"""Faults of the register: the frame is right, and what stands in it is not. Pure.

Law: a state (stuck, wrong ratio, replaced, ...) is a function of time, so that the past can be
asked for it as well; a slip (spike, jitter, torn, ...) happens to one answer and leaves no trace.
Neither changes what really flowed.
"""

from collections.abc import Callable
from typing import Annotated, ClassVar, Final

import msgspec
import numpy as np
from msgspec import Meta

from simulators.encoding import register_words
from simulators.faults.fault import CONNECTED, Fault, Framing, Layer, NotNegative, Positive, Span
from simulators.load.load import HOUR_MS
from simulators.load.seeded_noise import Floats, Ints, key

#: A function of UTC milliseconds: what a meter has counted, or what flows [canonical unit].
Counts = Callable[[Ints], Floats]
_WORD: Final = 1 << 16
_BCD_WORD: Final = 10_000
_DAY_MS: Final = 24 * HOUR_MS


class Slip(msgspec.Struct, frozen=True):
    """What a slip has to know of the answer that it happens to.

    Attributes:
        quantity: of the register.
        counter: whether that is the consumption counter.
        layout: how the number lies in the register.
        step: what one unit of the register is worth [canonical unit].
        asked: how often the meter was asked on this connection, this question included.
        number: of this question to this meter.
    """

    quantity: str
    counter: bool
    layout: register_words.Layout
    step: float
    asked: int
    number: int


class RegisterFault(Fault, frozen=True, kw_only=True):
    """A fault of what a register shows."""

    layer: ClassVar[Layer] = "register"


class StateFault(RegisterFault, frozen=True, kw_only=True):
    """A state of the device, from its beginning to its end."""

    drawn: ClassVar[bool] = False
    #: Whether it goes with the device when that is replaced.
    of_device: ClassVar[bool] = True

    def within(self, span: Span, life: Span) -> Span | None:
        """The part of its time in which it is a device's; None where there is none.

        What does not end is of the device that hung there when it began, and of no later one.
        """
        begin_ms, end_ms = max(span.begin_ms, life.begin_ms), min(span.end_ms, life.end_ms)
        if begin_ms >= end_ms or (not self.ends and begin_ms != span.begin_ms):
            return None
        return Span(begin_ms, end_ms)

    def counted(self, counts: Counts, span: Span, wraps: float | None, /) -> Counts:
        """What the device has counted then.

        Args:
            counts: what it would have without this.
            span: when it is so.
            wraps: at how much its consumption counter starts again [canonical unit]; None: never.
        """
        raise NotImplementedError

    def flows(self, rate: Counts, _: Span, /) -> Counts:
        """What its gauges follow."""
        return rate


class SlipFault(RegisterFault, frozen=True, kw_only=True):
    """Something that happens to one answer.

    Attributes:
        quantity: whose register; the consumption counter where omitted.
    """

    quantity: str | None = None

    def moved(self, address: int) -> int:
        """The register from which on the answer is taken, instead of that one."""
        return address

    def concerns(self, slip: Slip) -> bool:
        """Whether it is about that register."""
        return slip.counter if self.quantity is None else slip.quantity == self.quantity

    def shown(self, units: float, _: Slip, /) -> float:
        """What the register shows instead of so many units."""
        return units


# --- states -------------------------------------------------------------------------------------


class Stuck(StateFault, frozen=True, kw_only=True):
    """The counters stand still while power and flow go on."""

    def counted(self, counts: Counts, span: Span, _: float | None, /) -> Counts:
        """See `StateFault`."""

        def stuck(t_ms: Ints) -> Floats:
            return np.asarray(counts(np.where(span.holds(t_ms), span.begin_ms, t_ms)))

        return stuck


class Rollover(StateFault, frozen=True, kw_only=True):
    """The consumption counter reaches its end and starts again at 0, at the fault's beginning.

    For that it shows more from the start of the simulation on, as an older meter does.
    """

    ends: ClassVar[bool] = False
    switchable: ClassVar[bool] = False

    def counted(self, counts: Counts, span: Span, wraps: float | None, /) -> Counts:
        """See `StateFault`."""
        if wraps is None:
            return counts
        more = wraps - float(counts(np.asarray([span.begin_ms]))[0])

        def older(t_ms: Ints) -> Floats:
            return np.maximum(counts(t_ms) + more, 0.0)

        return older


class Replacement(StateFault, frozen=True, kw_only=True):
    """The device is replaced by another one, and nobody writes it down.

    A replacement that is announced stands in site.toml, where the simulator follows it.

    Attributes:
        initial: what the new device shows first [canonical unit].
    """

    ends: ClassVar[bool] = False
    initial: NotNegative = 0.0

    def counted(self, counts: Counts, span: Span, _: float | None, /) -> Counts:
        """See `StateFault`."""

        def replaced(t_ms: Ints) -> Floats:
            new = self.initial + counts(t_ms) - counts(np.full_like(t_ms, span.begin_ms))
            return np.where(t_ms < span.begin_ms, counts(t_ms), new)

        return replaced


class WrongCt(StateFault, frozen=True, kw_only=True):
    """The current transformers are others than those in the file: all is too much or too little.

    Attributes:
        factor: what the meter counts, against what flows.
    """

    of_device: ClassVar[bool] = False
    factor: Positive

    def counted(self, counts: Counts, span: Span, _: float | None, /) -> Counts:
        """See `StateFault`."""

        def scaled(t_ms: Ints) -> Floats:
            begin = counts(np.full_like(t_ms, span.begin_ms))
            return np.asarray(counts(t_ms) + (self.factor - 1) * (counts(span.clip(t_ms)) - begin))

        return scaled

    def flows(self, rate: Counts, span: Span, /) -> Counts:
        """See `StateFault`."""

        def scaled(t_ms: Ints) -> Floats:
            return np.asarray(rate(t_ms) * np.where(span.holds(t_ms), self.factor, 1.0))

        return scaled


class ClockDrift(StateFault, frozen=True, kw_only=True):
    """The device renews its registers by a clock of its own, which is wrong and drifts.

    Data loggers and gateways with a cache do: what they show is that of their last full interval.

    Attributes:
        every_s: the interval, on the device's clock [s].
        offset_s: how far that clock is ahead in the beginning; negative: behind [s].
        drift_s_per_day: how much more it is ahead each day [s].
    """

    every_s: Positive = 60.0
    offset_s: float = 0.0
    drift_s_per_day: Annotated[float, Meta(gt=-3600, lt=3600)] = 5.0

    def counted(self, counts: Counts, span: Span, _: float | None, /) -> Counts:
        """See `StateFault`."""

        def latched(t_ms: Ints) -> Floats:
            return np.asarray(counts(self._renewed(t_ms, span)))

        return latched

    def flows(self, rate: Counts, span: Span, /) -> Counts:
        """See `StateFault`."""

        def latched(t_ms: Ints) -> Floats:
            return np.asarray(rate(self._renewed(t_ms, span)))

        return latched

    def _renewed(self, t_ms: Ints, span: Span) -> Ints:
        """When the registers were renewed last; never before the fault began."""
        pace = 1.0 + self.drift_s_per_day * 1000 / _DAY_MS
        since = (t_ms - span.begin_ms).astype(np.float64)
        shown = span.begin_ms + 1000 * self.offset_s + since * pace
        every = 1000 * self.every_s
        full = np.floor(shown / every) * every
        renewed = span.begin_ms + (full - span.begin_ms - 1000 * self.offset_s) / pace
        inside = np.clip(np.floor(renewed).astype(np.int64), span.begin_ms, t_ms)
        return np.where(span.holds(t_ms), inside, t_ms)


# --- slips --------------------------------------------------------------------------------------


class ZeroOnReconnect(SlipFault, frozen=True, kw_only=True):
    """The first answers on a new connection hold zeros: the gateway has not asked the meter yet.

    Attributes:
        answers: how many, each meter.
    """

    framings: ClassVar[tuple[Framing, ...]] = CONNECTED
    answers: Annotated[int, Meta(ge=1)] = 1

    def concerns(self, slip: Slip) -> bool:
        """See `SlipFault`; all registers, where no quantity is named."""
        return slip.asked <= self.answers and (
            self.quantity is None or slip.quantity == self.quantity
        )

    def shown(self, units: float, _: Slip, /) -> float:
        """See `SlipFault`."""
        return 0.0 * units


class Spike(SlipFault, frozen=True, kw_only=True):
    """One answer shows far too much.

    Attributes:
        factor: times the right value, and
        plus: so much more [canonical unit].
    """

    factor: NotNegative = 1.0
    plus: float = 1000.0

    def shown(self, units: float, slip: Slip, /) -> float:
        """See `SlipFault`."""
        return units * self.factor + self.plus / slip.step


class Jitter(SlipFault, frozen=True, kw_only=True):
    """The counter falls back a little and is right again at the next answer.

    Attributes:
        steps: the most that it falls back [units of the register].
    """

    steps: Annotated[int, Meta(ge=1)] = 1

    def shown(self, units: float, slip: Slip, /) -> float:
        """See `SlipFault`."""
        back = 1 + key("jitter", slip.quantity, slip.number) % self.steps
        return max(units - back, 0.0)


class Torn(SlipFault, frozen=True, kw_only=True):
    """The words of one number are of two moments: the high ones from before the last carry."""

    def shown(self, units: float, slip: Slip, /) -> float:
        """See `SlipFault`."""
        carry = _BCD_WORD if slip.layout.kind == "bcd" else _WORD
        pattern = register_words.pattern(units, slip.layout)
        if pattern < _WORD:
            return units
        if slip.layout.kind == "f":
            return register_words.number(pattern - _WORD, slip.layout)
        return units - carry


class WrongRegister(SlipFault, frozen=True, kw_only=True):
    """A whole answer with the contents of other registers: no protocol can tell.

    Attributes:
        offset: how far further on they lie [registers].
    """

    offset: Annotated[int, Meta(ge=-65535, le=65535)] = 2

    def moved(self, address: int) -> int:
        """See `SlipFault`."""
        return (address + self.offset) & 0xFFFF


STATES: Final[tuple[type[StateFault], ...]] = (
    Stuck, Rollover, Replacement, WrongCt, ClockDrift,
)  # fmt: skip
SLIPS: Final[tuple[type[SlipFault], ...]] = (
    ZeroOnReconnect, Spike, Jitter, Torn, WrongRegister,
)  # fmt: skip
