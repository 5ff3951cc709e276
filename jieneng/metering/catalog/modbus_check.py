"""Check the rules that hold within a Modbus model. Pure: a model in, problems out.

Law: all registers of one value must fit into one request, because the value may change between two
requests.
"""

from collections.abc import Iterator, Sequence

from jieneng.metering.catalog.modbus_points import (
    BIT_FUNCTIONS,
    ModbusModel,
    PointRow,
)
from jieneng.metering.catalog.value_check import scale_problems
from jieneng.metering.errors import Problem
from jieneng.metering.registers import BIT, TYPES, byte_orders, number_of, text_words
from jieneng.metering.site import Bus, Meter

_Path = tuple[str | int, ...]


def point_problems(row: PointRow, model: ModbusModel, path: _Path) -> Iterator[Problem]:
    """Yield the problems of a point's registers; the first may be the cause of the others."""
    yield from _check_bit(row, path)
    if row.type == BIT:
        yield from _check_place(row, model, path)
        return
    for key, part in (("", row), ("fraction", row.fraction), ("exponent", row.exponent)):
        if part is not None:
            where = (*path, key) if key else path
            yield from _check_type(part.type, where)
            yield from _check_order(part.type, part.order, byte_orders(part.words), where)
    if row.fraction is not None:
        yield from scale_problems(row.fraction.scale, (*path, "fraction"))
    yield from _check_bits(row, path)
    yield from _check_place(row, model, path)


def identity_problems(model: ModbusModel) -> Iterator[Problem]:
    """Yield the problems of the registers in which the device describes itself."""
    for number, identity in enumerate(model.identity):
        words = text_words(identity.type)
        if words is None:
            yield from _check_type(identity.type, ("identity", number))
        if words or identity.type in TYPES:
            known = ("AB", "BA") if words else byte_orders(identity.words)
            yield from _check_order(identity.type, identity.order, known, ("identity", number))


def unit_problems(meter: Meter, bus: Bus) -> Iterator[Problem]:
    """Yield the problems of a meter's Modbus unit; paths begin below the meter."""
    # 248 to 255 are reserved, but there are meters that answer there.
    if meter.unit == 0 and bus.link != "tcp":
        yield Problem(
            text="meter {meter} can't be unit 0 on bus {bus}: on a serial line 0 is the"
            " broadcast address, which no device answers.",
            fix="Write the unit that the device's display shows, 1 to 247.",
            values={"meter": meter.id, "bus": bus.id},
            path=("unit",),
        )


def _check_bit(row: PointRow, path: _Path) -> Iterator[Problem]:
    if (row.type == BIT) != (row.function in BIT_FUNCTIONS):
        yield Problem(
            text="function {function} can't read a {type}.",
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
            text="a point that is a single bit has no key but its address.",
            fix="Remove order, scale, unit, ratio and all other keys of registers.",
            path=path,
        )


def _check_type(name: str, path: _Path) -> Iterator[Problem]:
    if name not in TYPES:
        yield Problem(
            text="{type} is not a register type.",
            fix="Use one of: {known}.",
            values={"type": name, "known": ", ".join(TYPES)},
            path=(*path, "type"),
        )


def _check_order(
    name: str, order: str | None, known: Sequence[str], path: _Path
) -> Iterator[Problem]:
    if order is not None and order not in known:
        yield Problem(
            text="{order} is not a byte order of a {type}.",
            fix="Use one of: {known}.",
            values={"order": order, "type": name, "known": ", ".join(dict.fromkeys(known))},
            path=(*path, "order"),
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
    for content in row.stated_unknown:
        if not _can_be_unknown(row, content):
            yield Problem(
                text="a {type} can't hold {unknown} as the mark of an unknown value.",
                fix="Write the pattern of all its registers in hexadecimal, without bits.",
                values={"type": row.type, "unknown": f"0x{content:X}"},
                path=(*path, "unknown"),
            )


def _can_be_unknown(row: PointRow, content: int) -> bool:
    """Return True if a content fits into a point's register, and is no 0 of a float."""
    if row.bits is not None or content >= 1 << 16 * row.words:
        return False
    return content == 0 or not TYPES[row.type].is_float or number_of(row.type, content) != 0


def _check_place(row: PointRow, model: ModbusModel, path: _Path) -> Iterator[Problem]:
    if row.end > 65536 or row.end - row.first > model.model.max_registers:
        yield Problem(
            text="the value does not fit in one request.",
            fix="Check address, type and max_registers against the manual.",
            path=(*path, "address"),
        )
    if forbidden := model.forbids(row.function, row.first, row.end):
        yield Problem(
            text="the value lies in or across the forbidden addresses {first} to {last}.",
            fix="Check the value's address and the forbidden addresses against the manual; a"
            " value and its parts are read in one request.",
            values={"first": forbidden.from_, "last": forbidden.to},
            path=(*path, "address"),
        )
