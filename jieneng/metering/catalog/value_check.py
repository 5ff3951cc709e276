"""Check quantity, scale and unit of a point, by rules that are the same in every protocol. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from jieneng.metering import units
from jieneng.metering.catalog.meter_model import ModelHead, Point
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import QUANTITIES

Path = tuple[str | int, ...]

# Limits of a plausible scale. With a scale of 0, every reading would be 0.
_SMALLEST_SCALE: Final = Decimal("1e-18")
_LARGEST_SCALE: Final = Decimal("1e18")


def quantity_problems(point: Point, head: ModelHead, path: Path) -> Iterator[Problem]:
    """Yield a problem if the quantity is unknown, or does not belong to the model's medium."""
    quantity = QUANTITIES.get(point.quantity)
    if quantity is None or head.medium not in quantity.media:
        fitting = sorted(name for name, row in QUANTITIES.items() if head.medium in row.media)
        yield Problem(
            text="{quantity} is not a quantity of {medium}.",
            fix="Use one of: {known}.",
            values={
                "quantity": point.quantity,
                "medium": head.medium,
                "known": ", ".join(fitting),
            },
            path=(*path, "quantity"),
        )


def scale_problems(scale: Decimal, path: Path) -> Iterator[Problem]:
    """Yield a problem if a scale is implausibly small or large."""
    if not _SMALLEST_SCALE <= abs(scale) <= _LARGEST_SCALE:
        yield Problem(
            text="with scale = {scale} no register gives a reading.",
            fix="Write what one unit of the register is worth, as the manual says: 0.01, 1, 1000.",
            values={"scale": scale},
            path=(*path, "scale"),
        )


def unit_problems(point: Point, path: Path) -> Iterator[Problem]:
    """Yield a problem if a unit can't be converted to the quantity's canonical unit."""
    canonical = QUANTITIES[point.quantity].unit
    if point.unit is not None and point.unit not in units.convertible(canonical):
        yield Problem(
            text="{unit} is not a unit of {quantity}; its unit is {canonical}.",
            fix="Use a unit of the same dimension: {known}.",
            values={
                "unit": point.unit,
                "quantity": point.quantity,
                "canonical": canonical,
                "known": ", ".join(units.convertible(canonical)),
            },
            path=(*path, "unit"),
        )
