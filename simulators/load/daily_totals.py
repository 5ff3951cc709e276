"""Compute the daily totals of a load's terms, and their running sums. Pure.

Law: the figures of a day are available without keeping those of all days, and do not depend on the
order of the queries. Totals are computed on demand. The running sum is kept for the first day of
each page only. From there it is added up day by day, in the same order as before; so it equals the
running sum since the first day, to the last digit.
"""

from collections.abc import Sequence
from typing import Final, Protocol, Self

import msgspec
import numpy as np

from simulators.load.seeded_noise import Floats

PAGE_DAYS: Final = 64  # days
CACHED_PAGES: Final = 2  # pages: around midnight, the last day of one and the first day of the next


class DailyValues(Protocol):
    """A sequence with a number for each day, read in slices. A NumPy array is one."""

    def __len__(self) -> int:
        """Return the number of days."""

    def __getitem__(self, days: slice, /) -> Floats:
        """Return the numbers of these days."""


class Table(msgspec.Struct, frozen=True):
    """The days of consecutive pages.

    Attributes:
        pages: numbers of the pages.
        totals: consumption of each day, (terms, days) [canonical unit].
        before: consumption up to the beginning of each day, (terms, days) [canonical unit].
    """

    pages: range
    totals: Floats
    before: Floats

    @property
    def first(self) -> int:
        """The number of the first day in this table."""
        return self.pages.start * PAGE_DAYS

    def holds(self, pages: range) -> bool:
        """Return True if the table contains all of these pages."""
        return pages.start in self.pages and pages[-1] in self.pages

    def cut(self, pages: range) -> "Table":
        """Return a copy of some pages, so that the memory of the others can be freed."""
        days = slice(pages.start * PAGE_DAYS - self.first, pages.stop * PAGE_DAYS - self.first)
        return Table(pages, self.totals[:, days].copy(), self.before[:, days].copy())

    @classmethod
    def stacked(cls, tables: Sequence["Table"]) -> Self:
        """Stack tables of the same pages, one below the other."""
        return cls(
            tables[0].pages,
            np.concatenate([one.totals for one in tables]),
            np.concatenate([one.before for one in tables]),
        )


EMPTY_TABLE: Final = Table(range(0), np.zeros((0, 0)), np.zeros((0, 0)))


class DailyTotals:
    """Daily totals and running sums of the terms of a load."""

    def __init__(self, terms: Sequence[DailyValues], wobble: DailyValues | None = None) -> None:
        """Take the terms, which must be of equal length.

        Args:
            terms: the total of each day [canonical unit].
            wobble: a factor for each day, common to all terms; None for no factor.
        """
        self._terms = tuple(terms)
        self._wobble = wobble
        self._days = len(terms[0])
        self._before = np.zeros((1, len(terms)))  # (pages, terms), as far as they were wanted
        self._latest = EMPTY_TABLE

    def table(self, pages: range) -> Table:
        """Return the table of these pages, from the cache where possible.

        The latest pages are kept, because live readings ask for the same pages for months.
        """
        if self._latest.holds(pages):
            return self._latest.cut(pages)
        made = self._made(pages)
        if len(pages) <= CACHED_PAGES:
            self._latest = made
        return made

    def _made(self, pages: range) -> Table:
        known = len(self._before) - 1
        run = self._added(range(min(pages.start, known), pages.stop))
        if pages.stop > known:
            ends = (run.before + run.totals)[:, PAGE_DAYS - 1 :: PAGE_DAYS]
            self._before = np.concatenate([self._before[: run.pages.start + 1], ends.T])
        return run.cut(pages)

    def _added(self, pages: range) -> Table:
        """Add up pages; the running sum before the first of them must be known already."""
        days = slice(pages.start * PAGE_DAYS, min(pages.stop * PAGE_DAYS, self._days))
        totals = np.stack([term[days] for term in self._terms])
        if self._wobble is not None:
            totals = totals * self._wobble[days]
        before = self._before[pages.start][:, np.newaxis]
        steps = np.concatenate([before, totals[:, :-1]], axis=1)
        return Table(pages, totals, np.cumsum(steps, axis=1))
