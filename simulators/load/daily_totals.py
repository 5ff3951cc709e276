"""What the terms of a load come to, day by day. Pure.

Law: any day's figures can be had without keeping those of all days, and are the same however they
are asked for. Totals are worked out when they are wanted. What had flowed before is remembered for
the first day of each page only, and is added up from there as it was added up to there, day by day;
so it is the running sum since the first day, to the last digit.
"""

from collections.abc import Sequence
from typing import Final, Protocol, Self

import msgspec
import numpy as np

from simulators.load.seeded_noise import Floats

PAGE: Final = 64  # days
KEPT: Final = 2  # pages: around midnight, the last day of one and the first day of the next


class ByDay(Protocol):
    """A number for each day, of which a stretch is asked for. An array is one."""

    def __len__(self) -> int:
        """How many days there are."""

    def __getitem__(self, days: slice, /) -> Floats:
        """The numbers of these days."""


class Table(msgspec.Struct, frozen=True):
    """The days of consecutive pages.

    Attributes:
        pages: their numbers.
        totals: (terms, days), what flows on each day [canonical unit].
        before: (terms, days), what had flowed when it began.
    """

    pages: range
    totals: Floats
    before: Floats

    @property
    def first(self) -> int:
        """The number of its first day."""
        return self.pages.start * PAGE

    def holds(self, pages: range) -> bool:
        """Whether it has these pages."""
        return pages.start in self.pages and pages[-1] in self.pages

    def cut(self, pages: range) -> "Table":
        """Some of its pages, copied, so that the others can be forgotten."""
        days = slice(pages.start * PAGE - self.first, pages.stop * PAGE - self.first)
        return Table(pages, self.totals[:, days].copy(), self.before[:, days].copy())

    @classmethod
    def stacked(cls, tables: Sequence["Table"]) -> Self:
        """Tables of the same pages, one below the other."""
        return cls(
            tables[0].pages,
            np.concatenate([one.totals for one in tables]),
            np.concatenate([one.before for one in tables]),
        )


NO_TABLE: Final = Table(range(0), np.zeros((0, 0)), np.zeros((0, 0)))


class Tally:
    """The terms of one load."""

    def __init__(self, terms: Sequence[ByDay], wobble: ByDay | None = None) -> None:
        """Terms of equal length.

        Args:
            terms: the total of each day [canonical unit].
            wobble: what all of them are multiplied with, if with anything.
        """
        self._terms = tuple(terms)
        self._wobble = wobble
        self._days = len(terms[0])
        self._before = np.zeros((1, len(terms)))  # (pages, terms), as far as they were wanted
        self._latest = NO_TABLE

    def table(self, pages: range) -> Table:
        """The days of these pages. The latest are kept: who reads live needs them for months."""
        if self._latest.holds(pages):
            return self._latest.cut(pages)
        made = self._made(pages)
        if len(pages) <= KEPT:
            self._latest = made
        return made

    def _made(self, pages: range) -> Table:
        known = len(self._before) - 1
        run = self._added(range(min(pages.start, known), pages.stop))
        if pages.stop > known:
            ends = (run.before + run.totals)[:, PAGE - 1 :: PAGE]
            self._before = np.concatenate([self._before[: run.pages.start + 1], ends.T])
        return run.cut(pages)

    def _added(self, pages: range) -> Table:
        """Pages, of which it is known what had flowed before the first one."""
        days = slice(pages.start * PAGE, min(pages.stop * PAGE, self._days))
        totals = np.stack([term[days] for term in self._terms])
        if self._wobble is not None:
            totals = totals * self._wobble[days]
        before = self._before[pages.start][:, np.newaxis]
        steps = np.concatenate([before, totals[:, :-1]], axis=1)
        return Table(pages, totals, np.cumsum(steps, axis=1))
