"""What loads are made of, as `data/loads.toml` says it, and a load made of it. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from jieneng.metering.quantities import Medium
from jieneng.metering.site import AreaKind
from simulators.load.load import Shape, Shaped, Term
from simulators.load.load_drivers import DRIVERS
from simulators.load.seeded_noise import Floats, Ints, bell, key
from simulators.load.simulated_days import Days

Basis = Literal["m2", "person", "rated"]

#: For what no recipe is usual for, and where an area says nothing of its size.
FALLBACK: Final = "nameplate"
_DAY_DEVIATION: Final = 0.04  # of a day's total, as no two days are alike


class ShapeRow(msgspec.Struct, frozen=True):
    """A `[[shape]]`."""

    name: str
    hours: tuple[float, ...]


class TermRow(msgspec.Struct, frozen=True, kw_only=True):
    """A term of a recipe; its keys are explained in the file."""

    basis: Basis
    driver: str
    amount: float
    shape: str


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """Which meters a recipe is usual for."""

    medium: Medium
    kind: AreaKind
    item: str | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[recipe]]`."""

    name: str
    term: tuple[TermRow, ...]
    usual: tuple[Usual, ...] = ()


class Book(msgspec.Struct, frozen=True):
    """The whole of `data/loads.toml`."""

    shape: tuple[ShapeRow, ...]
    recipe: tuple[Recipe, ...]

    def named(self, name: str) -> Recipe:
        """The recipe of that name, which is there."""
        return next(recipe for recipe in self.recipe if recipe.name == name)

    def usual(self, medium: str, kind: str, item: str | None) -> str:
        """The name of the recipe for a meter of that medium and item in that kind of area."""
        for recipe in self.recipe:
            for usual in recipe.usual:
                if (usual.medium, usual.kind, usual.item) == (medium, kind, item):
                    return recipe.name
        return FALLBACK


class Base(msgspec.Struct, frozen=True):
    """What one unit of amount stands for on each day: `scale` x `size`."""

    scale: float
    size: Floats


class Totals(msgspec.Struct, frozen=True):
    """What a term comes to on each day (see `tally.ByDay`): the product of all that stands here."""

    base: Base
    amount: float
    driver: Floats
    trend: Floats

    def __len__(self) -> int:
        return len(self.driver)

    def __getitem__(self, days: slice) -> Floats:
        sized = self.base.scale * self.base.size[days] * self.amount
        return np.asarray(sized * self.driver[days] * self.trend[days])


class Wobble(msgspec.Struct, frozen=True):
    """How much more than usual flows on each day, as no two are alike (see `tally.ByDay`)."""

    of: int
    number: Ints

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, days: slice) -> Floats:
        return np.asarray(1.0 + _DAY_DEVIATION * bell(self.of, self.number[days]))


class Makings:
    """What all loads of a centre are made of; each thing is there once."""

    def __init__(self, book: Book, days: Days) -> None:
        self._shapes = {row.name: Shape(row.hours) for row in book.shape}
        self._drivers = {name: driver(days) for name, driver in DRIVERS.items()}
        self._number = np.arange(len(days.dates))

    def load(
        self,
        recipe: Recipe,
        bases: Mapping[Basis, Base],
        *,
        trend: Floats,
        origin_ms: int,
        of: str,
    ) -> Shaped:
        """The load of a recipe.

        Args:
            recipe: what it is made of.
            bases: what the amounts are of.
            trend: for each day, how much more flows than on the first one.
            origin_ms: the first day's local midnight, as UTC.
            of: what the noise is a function of: seed, site, meter.
        """
        terms = [
            Term(
                Totals(bases[row.basis], row.amount, self._drivers[row.driver], trend),
                self._shapes[row.shape],
            )
            for row in recipe.term
        ]
        return Shaped(origin_ms, terms, key(of, "ripple"), Wobble(key(of, "days"), self._number))
