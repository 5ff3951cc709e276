"""What flows through a meter, at any moment of any year. Pure.

Law: a load is a function of time alone. `consumption` is what has flowed since the load began, and
never falls; `rate` is its derivative. History and live readings ask the same function, so they
agree to the last digit.

A shaped load is a sum of terms. A term has a total for each day, and a shape that spreads it over
the day; so any moment costs one look-up. The shape's rate is linear between full hours. Days have
24 hours everywhere: where summer time is kept, a load stays with the offset from UTC of its first
day. On top of that time itself runs a little unevenly (a sum of slow waves), which makes the power
ripple as on a real board without losing anything: a bent clock can't.

One load and a thousand, one moment and a year of them take the same way, through a `Stack`.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, Protocol

import msgspec
import numpy as np

from simulators.load.daily_totals import KEPT, NO_TABLE, PAGE, ByDay, Table, Tally
from simulators.load.seeded_noise import Floats, Ints, uniform

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

_TURN: Final = 2.0 * np.pi
# Periods [ms] of the waves, none a multiple of another, and how far each bends the rate.
_WAVES: Final = ((2_820_000, 0.05), (437_000, 0.04), (61_000, 0.03))
_PERIODS: Final = np.asarray([period for period, _ in _WAVES]).reshape(-1, 1, 1)
CELLS: Final = 2**14  # loads x moments that are best worked out at once, to stay in the cache


class Load(Protocol):
    """What flows through a meter.

    A load that is but a sum of others may say so with a method `parts() -> Sequence[Part]`: those
    that it consists of at this moment, in the order in which it adds them up. None at all means
    that it has to be asked itself. A `Sum` looks through such loads, down to the shaped ones, and
    asks those all at once; it asks anew for each reading, so a load may change its mind.
    """

    def consumption(self, t_ms: Ints) -> Floats:
        """What has flowed until then [canonical unit], for UTC milliseconds."""

    def rate(self, t_ms: Ints) -> Floats:
        """What flows at that moment [canonical unit an hour]."""


class Part(msgspec.Struct, frozen=True):
    """A load that counts `times` in a sum."""

    times: float
    load: Load


class Shape:
    """How a day's total is spread over its hours.

    Attributes:
        hours: the relative rate at each full hour, (24,); or (shapes, 24), to be asked for the
            hours of as many rows.
    """

    def __init__(self, hours: Sequence[float] | Floats) -> None:
        self.hours: Final = np.asarray(hours, dtype=np.float64)
        rates = np.concatenate([self.hours, self.hours[..., :1]], axis=-1)
        areas = (rates[..., 1:] + rates[..., :-1]) / 2.0
        day = areas.sum(axis=-1, keepdims=True)
        until = np.cumsum(areas / day, axis=-1)
        # Both midnights are included, and rows stand one behind the other.
        self._rates = (rates / day).ravel()
        self._until = np.concatenate([np.zeros_like(day), until], axis=-1).ravel()
        self._begins = np.arange(0, rates.size, rates.shape[-1]).reshape(day.shape)

    def until(self, hour: Floats) -> Floats:
        """The share of the day's total that has flowed by that hour, 0 to 1."""
        at, past, begin, slope = self._place(hour)
        return np.asarray(self._until[at] + begin * past + slope * past * past / 2.0)

    def rate(self, hour: Floats) -> Floats:
        """The share of the day's total that flows an hour."""
        _, past, begin, slope = self._place(hour)
        return np.asarray(begin + slope * past)

    def _place(self, hour: Floats) -> tuple[Ints, Floats, Floats, Floats]:
        full = np.minimum(hour.astype(np.int64), 23)
        at = self._begins + full
        begin = self._rates[at]
        return at, hour - full, begin, self._rates[at + 1] - begin


class Term(msgspec.Struct, frozen=True):
    """One part of a load: a total for each day [canonical unit], and its shape."""

    totals: ByDay
    shape: Shape


class Shaped:
    """Terms over consecutive days.

    Before the first day nothing has flowed, and after the last one nothing flows any more.
    """

    def __init__(
        self, origin_ms: int, terms: Sequence[Term], of: int, wobble: ByDay | None = None
    ) -> None:
        """Terms of equal length.

        Args:
            origin_ms: the first day's local midnight, as UTC.
            terms: at least one.
            of: a key of `noise`, from which the ripple's phases come.
            wobble: what the totals of each day are multiplied with, if with anything.
        """
        self.span = (origin_ms, len(terms[0].totals))
        self.shapes = tuple(term.shape for term in terms)
        self.tally = Tally([term.totals for term in terms], wobble)
        self.phases = _TURN * uniform(of, np.arange(len(_WAVES)))

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return in_pieces(lambda some: self._alone.consumption(some)[0], t_ms, CELLS)

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return in_pieces(lambda some: self._alone.rate(some)[0], t_ms, CELLS)

    @cached_property
    def _alone(self) -> "Stack":
        return Stack([self])


class Stack:
    """Shaped loads of the same days, asked at once: a row each, (loads, moments)."""

    def __init__(self, loads: Sequence[Shaped]) -> None:
        """At least one."""
        self._origin_ms, self._days = loads[0].span
        self._tallies = [load.tally for load in loads]
        self._phases = np.stack([load.phases for load in loads], axis=1)[:, :, np.newaxis]
        self._shape = Shape(np.stack([one.hours for load in loads for one in load.shapes]))
        counts = np.asarray([len(load.shapes) for load in loads])
        self._load_of = np.repeat(np.arange(len(loads)), counts)  # by term
        self._terms = np.arange(len(self._load_of))[:, np.newaxis]
        # The first term of every load, the second one of those that have two, and so on: terms
        # are added up in their order, so a load gives the same digits in every company.
        begins = np.cumsum(counts) - counts
        self._turns = [
            (np.flatnonzero(counts > turn), begins[counts > turn] + turn)
            for turn in range(counts.max())
        ]
        self._latest = NO_TABLE

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
        """Bent time since the first day [ms], and the waves' angles, (waves, loads, moments)."""
        since = np.asarray(t_ms - self._origin_ms, dtype=np.float64)
        angles = _TURN * since / _PERIODS + self._phases
        bent = since
        for (period, depth), height in zip(_WAVES, np.sin(angles), strict=True):
            bent = bent + depth * period / _TURN * height
        return bent, angles

    def _place(self, bent: Floats) -> tuple[Table, Ints, Floats]:
        """A table, and for each term its column there and the hour of that day."""
        bent = np.clip(bent, 0.0, self._days * DAY_MS)
        day = np.minimum((bent // DAY_MS).astype(np.int64), self._days - 1)
        hour = (bent - day * float(DAY_MS)) / HOUR_MS
        table = self._table(range(int(day.min()) // PAGE, int(day.max()) // PAGE + 1))
        return table, day[self._load_of] - table.first, hour[self._load_of]

    def _table(self, pages: range) -> Table:
        """The days of all loads; the latest are kept, as in a `Tally`."""
        if self._latest.holds(pages):
            return self._latest
        table = Table.stacked([tally.table(pages) for tally in self._tallies])
        if len(pages) <= KEPT:
            self._latest = table
        return table


def in_pieces(asked: Callable[[Ints], Floats], t_ms: Ints, most: int) -> Floats:
    """What is asked for many moments, without working out too much at once.

    Args:
        asked: gives a number for each moment.
        t_ms: the moments.
        most: how many may be asked at once.
    """
    if len(t_ms) == 1:
        return asked(t_ms)
    # Where moments lie far apart, the days in between would be worked out in vain.
    far = np.flatnonzero(np.abs(np.diff(t_ms)) > PAGE * DAY_MS) + 1
    pieces = [run[at : at + most] for run in np.split(t_ms, far) for at in range(0, len(run), most)]
    return np.concatenate([np.zeros(0), *map(asked, pieces)])
