"""Compute the flow through a meter, at any moment of any year. Pure.

Law: a load is a function of time alone. `consumption` is the amount since the load began, and never
falls; `rate` is its derivative. History and live readings ask the same function, so they agree to
the last digit.

A shaped load is a sum of terms. A term has a total for each day, and a shape that spreads it over
the day; so any moment costs one look-up. The shape's rate is linear between full hours. Days have
24 hours everywhere: where summer time is kept, a load stays with the offset from UTC of its first
day. In addition, the load's clock runs a little unevenly (a sum of slow waves). The power therefore
ripples as on a real switchboard, but the totals stay exact: an uneven clock only shifts consumption
in time, it neither adds nor removes any.

All queries go through a `LoadStack`: for a single load or a thousand, for a moment or a whole year.
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
    DailyValues,
    Table,
)
from simulators.load.seeded_noise import Floats, Ints, uniform

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

_TURN: Final = 2.0 * np.pi
# Periods [ms] of the waves, none a multiple of another, and the share of the rate that each adds.
_WAVES: Final = ((2_820_000, 0.05), (437_000, 0.04), (61_000, 0.03))
_PERIODS: Final = np.asarray([period for period, _ in _WAVES]).reshape(-1, 1, 1)
CHUNK_CELLS: Final = 2**14  # loads x moments that are best worked out at once, to stay in the cache


class Load(Protocol):
    """The flow through a meter, as a function of time.

    A load that is only a sum of others may have a method `parts() -> Sequence[Part]`. It returns
    the parts of the moment, in the order in which they are added up. An empty sequence means that
    the load has to be asked itself. A `SummedLoad` follows these parts down to the shaped loads and asks
    all of those at once. It calls `parts` again for each reading, as the parts may change.
    """

    def consumption(self, t_ms: Ints) -> Floats:
        """Return the consumption up to each moment (UTC milliseconds) [canonical unit]."""

    def rate(self, t_ms: Ints) -> Floats:
        """Return the rate at each moment (UTC milliseconds) [canonical unit an hour]."""


class Part(msgspec.Struct, frozen=True):
    """A load and the factor (`times`) with which a sum counts it."""

    times: float
    load: Load


class DayShape:
    """The distribution of a day's total over its hours.

    Attributes:
        hours: relative rate at each full hour, (24,); or (shapes, 24) for several shapes, with a
            row of hours for each of them in every query.
    """

    def __init__(self, hours: Sequence[float] | Floats) -> None:
        self.hours: Final = np.asarray(hours, dtype=np.float64)
        rates = np.concatenate([self.hours, self.hours[..., :1]], axis=-1)
        areas = (rates[..., 1:] + rates[..., :-1]) / 2.0
        day = areas.sum(axis=-1, keepdims=True)
        until = np.cumsum(areas / day, axis=-1)
        # Both midnights are included; the rows are joined into a flat array.
        self._rates = (rates / day).ravel()
        self._until = np.concatenate([np.zeros_like(day), until], axis=-1).ravel()
        self._begins = np.arange(0, rates.size, rates.shape[-1]).reshape(day.shape)

    def until(self, hour: Floats) -> Floats:
        """Return the share of the day's total that has flowed by that hour, 0 to 1."""
        at, past, begin, slope = self._place(hour)
        return np.asarray(self._until[at] + begin * past + slope * past * past / 2.0)

    def rate(self, hour: Floats) -> Floats:
        """Return the rate at that hour, as a share of the day's total an hour."""
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
        self, origin_ms: int, terms: Sequence[LoadTerm], of: int, wobble: DailyValues | None = None
    ) -> None:
        """Take the terms, which must be of equal length.

        Args:
            origin_ms: the first day's local midnight, as UTC.
            terms: at least one.
            of: key of `seeded_noise`, from which the phases of the ripple are drawn.
            wobble: a factor for each day, common to all terms; None for no factor.
        """
        self.span = (origin_ms, len(terms[0].totals))
        self.shapes = tuple(term.shape for term in terms)
        self.tally = DailyTotals([term.totals for term in terms], wobble)
        self.phases = _TURN * uniform(of, np.arange(len(_WAVES)))

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return evaluate_in_chunks(lambda some: self._alone.consumption(some)[0], t_ms, CHUNK_CELLS)

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return evaluate_in_chunks(lambda some: self._alone.rate(some)[0], t_ms, CHUNK_CELLS)

    @cached_property
    def _alone(self) -> "LoadStack":
        return LoadStack([self])


class LoadStack:
    """Shaped loads of the same days, computed together: a row for each, (loads, moments)."""

    def __init__(self, loads: Sequence[ShapedLoad]) -> None:
        """Take at least one load."""
        self._origin_ms, self._days = loads[0].span
        self._tallies = [load.tally for load in loads]
        self._phases = np.stack([load.phases for load in loads], axis=1)[:, :, np.newaxis]
        self._shape = DayShape(np.stack([one.hours for load in loads for one in load.shapes]))
        counts = np.asarray([len(load.shapes) for load in loads])
        self._load_of = np.repeat(np.arange(len(loads)), counts)  # by term
        self._terms = np.arange(len(self._load_of))[:, np.newaxis]
        # The first term of every load, the second one of those that have two, and so on: terms
        # are added up in their order, so a load gives the same digits in any stack.
        begins = np.cumsum(counts) - counts
        self._turns = [
            (np.flatnonzero(counts > turn), begins[counts > turn] + turn)
            for turn in range(counts.max())
        ]
        self._latest = EMPTY_TABLE

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        bent, _ = self._bend(t_ms)
        table, at, hour = self._place(bent)
        before = table.before[self._terms, at]
        since = table.totals[self._terms, at] * self._shape.until(hour)
        flowed = np.zeros(bent.shape)
        for loads, terms in self._turns:
            flowed[loads] = flowed[loads] + before[terms] + since[terms]
        return flowed

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        bent, angles = self._bend(t_ms)
        table, at, hour = self._place(bent)
        flow = table.totals[self._terms, at] * self._shape.rate(hour)
        flows = np.zeros(bent.shape)
        for loads, terms in self._turns:
            flows[loads] = flows[loads] + flow[terms]
        pace = np.ones(bent.shape)
        for (_, depth), slope in zip(_WAVES, np.cos(angles), strict=True):
            pace = pace + depth * slope
        inside = (bent >= 0.0) & (bent < self._days * DAY_MS)
        return flows * np.where(inside, pace, 0.0)

    def _bend(self, t_ms: Ints) -> tuple[Floats, Floats]:
        """Return the uneven clock's time since the first day [ms], and the angles of its waves.

        The angles have the shape (waves, loads, moments).
        """
        since = np.asarray(t_ms - self._origin_ms, dtype=np.float64)
        angles = _TURN * since / _PERIODS + self._phases
        bent = since
        for (period, depth), height in zip(_WAVES, np.sin(angles), strict=True):
            bent = bent + depth * period / _TURN * height
        return bent, angles

    def _place(self, bent: Floats) -> tuple[Table, Ints, Floats]:
        """Return a table, and for each term its column in the table and the hour of that day."""
        bent = np.clip(bent, 0.0, self._days * DAY_MS)
        day = np.minimum((bent // DAY_MS).astype(np.int64), self._days - 1)
        hour = (bent - day * float(DAY_MS)) / HOUR_MS
        table = self._table(range(int(day.min()) // PAGE_DAYS, int(day.max()) // PAGE_DAYS + 1))
        return table, day[self._load_of] - table.first, hour[self._load_of]

    def _table(self, pages: range) -> Table:
        """Return the table of all loads; the latest pages are kept, as in a `DailyTotals`."""
        if self._latest.holds(pages):
            return self._latest
        table = Table.stacked([tally.table(pages) for tally in self._tallies])
        if len(pages) <= CACHED_PAGES:
            self._latest = table
        return table


def evaluate_in_chunks(asked: Callable[[Ints], Floats], t_ms: Ints, most: int) -> Floats:
    """Call a function of many moments in pieces, to limit the memory it takes.

    Args:
        asked: function that returns a number for each moment.
        t_ms: the moments, UTC.
        most: greatest number of moments in a piece.
    """
    if len(t_ms) == 1:
        return asked(t_ms)
    # Between moments that are far apart, the days would be computed in vain.
    far = np.flatnonzero(np.abs(np.diff(t_ms)) > PAGE_DAYS * DAY_MS) + 1
    pieces = [run[at : at + most] for run in np.split(t_ms, far) for at in range(0, len(run), most)]
    return np.concatenate([np.zeros(0), *map(asked, pieces)])
