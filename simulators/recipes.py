"""What loads are made of, as `data/loads.toml` says it, and a load made of it. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from jieneng.metering.quantities import Medium
from jieneng.metering.site import AreaKind
from simulators.days import Days
from simulators.drivers import DRIVERS
from simulators.load import Shape, Shaped, Term
from simulators.noise import Floats, bell, key

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


def shaped(
    book: Book,
    recipe: Recipe,
    days: Days,
    bases: Mapping[Basis, Floats],
    *,
    trend: Floats,
    origin_ms: int,
    of: str,
) -> Shaped:
    """The load of a recipe.

    Args:
        book: where the shapes are.
        recipe: what it is made of.
        days: the simulated days.
        bases: for each day, what one unit of amount stands for.
        trend: for each day, how much more flows than on the first one.
        origin_ms: the first day's local midnight, as UTC.
        of: what the noise is a function of: seed, site, meter.
    """
    shapes = {row.name: Shape(row.hours) for row in book.shape}
    number = np.arange(len(days.dates))
    wobble = 1.0 + _DAY_DEVIATION * bell(key(of, "days"), number)
    terms = [
        Term(
            row.amount * bases[row.basis] * DRIVERS[row.driver](days) * trend * wobble,
            shapes[row.shape],
        )
        for row in recipe.term
    ]
    return Shaped(origin_ms, terms, key(of, "ripple"))
