"""The arithmetic of an axis: which range it shows, where its ticks are, where a value lies."""

import math
from collections.abc import Iterable

import msgspec


class Axis(msgspec.Struct, frozen=True):
    """A linear scale from values to pixels.

    Attributes:
        low, high: the values at its ends; low < high.
        start, end: the pixels of its ends.
        step: between ticks.
    """

    low: float
    high: float
    start: float
    end: float
    step: float

    def to_pixel(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values from low to high."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [number * self.step for number in range(first, last + 1)]


def make_axis(
    values: Iterable[float], start: float, end: float, *, from_zero: bool, count: int = 4
) -> Axis:
    """An axis with about `count` round ticks that holds all values.

    Args:
        values: what it must show; none at all makes it 0 to 1.
        start: pixel of its low end.
        end: pixel of its high end.
        from_zero: bars must stand on 0, lines need not.
        count: how many steps are wanted.
    """
    shown = [*values, 0.0] if from_zero else list(values)
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if high - low <= abs(high) * 1e-9:  # all the same: room above and below
        high, low = high + (abs(high) * 0.1 or 1.0), low if from_zero else low - abs(low) * 0.1
    step = _round_step((high - low) / count)
    return Axis(math.floor(low / step) * step, math.ceil(high / step) * step, start, end, step)


def _round_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5, 10 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(
        unit * power for unit in (1.0, 2.0, 2.5, 5.0, 10.0) if unit * power >= rough * 0.999
    )
