"""Meter models: which register holds which quantity. Each model is one TOML file with its source.

Pure: parsed documents in, models out. Reading the files is `jieneng.site_folder`'s work.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jieneng.metering import units
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.registers import TYPES, orders

Confidence = Literal["manual", "implementation", "reported"]
Ratio = Literal["ct", "pt"]


class PointRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[point]]`: one quantity in one place.

    Attributes:
        function: Modbus function that reads it: 3 holding, 4 input registers.
        address: as sent on the wire, 0-based.
        type: how the number lies in registers, a name in `registers.TYPES`.
        order: byte order; big-endian where omitted.
        scale: what one unit of the register is worth, in `unit`. Kept as the decimal written.
        unit: the unit of register times scale; the quantity's canonical one where omitted.
        ratio: the transformer ratios that the register does not contain.
        modulus: where the register wraps, in the canonical unit, before ratios.
    """

    quantity: str
    function: Literal[3, 4]
    address: Annotated[int, Meta(ge=0, le=65535)]
    type: str
    order: str | None = None
    scale: Decimal = Decimal(1)
    unit: str | None = None
    ratio: tuple[Ratio, ...] = ()
    modulus: Annotated[float, Meta(gt=0)] | None = None

    @property
    def words(self) -> int:
        """Registers it takes."""
        return TYPES[self.type].words

    @property
    def byte_order(self) -> str:
        """The order in letters, never omitted."""
        return self.order or orders(self.words)[0]

    def canonical_scale(self, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)) -> Fraction:
        """What one unit of the register is worth in the canonical unit, ratios applied."""
        canonical = QUANTITIES[self.quantity].unit
        scale = Fraction(self.scale) * units.factor(self.unit or canonical, canonical)
        for ratio in self.ratio:
            scale *= ct if ratio == "ct" else pt
        return scale


class ModelHead(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[model]`.

    Attributes:
        source: the manual, with table and page, or the implementation it was taken from.
        max_registers: the most that one request may ask for.
        max_gap: unwanted registers that may be read along between wanted ones.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=48)]
    name: str
    medium: Medium
    source: Annotated[str, Meta(min_length=8)]
    confidence: Confidence
    max_registers: Annotated[int, Meta(ge=1, le=125)] = 120
    max_gap: Annotated[int, Meta(ge=0, le=124)] = 16


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A file of `jieneng/metering/models`, or one beside `site.toml`."""

    model: ModelHead
    point: tuple[PointRow, ...]

    @property
    def id(self) -> str:
        """The name that `site.toml` uses."""
        return self.model.id


def check(model: Model) -> list[Problem]:
    """What a model says that can't be: every problem, each with the path to its place."""
    problems = []
    seen: set[str] = set()
    for number, row in enumerate(model.point):
        path = ("point", number)
        if problem := _check_row(row, model.model, path):
            problems.append(problem)
        if row.quantity in seen:
            problems.append(
                Problem(
                    text="quantity {quantity} stands twice.",
                    mend="Keep the one point that the manual calls the billing value.",
                    values={"quantity": row.quantity},
                    path=(*path, "quantity"),
                )
            )
        seen.add(row.quantity)
    if CONSUMPTION[model.model.medium] not in seen:
        problems.append(
            Problem(
                text="model {model} has no point for {quantity}, so it can't measure consumption.",
                mend="Add a [[point]] with this quantity.",
                values={"model": model.id, "quantity": CONSUMPTION[model.model.medium]},
                path=("model", "medium"),
            )
        )
    return problems


def _check_row(row: PointRow, head: ModelHead, path: tuple[str | int, ...]) -> Problem | None:
    quantity = QUANTITIES.get(row.quantity)
    if quantity is None or head.medium not in quantity.media:
        fitting = sorted(name for name, q in QUANTITIES.items() if head.medium in q.media)
        return Problem(
            text="{quantity} is no quantity of {medium}.",
            mend="Use one of: {known}.",
            values={
                "quantity": row.quantity,
                "medium": head.medium,
                "known": ", ".join(fitting),
            },
            path=(*path, "quantity"),
        )
    if row.type not in TYPES:
        return Problem(
            text="{type} is no register type.",
            mend="Use one of: {known}.",
            values={"type": row.type, "known": ", ".join(TYPES)},
            path=(*path, "type"),
        )
    if row.byte_order not in orders(row.words):
        return Problem(
            text="{order} is no byte order of a {type}.",
            mend="Use one of: {known}.",
            values={
                "order": row.byte_order,
                "type": row.type,
                "known": ", ".join(orders(row.words)),
            },
            path=(*path, "order"),
        )
    if row.words > head.max_registers or row.address + row.words > 65536:
        return Problem(
            text="the value does not fit in one request.",
            mend="Check address, type and max_registers against the manual.",
            path=(*path, "address"),
        )
    try:
        units.factor(row.unit or quantity.unit, quantity.unit)
    except ValueError:
        return Problem(
            text="{unit} is no unit of {quantity}, whose unit is {canonical}.",
            mend="Use a unit of the same dimension: {known}.",
            values={
                "unit": row.unit,
                "quantity": row.quantity,
                "canonical": quantity.unit,
                "known": ", ".join(units.alike(quantity.unit)),
            },
            path=(*path, "unit"),
        )
    return None
