"""Compute the axis of a chart: its range, its ticks, and the pixel of a value."""

import math
from collections.abc import Iterable

import msgspec


class Axis(msgspec.Struct, frozen=True):
    """A linear scale from values to pixels.

    Attributes:
        low: value at the start.
        high: value at the end, above `low`.
        start: pixel of `low`.
        end: pixel of `high`.
        step: distance between ticks.
    """

    low: float
    high: float
    start: float
    end: float
    step: float

    def to_pixel(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the round values from `low` to `high` at which there are ticks."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [number * self.step for number in range(first, last + 1)]


def make_axis(
    values: Iterable[float], start: float, end: float, *, from_zero: bool, count: int = 4
) -> Axis:
    """Return an axis that includes all values and has about `count` round ticks.

    Args:
        values: values to include; without any, the axis goes from 0 to 1.
        start: pixel of the low end.
        end: pixel of the high end.
        from_zero: True to include 0, as bars require.
        count: wanted number of steps.
    """
    shown = [*values, 0.0] if from_zero else list(values)
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if high - low <= abs(high) * 1e-9:  # all values are equal: leave room above and below
        high, low = high + (abs(high) * 0.1 or 1.0), low if from_zero else low - abs(low) * 0.1
    step = _round_step((high - low) / count)
    return Axis(math.floor(low / step) * step, math.ceil(high / step) * step, start, end, step)


def _round_step(rough: float) -> float:
    """Return the smallest number of the form (1, 2, 2.5 or 5) times 10^n that is >= `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(
        unit * power for unit in (1.0, 2.0, 2.5, 5.0, 10.0) if unit * power >= rough * 0.999
    )
