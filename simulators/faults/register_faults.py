"""Faults of the register: the frame is right, but the register values in it are wrong. Pure.

Laws:

1. A state (stuck, wrong ratio, replaced, ...) is a function of time. The simulated history can
   therefore contain it, too.
2. A slip (spike, jitter, torn, ...) affects a single answer. Later answers are right again.
3. Neither states nor slips change the true consumption.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np
from msgspec import Meta

from jieneng.metering.site import LinkKind
from simulators.faults.fault import (
    CONNECTED,
    MODBUS_ONLY,
    Fault,
    Layer,
    NotNegative,
    Positive,
    Span,
)
from simulators.load.load import HOUR_MS
from simulators.load.seeded_noise import Floats, Ints, noise_key
from simulators.protocols import register_words
from simulators.protocols.modbus_frames import ModbusRequest
from simulators.protocols.simulated_protocol import Register

#: A meter's counter [canonical unit], or its rate, as a function of UTC milliseconds.
TimeFunction = Callable[[Ints], Floats]
_WORD: Final = 1 << 16
_BCD_WORD: Final = 10_000
_DAY_MS: Final = 24 * HOUR_MS


class SlipContext(msgspec.Struct, frozen=True):
    """The register in an answer that a slip may change.

    Attributes:
        register: the register.
        is_counter: True if the register is the consumption counter.
        nth_on_connection: number of requests to the meter on this connection, including this one.
        nth_of_meter: number of requests to the meter since the start, including this one.
    """

    register: Register
    is_counter: bool
    nth_on_connection: int
    nth_of_meter: int


class RegisterFault(Fault, frozen=True, kw_only=True):
    """A fault that changes the value in a register."""

    layer: ClassVar[Layer] = "register"


class StateFault(RegisterFault, frozen=True, kw_only=True):
    """A fault that is a state of the device from the beginning of the fault to its end."""

    is_random: ClassVar[bool] = False
    #: True if the fault ends when the device is replaced.
    ends_with_device: ClassVar[bool] = True

    def part_in_life(self, span: Span, life: Span) -> Span | None:
        """Return the part of the fault's time in which a device is installed; None for no part.

        A fault that can't end affects only the device that was installed when the fault began.
        """
        begin_ms, end_ms = max(span.begin_ms, life.begin_ms), min(span.end_ms, life.end_ms)
        if begin_ms >= end_ms or (not self.can_end and begin_ms != span.begin_ms):
            return None
        return Span(begin_ms, end_ms)

    def disturb_counter(
        self, counter: TimeFunction, span: Span, rollover_value: float | None, /
    ) -> TimeFunction:
        """Return the device's counter with this fault, as a function of time.

        Args:
            counter: the counter without this fault.
            span: time of the fault.
            rollover_value: value at which the counter rolls over [canonical unit]; None: never.
        """
        raise NotImplementedError

    def disturb_rate(self, rate: TimeFunction, _: Span, /) -> TimeFunction:
        """Return the rate that the device's gauges show while it has this fault."""
        return rate


class SlipFault(RegisterFault, frozen=True, kw_only=True):
    """A fault that changes register values in a single answer.

    Attributes:
        quantity: quantity of the affected register. If omitted, the consumption counter is
            affected.
    """

    quantity: str | None = None

    def redirected(self, request: Any) -> Any:
        """Return the request for the registers that are served instead of the requested ones."""
        return request

    def affects(self, context: SlipContext) -> bool:
        """Return True if the fault affects the register of `context`."""
        if self.quantity is None:
            return context.is_counter
        return context.register.quantity == self.quantity

    def changed_units(self, units: float, _: SlipContext, /) -> float:
        """Return the number of register steps that is shown instead of the right number `units`."""
        return units


# --- states -------------------------------------------------------------------------------------


class Stuck(StateFault, frozen=True, kw_only=True):
    """The counters stand still while power and flow go on."""

    def disturb_counter(
        self, counter: TimeFunction, span: Span, _: float | None, /
    ) -> TimeFunction:
        """See `StateFault`."""

        def stuck(t_ms: Ints) -> Floats:
            return np.asarray(counter(np.where(span.contains(t_ms), span.begin_ms, t_ms)))

        return stuck


class Rollover(StateFault, frozen=True, kw_only=True):
    """The consumption counter reaches its end when the fault begins, and starts again at 0.

    For this, the counter is raised by a constant from the start of the simulation on, as if the
    meter were older.
    """

    can_end: ClassVar[bool] = False
    can_start_later: ClassVar[bool] = False

    def disturb_counter(
        self, counter: TimeFunction, span: Span, rollover_value: float | None, /
    ) -> TimeFunction:
        """See `StateFault`."""
        if rollover_value is None:
            return counter
        more = rollover_value - float(counter(np.asarray([span.begin_ms]))[0])

        def older(t_ms: Ints) -> Floats:
            return np.maximum(counter(t_ms) + more, 0.0)

        return older


class Replacement(StateFault, frozen=True, kw_only=True):
    """The device is replaced, and the replacement is not recorded.

    A recorded replacement belongs in site.toml; the simulator follows it from there.

    Attributes:
        initial: initial reading of the new device [canonical unit].
    """

    can_end: ClassVar[bool] = False
    initial: NotNegative = 0.0

    def disturb_counter(
        self, counter: TimeFunction, span: Span, _: float | None, /
    ) -> TimeFunction:
        """See `StateFault`."""

        def replaced(t_ms: Ints) -> Floats:
            new = self.initial + counter(t_ms) - counter(np.full_like(t_ms, span.begin_ms))
            return np.where(t_ms < span.begin_ms, counter(t_ms), new)

        return replaced


class WrongCt(StateFault, frozen=True, kw_only=True):
    """The ratio of the current transformers is not the one in `site.toml`: all values are wrong.

    Attributes:
        factor: consumption that the meter counts, divided by the true consumption.
    """

    ends_with_device: ClassVar[bool] = False
    factor: Positive

    def disturb_counter(
        self, counter: TimeFunction, span: Span, _: float | None, /
    ) -> TimeFunction:
        """See `StateFault`."""

        def scaled(t_ms: Ints) -> Floats:
            begin = counter(np.full_like(t_ms, span.begin_ms))
            return np.asarray(
                counter(t_ms) + (self.factor - 1) * (counter(span.clip(t_ms)) - begin)
            )

        return scaled

    def disturb_rate(self, rate: TimeFunction, span: Span, /) -> TimeFunction:
        """See `StateFault`."""

        def scaled(t_ms: Ints) -> Floats:
            return np.asarray(rate(t_ms) * np.where(span.contains(t_ms), self.factor, 1.0))

        return scaled


class ClockDrift(StateFault, frozen=True, kw_only=True):
    """The device updates its registers at intervals of its own clock, which is wrong and drifts.

    Data loggers and caching gateways do so: between two updates they show the values of the last
    update.

    Attributes:
        every_s: interval between updates, on the device's clock [s].
        offset_s: time by which the device's clock is ahead when the fault begins [s]; negative if
            it is behind.
        drift_s_per_day: increase of `offset_s` per day [s].
    """

    every_s: Positive = 60.0
    offset_s: float = 0.0
    drift_s_per_day: Annotated[float, Meta(gt=-3600, lt=3600)] = 5.0

    def disturb_counter(
        self, counter: TimeFunction, span: Span, _: float | None, /
    ) -> TimeFunction:
        """See `StateFault`."""

        def latched(t_ms: Ints) -> Floats:
            return np.asarray(counter(self._renewed(t_ms, span)))

        return latched

    def disturb_rate(self, rate: TimeFunction, span: Span, /) -> TimeFunction:
        """See `StateFault`."""

        def latched(t_ms: Ints) -> Floats:
            return np.asarray(rate(self._renewed(t_ms, span)))

        return latched

    def _renewed(self, t_ms: Ints, span: Span) -> Ints:
        """Return the time of the registers' last update, or the fault's start if later."""
        pace = 1.0 + self.drift_s_per_day * 1000 / _DAY_MS
        since = (t_ms - span.begin_ms).astype(np.float64)
        device_ms = span.begin_ms + 1000 * self.offset_s + since * pace
        every = 1000 * self.every_s
        full = np.floor(device_ms / every) * every
        renewed = span.begin_ms + (full - span.begin_ms - 1000 * self.offset_s) / pace
        inside = np.clip(np.floor(renewed).astype(np.int64), span.begin_ms, t_ms)
        return np.where(span.contains(t_ms), inside, t_ms)


# --- slips --------------------------------------------------------------------------------------


class ZeroOnReconnect(SlipFault, frozen=True, kw_only=True):
    """The first answers on a new connection hold zeros: the gateway has not read the meter yet.

    Attributes:
        answers: number of answers with zeros for each meter.
    """

    links: ClassVar[tuple[LinkKind, ...]] = CONNECTED
    answers: Annotated[int, Meta(ge=1)] = 1

    def affects(self, context: SlipContext) -> bool:
        """See `SlipFault`. If no quantity is named, all registers are affected."""
        return context.nth_on_connection <= self.answers and (
            self.quantity is None or context.register.quantity == self.quantity
        )

    def changed_units(self, units: float, _: SlipContext, /) -> float:
        """See `SlipFault`."""
        return 0.0 * units


class Spike(SlipFault, frozen=True, kw_only=True):
    """A single answer shows far too large a value.

    Attributes:
        factor: the right value is multiplied by this.
        plus: amount that is then added [canonical unit].
    """

    factor: NotNegative = 1.0
    plus: float = 1000.0

    def changed_units(self, units: float, context: SlipContext, /) -> float:
        """See `SlipFault`."""
        return units * self.factor + self.plus / float(context.register.step)


class Jitter(SlipFault, frozen=True, kw_only=True):
    """The counter falls back a little and is right again at the next answer.

    Attributes:
        steps: greatest fall [units of the register].
    """

    steps: Annotated[int, Meta(ge=1)] = 1

    def changed_units(self, units: float, context: SlipContext, /) -> float:
        """See `SlipFault`."""
        back = 1 + noise_key("jitter", context.register.quantity, context.nth_of_meter) % self.steps
        return max(units - back, 0.0)


class Torn(SlipFault, frozen=True, kw_only=True):
    """The high words of a number are older than its low word: they lack the last carry."""

    def changed_units(self, units: float, context: SlipContext, /) -> float:
        """See `SlipFault`."""
        layout = context.register.layout
        carry = _BCD_WORD if layout.kind == "bcd" else _WORD
        pattern = register_words.pattern(units, layout)
        if pattern < _WORD:
            return units
        if layout.kind == "f":
            return register_words.number(pattern - _WORD, layout)
        return units - carry


class WrongRegister(SlipFault, frozen=True, kw_only=True):
    """The answer holds the contents of other registers; no protocol can detect this.

    Attributes:
        offset: address of the wrong registers minus that of the right ones [registers].
    """

    protocols: ClassVar[tuple[str, ...]] = MODBUS_ONLY
    offset: Annotated[int, Meta(ge=-65535, le=65535)] = 2

    def redirected(self, request: ModbusRequest) -> ModbusRequest:
        """See `SlipFault`."""
        address = (request.address + self.offset) & 0xFFFF
        return msgspec.structs.replace(request, address=address)


STATES: Final[tuple[type[StateFault], ...]] = (
    Stuck, Rollover, Replacement, WrongCt, ClockDrift,
)  # fmt: skip
SLIPS: Final[tuple[type[SlipFault], ...]] = (
    ZeroOnReconnect, Spike, Jitter, Torn, WrongRegister,
)  # fmt: skip
