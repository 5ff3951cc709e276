"""Compute the daily totals of a load's terms, and their running sums, in pages of 64 days.

A load is a sum of terms (`load_recipes`), for example lighting and cooling. To save memory, only
the running sum at the start of each page is kept. Totals are computed when they are queried, and
the running sum is continued from the start of the page, day by day.

Law: the order of queries never changes a result. A running sum always equals the sum of all daily
totals since the first day, added up in the order of the days, to the last digit.
"""

from collections.abc import Sequence
from typing import Final, Protocol, Self

import msgspec
import numpy as np

from simulators.load.seeded_noise import Floats

#: Days of a page.
PAGE_DAYS: Final = 64
#: Number of latest pages that are kept. Two, because queries around the end of a page need both
#: that page and the next one.
CACHED_PAGES: Final = 2


class DailyValues(Protocol):
    """A sequence with a number for each day, read in slices; for example a NumPy array."""

    def __len__(self) -> int:
        """Return the number of days."""

    def __getitem__(self, days: slice, /) -> Floats:
        """Return the numbers of the given days."""


class DailyTotalsTable(msgspec.Struct, frozen=True):
    """Totals and running sums of all days in some consecutive pages.

    Attributes:
        pages: numbers of the pages.
        totals: consumption of each day, (terms, days) [canonical unit].
        consumed_before: consumption up to the start of each day, (terms, days) [canonical unit].
    """

    pages: range
    totals: Floats
    consumed_before: Floats

    @property
    def first_day(self) -> int:
        """The number of the first day in this table."""
        return self.pages.start * PAGE_DAYS

    def covers(self, pages: range) -> bool:
        """Return True if the table contains all given pages."""
        return pages.start in self.pages and pages[-1] in self.pages

    def copy_of(self, pages: range) -> "DailyTotalsTable":
        """Return a copy of the given pages, so that the memory of the whole table can be freed."""
        begin, end = pages.start * PAGE_DAYS, pages.stop * PAGE_DAYS
        days = slice(begin - self.first_day, end - self.first_day)
        return DailyTotalsTable(
            pages, self.totals[:, days].copy(), self.consumed_before[:, days].copy()
        )

    @classmethod
    def stacked(cls, tables: Sequence["DailyTotalsTable"]) -> Self:
        """Stack tables of the same pages: the terms of the first table, then those of the next."""
        return cls(
            tables[0].pages,
            np.concatenate([table.totals for table in tables]),
            np.concatenate([table.consumed_before for table in tables]),
        )


EMPTY_TABLE: Final = DailyTotalsTable(range(0), np.zeros((0, 0)), np.zeros((0, 0)))


class DailyTotals:
    """Daily totals and running sums of the terms of a load."""

    def __init__(
        self, terms: Sequence[DailyValues], daily_factors: DailyValues | None = None
    ) -> None:
        """Create the totals.

        Args:
            terms: for each term, its total of each day [canonical unit]; all of equal length.
            daily_factors: a factor for each day, common to all terms; None for no factor.
        """
        self._terms = tuple(terms)
        self._daily_factors = daily_factors
        self._days = len(terms[0])
        # Running sums at the starts of pages, (pages, terms), up to the latest page ever queried.
        self._consumed_before_pages = np.zeros((1, len(terms)))
        self._latest = EMPTY_TABLE

    def table(self, pages: range) -> DailyTotalsTable:
        """Return the table of the given pages, from the cache if possible.

        The pages of the latest query are cached, because live readings need the same pages for
        months.
        """
        if self._latest.covers(pages):
            return self._latest.copy_of(pages)
        computed = self._computed(pages)
        if len(pages) <= CACHED_PAGES:
            self._latest = computed
        return computed

    def _computed(self, pages: range) -> DailyTotalsTable:
        known_pages = len(self._consumed_before_pages) - 1
        summed = self._summed(range(min(pages.start, known_pages), pages.stop))
        if pages.stop > known_pages:
            page_ends = (summed.consumed_before + summed.totals)[:, PAGE_DAYS - 1 :: PAGE_DAYS]
            before = self._consumed_before_pages[: summed.pages.start + 1]
            self._consumed_before_pages = np.concatenate([before, page_ends.T])
        return summed.copy_of(pages)

    def _summed(self, pages: range) -> DailyTotalsTable:
        """Compute the given pages. The running sum at the start of the first one must be known."""
        days = slice(pages.start * PAGE_DAYS, min(pages.stop * PAGE_DAYS, self._days))
        totals = np.stack([term[days] for term in self._terms])
        if self._daily_factors is not None:
            totals = totals * self._daily_factors[days]
        consumed_before = self._consumed_before_pages[pages.start][:, np.newaxis]
        increments = np.concatenate([consumed_before, totals[:, :-1]], axis=1)
        return DailyTotalsTable(pages, totals, np.cumsum(increments, axis=1))
