"""Compute the flow through a meter, at any moment of any year. Pure.

Law: a load is a function of time alone. `consumption` is the amount since the load began, and never
falls; `rate` is its derivative. History and live readings ask the same function, so they agree to
the last digit.

A shaped load is a sum of terms. A term has a total for each day, and a shape that spreads it over
the day. The shape's rate is linear between full hours. All days have 24 hours: a load keeps the
offset from UTC of its first day, also where clocks change for summer time.

The clock of a load runs a little unevenly (a sum of slow waves). The power therefore ripples as on
a real switchboard, but the totals stay exact: an uneven clock only shifts consumption in time, it
neither adds nor removes any.

Every query is computed by a `LoadStack`, whatever the number of loads and moments.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, Protocol

import msgspec
import numpy as np

from simulators.load.daily_totals import (
    CACHED_PAGES,
    EMPTY_TABLE,
    PAGE_DAYS,
    DailyTotals,
    DailyTotalsTable,
    DailyValues,
)
from simulators.load.seeded_noise import Floats, Ints, uniform

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

_TWO_PI: Final = 2.0 * np.pi
# Waves of the uneven clock: period [ms], and amplitude as a share of the rate. No period is a
# multiple of another.
_WAVES: Final = ((2_820_000, 0.05), (437_000, 0.04), (61_000, 0.03))
_PERIODS: Final = np.asarray([period for period, _ in _WAVES]).reshape(-1, 1, 1)
#: Number of values (loads x moments) to compute at once: they fit into the processor's cache.
CHUNK_CELLS: Final = 2**14


class Load(Protocol):
    """The flow through a meter, as a function of time.

    A load that is only a sum of others may have a method `parts() -> Sequence[LoadPart]`. It
    returns the present parts, in the order in which they are added up. Without any part, the load
    itself has to be evaluated. A `SummedLoad` follows these parts down to the shaped loads and
    evaluates all of those at once. It calls `parts` for each reading, as the parts may change.
    """

    def consumption(self, t_ms: Ints) -> Floats:
        """Return the consumption up to each moment (UTC milliseconds) [canonical unit]."""

    def rate(self, t_ms: Ints) -> Floats:
        """Return the rate at each moment (UTC milliseconds) [canonical unit an hour]."""


class LoadPart(msgspec.Struct, frozen=True):
    """A load of a sum, and the factor by which the sum multiplies it."""

    factor: float
    load: Load


class DayShape:
    """The distribution of a day's total over its hours.

    Attributes:
        hours: relative rate at each full hour, of shape (24,). For several day shapes (n, 24);
            every query then has n rows.
    """

    def __init__(self, hours: Sequence[float] | Floats) -> None:
        self.hours: Final = np.asarray(hours, dtype=np.float64)
        rates = np.concatenate([self.hours, self.hours[..., :1]], axis=-1)
        areas = (rates[..., 1:] + rates[..., :-1]) / 2.0
        day = areas.sum(axis=-1, keepdims=True)
        share_until = np.cumsum(areas / day, axis=-1)
        # Both midnights are included; the rows are joined into a flat array.
        self._rates = (rates / day).ravel()
        self._share_until = np.concatenate([np.zeros_like(day), share_until], axis=-1).ravel()
        self._begins = np.arange(0, rates.size, rates.shape[-1]).reshape(day.shape)

    def share_until(self, hour: Floats) -> Floats:
        """Return the share of the day's total that is consumed before each hour, 0 to 1."""
        at, past, begin, slope = self._place(hour)
        return np.asarray(self._share_until[at] + begin * past + slope * past * past / 2.0)

    def rate(self, hour: Floats) -> Floats:
        """Return the rate at each hour, as a share of the day's total per hour."""
        _, past, begin, slope = self._place(hour)
        return np.asarray(begin + slope * past)

    def _place(self, hour: Floats) -> tuple[Ints, Floats, Floats, Floats]:
        full = np.minimum(hour.astype(np.int64), 23)
        at = self._begins + full
        begin = self._rates[at]
        return at, hour - full, begin, self._rates[at + 1] - begin


class LoadTerm(msgspec.Struct, frozen=True):
    """A term of a load: a total for each day [canonical unit], and the shape of the days."""

    totals: DailyValues
    shape: DayShape


class ShapedLoad:
    """A load that is a sum of terms over consecutive days.

    Its rate is 0 before the first day and after the last one.
    """

    def __init__(
        self,
        origin_ms: int,
        terms: Sequence[LoadTerm],
        noise_key: int,
        daily_factors: DailyValues | None = None,
    ) -> None:
        """Take the terms, which must be of equal length.

        Args:
            origin_ms: the first day's local midnight, as UTC.
            terms: at least one.
            noise_key: key of `seeded_noise` for the phases of the ripple.
            daily_factors: a factor for each day, common to all terms; None for no factor.
        """
        self.day_range = (origin_ms, len(terms[0].totals))
        self.shapes = tuple(term.shape for term in terms)
        self.daily_totals = DailyTotals([term.totals for term in terms], daily_factors)
        self.phases = _TWO_PI * uniform(noise_key, np.arange(len(_WAVES)))

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        stack = self._stack
        return evaluate_in_chunks(lambda some: stack.consumption(some)[0], t_ms, CHUNK_CELLS)

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        stack = self._stack
        return evaluate_in_chunks(lambda some: stack.rate(some)[0], t_ms, CHUNK_CELLS)

    @cached_property
    def _stack(self) -> "LoadStack":
        return LoadStack([self])


class LoadStack:
    """Shaped loads of the same days, computed together as arrays of shape (loads, moments)."""

    def __init__(self, loads: Sequence[ShapedLoad]) -> None:
        """Take at least one load."""
        self._origin_ms, self._days = loads[0].day_range
        self._daily_totals = [load.daily_totals for load in loads]
        self._phases = np.stack([load.phases for load in loads], axis=1)[:, :, np.newaxis]
        self._shape = DayShape(np.stack([shape.hours for load in loads for shape in load.shapes]))
        counts = np.asarray([len(load.shapes) for load in loads])
        self._load_of = np.repeat(np.arange(len(loads)), counts)  # by term
        self._terms = np.arange(len(self._load_of))[:, np.newaxis]
        # Group the first terms of all loads, then the second terms of the loads that have two, and
        # so on. Terms are added up in this order, so a load gives the same digits in any stack.
        first_terms = np.cumsum(counts) - counts
        self._nth_terms = [
            (np.flatnonzero(counts > nth), first_terms[counts > nth] + nth)
            for nth in range(counts.max())
        ]
        self._latest = EMPTY_TABLE

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        uneven_ms, _ = self._uneven_clock(t_ms)
        table, at, hour = self._place(uneven_ms)
        before = table.consumed_before[self._terms, at]
        since = table.totals[self._terms, at] * self._shape.share_until(hour)
        consumed = np.zeros(uneven_ms.shape)
        for loads, terms in self._nth_terms:
            consumed[loads] = consumed[loads] + before[terms] + since[terms]
        return consumed

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        uneven_ms, angles = self._uneven_clock(t_ms)
        table, at, hour = self._place(uneven_ms)
        rate_of_terms = table.totals[self._terms, at] * self._shape.rate(hour)
        rates = np.zeros(uneven_ms.shape)
        for loads, terms in self._nth_terms:
            rates[loads] = rates[loads] + rate_of_terms[terms]
        clock_rate = np.ones(uneven_ms.shape)
        for (_, depth), slope in zip(_WAVES, np.cos(angles), strict=True):
            clock_rate = clock_rate + depth * slope
        inside = (uneven_ms >= 0.0) & (uneven_ms < self._days * DAY_MS)
        return rates * np.where(inside, clock_rate, 0.0)

    def _uneven_clock(self, t_ms: Ints) -> tuple[Floats, Floats]:
        """Return the uneven clock's time since the first day [ms], and the angles of its waves.

        The angles have the shape (waves, loads, moments).
        """
        since = np.asarray(t_ms - self._origin_ms, dtype=np.float64)
        angles = _TWO_PI * since / _PERIODS + self._phases
        uneven_ms = since
        for (period, depth), height in zip(_WAVES, np.sin(angles), strict=True):
            uneven_ms = uneven_ms + depth * period / _TWO_PI * height
        return uneven_ms, angles

    def _place(self, uneven_ms: Floats) -> tuple[DailyTotalsTable, Ints, Floats]:
        """Return a table of daily totals, and each term's column in it and hour of the day."""
        uneven_ms = np.clip(uneven_ms, 0.0, self._days * DAY_MS)
        day = np.minimum((uneven_ms // DAY_MS).astype(np.int64), self._days - 1)
        hour = (uneven_ms - day * float(DAY_MS)) / HOUR_MS
        table = self._table(range(int(day.min()) // PAGE_DAYS, int(day.max()) // PAGE_DAYS + 1))
        return table, day[self._load_of] - table.first_day, hour[self._load_of]

    def _table(self, pages: range) -> DailyTotalsTable:
        """Return the table of all loads, from the cache where possible."""
        if self._latest.covers(pages):
            return self._latest
        table = DailyTotalsTable.stacked([totals.table(pages) for totals in self._daily_totals])
        if len(pages) <= CACHED_PAGES:
            self._latest = table
        return table


def evaluate_in_chunks(function: Callable[[Ints], Floats], t_ms: Ints, max_moments: int) -> Floats:
    """Call a function of many moments in chunks, to limit the memory that it takes.

    Args:
        function: function that returns a number for each moment.
        t_ms: the moments, UTC.
        max_moments: greatest number of moments in a chunk.
    """
    if len(t_ms) == 1:
        return function(t_ms)
    # A chunk ends at a long gap between moments: the days in the gap need not be computed.
    gaps = np.flatnonzero(np.abs(np.diff(t_ms)) > PAGE_DAYS * DAY_MS) + 1
    chunks = [
        run[at : at + max_moments]
        for run in np.split(t_ms, gaps)
        for at in range(0, len(run), max_moments)
    ]
    return np.concatenate([np.zeros(0), *map(function, chunks)])
