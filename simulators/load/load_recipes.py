"""Build loads from the recipes in `data/loads.toml`. Pure.

A recipe is a list of terms, for example lighting, cooling and lifts. Each term has an amount, its
distribution over the year (driver), and its distribution over the day (shape).
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from jieneng.metering.quantities import Medium
from jieneng.metering.site import AreaKind
from simulators.load.load import DayShape, LoadTerm, ShapedLoad
from simulators.load.load_drivers import DRIVERS
from simulators.load.seeded_noise import Floats, Ints, near_normal, noise_key
from simulators.load.simulated_days import SimulatedDays

Basis = Literal["m2", "person", "rated"]

#: Name of the recipe for meters without a default recipe, and for areas without a recorded size.
FALLBACK: Final = "nameplate"
#: Standard deviation of the random factor by which each day's consumption is multiplied.
_DAY_DEVIATION: Final = 0.04


class ShapeRow(msgspec.Struct, frozen=True):
    """A `[[shape]]`."""

    name: str
    hours: tuple[float, ...]


class TermRow(msgspec.Struct, frozen=True, kw_only=True):
    """A term of a recipe. Its keys are explained in `data/loads.toml`."""

    basis: Basis
    driver: str
    amount: float
    shape: str


class DefaultFor(msgspec.Struct, frozen=True, kw_only=True):
    """Medium, kind of area and item of the meters for which a recipe is the default."""

    medium: Medium
    kind: AreaKind
    item: str | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[recipe]]`."""

    name: str
    term: tuple[TermRow, ...]
    default_for: tuple[DefaultFor, ...] = ()


class LoadRecipes(msgspec.Struct, frozen=True):
    """The whole of `data/loads.toml`."""

    shape: tuple[ShapeRow, ...]
    recipe: tuple[Recipe, ...]

    def by_name(self, name: str) -> Recipe:
        """Return the recipe of that name, which must exist."""
        return next(recipe for recipe in self.recipe if recipe.name == name)

    def default_recipe(self, medium: str, kind: str, item: str | None) -> str:
        """Return the name of the default recipe for a medium, a kind of area and an item."""
        for recipe in self.recipe:
            for row in recipe.default_for:
                if (row.medium, row.kind, row.item) == (medium, kind, item):
                    return recipe.name
        return FALLBACK


class DailyBasis(msgspec.Struct, frozen=True):
    """The factor by which a term's amount is multiplied on each day: `scale` times `size`.

    Attributes:
        scale: constant factor.
        size: a number for each day, for example the floor area [m2].
    """

    scale: float
    size: Floats


class TermTotals(msgspec.Struct, frozen=True):
    """The total of a term on each day: the product of all fields. Implements `DailyValues`."""

    basis: DailyBasis
    amount: float
    driver: Floats
    trend: Floats

    def __len__(self) -> int:
        return len(self.driver)

    def __getitem__(self, days: slice) -> Floats:
        amounts = self.basis.scale * self.basis.size[days] * self.amount
        return np.asarray(amounts * self.driver[days] * self.trend[days])


class DailyNoise(msgspec.Struct, frozen=True):
    """A random factor around 1 for each day. Implements `DailyValues`."""

    key: int
    day_numbers: Ints

    def __len__(self) -> int:
        return len(self.day_numbers)

    def __getitem__(self, days: slice) -> Floats:
        return np.asarray(1.0 + _DAY_DEVIATION * near_normal(self.key, self.day_numbers[days]))


class LoadFactory:
    """Builds the loads of a site from recipes; holds the shapes and drivers that they share."""

    def __init__(self, recipes: LoadRecipes, days: SimulatedDays) -> None:
        self._shapes = {row.name: DayShape(row.hours) for row in recipes.shape}
        self._drivers = {name: driver(days) for name, driver in DRIVERS.items()}
        self._day_numbers = np.arange(len(days.dates))

    def load(
        self,
        recipe: Recipe,
        bases: Mapping[Basis, DailyBasis],
        *,
        trend: Floats,
        origin_ms: int,
        noise_name: str,
    ) -> ShapedLoad:
        """Return the load of a recipe.

        Args:
            recipe: the terms of the load.
            bases: for each basis, the factor of the amounts on each day.
            trend: growth factor of the consumption for each day.
            origin_ms: local midnight at the start of the first day, UTC.
            noise_name: text that seeds the random factors: seed, site and meter.
        """
        terms = [
            LoadTerm(
                TermTotals(bases[row.basis], row.amount, self._drivers[row.driver], trend),
                self._shapes[row.shape],
            )
            for row in recipe.term
        ]
        return ShapedLoad(
            origin_ms,
            terms,
            noise_key(noise_name, "ripple"),
            DailyNoise(noise_key(noise_name, "days"), self._day_numbers),
        )
