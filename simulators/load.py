"""What flows through a meter, at any moment of any year. Pure.

Law: a load is a function of time alone. `consumption` is what has flowed since the load began, and
never falls; `rate` is its derivative. History and live readings ask the same function, so they
agree to the last digit.

A shaped load is a sum of terms. A term has a total for each day, added up once, and a shape that
spreads it over the day; so any moment costs one look-up. The shape's rate is linear between full
hours. Days have 24 hours everywhere: where summer time is kept, a load stays with the offset from
UTC of its first day. On top of that time itself runs a little unevenly (a sum of slow waves), which
makes the power ripple as on a real board without losing anything: a bent clock can't.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
import numpy as np

from simulators.noise import Floats, Ints, uniform

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

# Periods [ms] of the waves, none a multiple of another, and how far each bends the rate.
_WAVES: Final = ((2_820_000, 0.05), (437_000, 0.04), (61_000, 0.03))


class Load(Protocol):
    """What flows through a meter."""

    def consumption(self, t_ms: Ints) -> Floats:
        """What has flowed until then [canonical unit], for UTC milliseconds."""

    def rate(self, t_ms: Ints) -> Floats:
        """What flows at that moment [canonical unit an hour]."""


class Shape:
    """How a day's total is spread over its hours."""

    def __init__(self, hours: Sequence[float]) -> None:
        rates = np.asarray([*hours, hours[0]], dtype=np.float64)
        areas = (rates[1:] + rates[:-1]) / 2.0
        self._rates = rates / areas.sum()
        self._until = np.concatenate([[0.0], np.cumsum(areas / areas.sum())])

    def until(self, hour: Floats) -> Floats:
        """The share of the day's total that has flowed by that hour, 0 to 1."""
        at, past, begin, slope = self._place(hour)
        return np.asarray(self._until[at] + begin * past + slope * past * past / 2.0)

    def rate(self, hour: Floats) -> Floats:
        """The share of the day's total that flows an hour."""
        _, past, begin, slope = self._place(hour)
        return np.asarray(begin + slope * past)

    def _place(self, hour: Floats) -> tuple[Ints, Floats, Floats, Floats]:
        at = np.minimum(hour.astype(np.int64), 23)
        begin = self._rates[at]
        return at, hour - at, begin, self._rates[at + 1] - begin


class Term:
    """One part of a load: a total for each day [canonical unit], and its shape."""

    def __init__(self, totals: Floats, shape: Shape) -> None:
        self.totals = totals
        self.before = np.concatenate([[0.0], np.cumsum(totals)[:-1]])
        self.shape = shape


class Shaped:
    """Terms over consecutive days.

    Before the first day nothing has flowed, and after the last one nothing flows any more.
    """

    def __init__(self, origin_ms: int, terms: Sequence[Term], of: int) -> None:
        """Terms of equal length.

        Args:
            origin_ms: the first day's local midnight, as UTC.
            terms: at least one.
            of: a key of `noise`, from which the ripple's phases come.
        """
        self._origin_ms = origin_ms
        self._terms = tuple(terms)
        self._days = len(terms[0].totals)
        self._phases = 2.0 * np.pi * uniform(of, np.arange(len(_WAVES)))

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        day, hour, _ = self._place(t_ms)
        flowed = np.zeros(day.shape)
        for term in self._terms:
            flowed = flowed + term.before[day] + term.totals[day] * term.shape.until(hour)
        return flowed

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        day, hour, pace = self._place(t_ms)
        flows = np.zeros(day.shape)
        for term in self._terms:
            flows = flows + term.totals[day] * term.shape.rate(hour)
        return np.asarray(flows * pace)

    def _place(self, t_ms: Ints) -> tuple[Ints, Floats, Floats]:
        """Day, hour of the day, and how fast bent time runs there."""
        since = np.asarray(t_ms - self._origin_ms, dtype=np.float64)
        bent, pace = since, np.ones(since.shape)
        for (period, depth), phase in zip(_WAVES, self._phases, strict=True):
            angle = 2.0 * np.pi * since / period + phase
            bent = bent + depth * period / (2.0 * np.pi) * np.sin(angle)
            pace = pace + depth * np.cos(angle)
        end = self._days * DAY_MS
        inside = (bent >= 0.0) & (bent < end)
        bent = np.clip(bent, 0.0, end)
        day = np.minimum((bent // DAY_MS).astype(np.int64), self._days - 1)
        return day, (bent - day * float(DAY_MS)) / HOUR_MS, np.where(inside, pace, 0.0)


class Part(msgspec.Struct, frozen=True):
    """A load that counts `times` in a sum."""

    times: float
    load: Load


class Sum:
    """Loads added up: what a meter sees that stands above others."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        flowed = np.zeros(t_ms.shape)
        for part in self._parts:
            flowed = flowed + part.times * part.load.consumption(t_ms)
        return flowed

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        flows = np.zeros(t_ms.shape)
        for part in self._parts:
            flows = flows + part.times * part.load.rate(t_ms)
        return flows
