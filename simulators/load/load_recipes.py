"""Recipes of loads, as `data/loads.toml` lists them, and the loads built from them. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from jieneng.metering.quantities import Medium
from jieneng.metering.site import AreaKind
from simulators.load.load import DayShape, LoadTerm, ShapedLoad
from simulators.load.load_drivers import DRIVERS
from simulators.load.seeded_noise import Floats, Ints, key, near_normal
from simulators.load.simulated_days import SimulatedDays

Basis = Literal["m2", "person", "rated"]

#: The recipe for meters without a default recipe, and for areas without a recorded size.
FALLBACK: Final = "nameplate"
_DAY_DEVIATION: Final = 0.04  # share of a day's total, as no two days are alike


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


class DefaultFor(msgspec.Struct, frozen=True, kw_only=True):
    """The meters for which a recipe is the default: by medium, kind of area and item."""

    medium: Medium
    kind: AreaKind
    item: str | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[recipe]]`."""

    name: str
    term: tuple[TermRow, ...]
    usual: tuple[DefaultFor, ...] = ()


class LoadRecipes(msgspec.Struct, frozen=True):
    """The whole of `data/loads.toml`."""

    shape: tuple[ShapeRow, ...]
    recipe: tuple[Recipe, ...]

    def named(self, name: str) -> Recipe:
        """Return the recipe of that name, which must exist."""
        return next(recipe for recipe in self.recipe if recipe.name == name)

    def usual(self, medium: str, kind: str, item: str | None) -> str:
        """Return the name of the default recipe for a medium, a kind of area and an item."""
        for recipe in self.recipe:
            for usual in recipe.usual:
                if (usual.medium, usual.kind, usual.item) == (medium, kind, item):
                    return recipe.name
        return FALLBACK


class DailyBasis(msgspec.Struct, frozen=True):
    """The factor of a term's amount on each day: `scale` x `size`."""

    scale: float
    size: Floats


class TermTotals(msgspec.Struct, frozen=True):
    """The total of a term on each day (see `daily_totals.DailyValues`): the product of these fields."""

    base: DailyBasis
    amount: float
    driver: Floats
    trend: Floats

    def __len__(self) -> int:
        return len(self.driver)

    def __getitem__(self, days: slice) -> Floats:
        sized = self.base.scale * self.base.size[days] * self.amount
        return np.asarray(sized * self.driver[days] * self.trend[days])


class DailyNoise(msgspec.Struct, frozen=True):
    """A random factor around 1 for each day, as no two days are alike (`daily_totals.DailyValues`)."""

    of: int
    number: Ints

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, days: slice) -> Floats:
        return np.asarray(1.0 + _DAY_DEVIATION * near_normal(self.of, self.number[days]))


class LoadFactory:
    """The shapes and drivers that all loads of a site share; each is kept once."""

    def __init__(self, book: LoadRecipes, days: SimulatedDays) -> None:
        self._shapes = {row.name: DayShape(row.hours) for row in book.shape}
        self._drivers = {name: driver(days) for name, driver in DRIVERS.items()}
        self._number = np.arange(len(days.dates))

    def load(
        self,
        recipe: Recipe,
        bases: Mapping[Basis, DailyBasis],
        *,
        trend: Floats,
        origin_ms: int,
        of: str,
    ) -> ShapedLoad:
        """Return the load of a recipe.

        Args:
            recipe: the terms of the load.
            bases: factor of the amounts on each day, by basis.
            trend: growth factor of the consumption for each day.
            origin_ms: the first day's local midnight, as UTC.
            of: text from which the keys of the noise are made: seed, site, meter.
        """
        terms = [
            LoadTerm(
                TermTotals(bases[row.basis], row.amount, self._drivers[row.driver], trend),
                self._shapes[row.shape],
            )
            for row in recipe.term
        ]
        return ShapedLoad(
            origin_ms, terms, key(of, "ripple"), DailyNoise(key(of, "days"), self._number)
        )
