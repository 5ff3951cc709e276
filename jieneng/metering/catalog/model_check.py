"""The rules that hold within a meter model. Pure: a model in, problems out.

Law: a value that is made of several registers lies in one request with all of them, or the model
is refused: two answers may be of two moments.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from jieneng.metering import units
from jieneng.metering.catalog.meter_model import (
    BIT_FUNCTIONS,
    FractionRow,
    Model,
    ModelHead,
    PointRow,
)
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.registers import BIT, TYPES, orders, text_words

_Path = tuple[str | int, ...]

# A scale beyond is no meter's. 0 would read 0 for ever.
_SCALES: Final = (Decimal("1e-18"), Decimal("1e18"))
#: Different `every` of one meter. Each new one may double the plans that its meters need.
MOST_PACES: Final = 5


def check(model: Model) -> list[Problem]:
    """What a model says that can't be: every problem, each with the path to its place."""
    problems = []
    seen: set[str] = set()
    for number, row in enumerate(model.point):
        path = ("point", number)
        if problem := next(_check_row(row, model, path), None):
            problems.append(problem)
        if row.quantity in seen:
            problems.append(
                Problem(
                    text="quantity {quantity} stands twice.",
                    fix="Keep the one point that the manual calls the billing value.",
                    values={"quantity": row.quantity},
                    path=(*path, "quantity"),
                )
            )
        seen.add(row.quantity)
    for number, identity in enumerate(model.identity):
        words = text_words(identity.type)
        if words is None:
            problems += _check_type(identity.type, ("identity", number))
        if words or identity.type in TYPES:
            known = ("AB", "BA") if words else orders(identity.words)
            problems += _check_order(identity.type, identity.order, known, ("identity", number))
    return [*problems, *_check_counter(model)]


def _check_counter(model: Model) -> Iterator[Problem]:
    """The counter that consumption is taken from is there, and in every poll."""
    counter = CONSUMPTION[model.model.medium]
    found = next((n for n, row in enumerate(model.point) if row.quantity == counter), None)
    if found is None:
        yield Problem(
            text="model {model} has no point for {quantity}, so it can't measure consumption.",
            fix="Add a [[point]] with this quantity.",
            values={"model": model.id, "quantity": counter},
            path=("model", "medium"),
        )
    elif model.point[found].every > 1:
        yield Problem(
            text="{quantity} is the consumption and must be in every poll.",
            fix="Remove every here; the meter's interval_s says how often it is polled.",
            values={"quantity": counter},
            path=("point", found, "every"),
        )
    if len({1, *(row.every for row in model.point)}) > MOST_PACES:
        yield Problem(
            text="the points have more than {most} different values of every.",
            fix="Let points that may be read together share one.",
            values={"most": MOST_PACES},
            path=("model",),
        )


def _check_row(row: PointRow, model: Model, path: _Path) -> Iterator[Problem]:
    """What is wrong with a point, what the rest depends on first."""
    yield from _check_quantity(row, model.model, path)
    yield from _check_bit(row, path)
    if row.type == BIT:
        yield from _check_place(row, model, path)
        return
    for key, part in (("", row), ("fraction", row.fraction), ("exponent", row.exponent)):
        if part is not None:
            where = (*path, key) if key else path
            yield from _check_type(part.type, where)
            yield from _check_order(part.type, part.order, orders(part.words), where)
        if isinstance(part, PointRow | FractionRow):
            yield from _check_scale(part.scale, where)
    yield from _check_bits(row, path)
    yield from _check_place(row, model, path)
    yield from _check_unit(row, path)


def _check_quantity(row: PointRow, head: ModelHead, path: _Path) -> Iterator[Problem]:
    quantity = QUANTITIES.get(row.quantity)
    if quantity is None or head.medium not in quantity.media:
        fitting = sorted(name for name, q in QUANTITIES.items() if head.medium in q.media)
        yield Problem(
            text="{quantity} is no quantity of {medium}.",
            fix="Use one of: {known}.",
            values={
                "quantity": row.quantity,
                "medium": head.medium,
                "known": ", ".join(fitting),
            },
            path=(*path, "quantity"),
        )


def _check_bit(row: PointRow, path: _Path) -> Iterator[Problem]:
    if (row.type == BIT) != (row.function in BIT_FUNCTIONS):
        yield Problem(
            text="function {function} does not read a {type}.",
            fix="Functions 1 and 2 read bits and need no type; 3 and 4 read registers, and bits "
            "of them with bits = [first, last].",
            values={"function": row.function, "type": row.type},
            path=(*path, "function"),
        )
    plain = PointRow(
        quantity=row.quantity, function=row.function, address=row.address, every=row.every
    )
    if row.type == BIT and row != plain:
        yield Problem(
            text="a bit is 0 or 1 and has nothing but its address.",
            fix="Remove order, scale, unit, ratio and what else belongs to registers.",
            path=path,
        )


def _check_type(name: str, path: _Path) -> Iterator[Problem]:
    if name not in TYPES:
        yield Problem(
            text="{type} is no register type.",
            fix="Use one of: {known}.",
            values={"type": name, "known": ", ".join(TYPES)},
            path=(*path, "type"),
        )


def _check_order(
    name: str, order: str | None, known: Sequence[str], path: _Path
) -> Iterator[Problem]:
    if order is not None and order not in known:
        yield Problem(
            text="{order} is no byte order of a {type}.",
            fix="Use one of: {known}.",
            values={"order": order, "type": name, "known": ", ".join(dict.fromkeys(known))},
            path=(*path, "order"),
        )


def _check_scale(scale: Decimal, path: _Path) -> Iterator[Problem]:
    least, most = _SCALES
    if not least <= abs(scale) <= most:
        yield Problem(
            text="with scale = {scale} no register gives a reading.",
            fix="Write what one unit of the register is worth, as the manual says: 0.01, 1, 1000.",
            values={"scale": scale},
            path=(*path, "scale"),
        )


def _check_bits(row: PointRow, path: _Path) -> Iterator[Problem]:
    if row.bits is not None and (
        not row.type.startswith("u") or not 0 <= row.bits[0] <= row.bits[1] < TYPES[row.type].bits
    ):
        yield Problem(
            text="a {type} has no bits {first} to {last}.",
            fix="Use an unsigned type, and write the lower bit first; 0 is the lowest.",
            values={"type": row.type, "first": row.bits[0], "last": row.bits[1]},
            path=(*path, "bits"),
        )
    if row.unknown is not None and (row.bits is not None or row.unknown >= 1 << 16 * row.words):
        yield Problem(
            text="a {type} can't say {unknown} for an unknown value.",
            fix="Write the pattern of all its registers in hexadecimal, without bits.",
            values={"type": row.type, "unknown": f"0x{row.unknown:X}"},
            path=(*path, "unknown"),
        )


def _check_place(row: PointRow, model: Model, path: _Path) -> Iterator[Problem]:
    if row.end > 65536 or row.end - row.first > model.model.max_registers:
        yield Problem(
            text="the value does not fit in one request.",
            fix="Check address, type and max_registers against the manual.",
            path=(*path, "address"),
        )
    if forbidden := model.forbids(row.function, row.first, row.end):
        yield Problem(
            text="the value lies in or across the forbidden addresses {first} to {last}.",
            fix="Check both against the manual; a value and its parts are read in one request.",
            values={"first": forbidden.from_, "last": forbidden.to},
            path=(*path, "address"),
        )


def _check_unit(row: PointRow, path: _Path) -> Iterator[Problem]:
    canonical = QUANTITIES[row.quantity].unit
    if row.unit is not None and row.unit not in units.alike(canonical):
        yield Problem(
            text="{unit} is no unit of {quantity}, whose unit is {canonical}.",
            fix="Use a unit of the same dimension: {known}.",
            values={
                "unit": row.unit,
                "quantity": row.quantity,
                "canonical": canonical,
                "known": ", ".join(units.alike(canonical)),
            },
            path=(*path, "unit"),
        )
