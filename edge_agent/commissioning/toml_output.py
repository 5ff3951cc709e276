"""What was found, as TOML that a person pastes. Pure: it makes text.

Law: what it makes is read back, by the forms that read `site.toml` and the models, as what went in.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from edge_agent.commissioning.display_search import Place, differences
from jieneng.metering.catalog.meter_model import LONGEST_ID
from jieneng.metering.catalog.modbus_points import ModbusHead, ModbusModel, PointRow
from jieneng.metering.quantities import CONSUMPTION, MEDIA, QUANTITIES, Medium
from jieneng.metering.registers import orders
from jieneng.metering.site import Bus, Meter

#: Keys of a point that come first, as in the models of the library.
_PLACE_KEYS: Final = ("quantity", "function", "address", "type", "order")


def bus(one: Bus) -> str:
    """A `[[bus]]`."""
    return _table("[[bus]]", one)


def meter(one: Meter) -> str:
    """A `[[meter]]`."""
    return "\n".join(["[[meter]]", *_lines({**_given(one), "unit": one.unit})])


def new_meter(unit: int, model: ModbusHead, on: str) -> Meter:
    """One that no site has yet. Its area only a person knows."""
    return Meter(
        id=f"{model.medium[0]}-{unit}",
        name=model.name,
        medium=model.medium,
        area="...",
        model=model.id,
        bus=on,
        unit=unit,
    )


def point(row: PointRow) -> str:
    """A `[[point]]`."""
    plain = row.byte_order == orders(row.words)[0]
    given = _given(msgspec.structs.replace(row, order=None) if plain else row)
    ordered = {key: given[key] for key in _PLACE_KEYS if key in given} | given
    return "\n".join(["[[point]]", *_lines(ordered)])


def model(one: ModbusModel) -> str:
    """A whole file, but for the vectors that test the packaged one."""
    return "\n\n".join(
        [
            _table("[model]", one.model),
            *map(point, one.point),
            *(_table("[[identity]]", row) for row in one.identity),
            *(_table("[[forbidden]]", row) for row in one.forbidden),
        ]
    )


def named(base: ModbusModel, name: str, source: str, rows: Iterable[PointRow]) -> ModbusModel:
    """A model of one's own.

    Args:
        base: what it is derived from.
        name: its id.
        source: how it was found.
        rows: its points.
    """
    head = msgspec.structs.replace(
        base.model, id=name[:LONGEST_ID].rstrip("-"), source=source, confidence="reported"
    )
    return ModbusModel(model=head, point=tuple(rows), forbidden=base.forbidden)


def derived(base: ModbusModel, places: Sequence[Place]) -> tuple[PointRow, ...]:
    """A model's points as a device has them that was found to differ.

    What was found stands as it was found, behind the others where the model lacks it. The others of
    its table follow the first of it in what does not differ from point to point by accident:
    function, address base and byte order.

    Args:
        base: what the device is like.
        places: one a quantity.
    """
    rows = {row.quantity: row for row in base.point}
    known = {place.quantity: place for place in places if place.quantity in rows}
    added = tuple(place.row() for place in places if place.quantity not in rows)
    if not known:
        return (*base.point, *added)
    first = next(iter(known.values()))
    like = rows[first.quantity]
    differing = differences(first, like)
    shift = first.address - like.address
    pattern = min(first.patterns)
    changes: dict[str, Any] = {"function": first.function} if "function" in differing else {}

    def follow(row: PointRow) -> PointRow:
        if row.function != like.function:
            return row
        moved = row.address + (shift if abs(shift) == 1 else 0)  # further off is another register
        order = orders(row.words)[pattern] if "order" in differing else row.order
        parts = {
            name: msgspec.structs.replace(part, address=max(part.address + moved - row.address, 0))
            for name, part in (("fraction", row.fraction), ("exponent", row.exponent))
            if part is not None
        }
        return msgspec.structs.replace(row, address=max(moved, 0), order=order, **changes, **parts)

    others = (
        _as_found(known[row.quantity], row) if row.quantity in known else follow(row)
        for row in base.point
    )
    return (*others, *added)


def unheard_of(places: Sequence[Place], unit: int) -> ModbusModel | None:
    """What was found of a device that no model of the library fits; None without its counter."""
    names = {place.quantity for place in places}
    medium = next((one for one in MEDIA if _measures(one, names)), None)
    if medium is None:
        return None
    name = f"my-model-{unit}"
    head = ModbusHead(
        id=name, name=name, medium=medium, source="found by probing", confidence="reported"
    )
    return ModbusModel(model=head, point=tuple(place.row() for place in places))


def _measures(medium: Medium, names: Collection[str]) -> bool:
    fits = all(medium in QUANTITIES[name].media for name in names)
    return fits and CONSUMPTION[medium] in names


def _as_found(place: Place, row: PointRow) -> PointRow:
    """A place in the model's own words, as far as they are right."""
    differing = differences(place, row)
    mine = place.row()
    found = msgspec.structs.replace(
        row, function=mine.function, address=mine.address, type=mine.type, order=mine.order
    )
    if "type" in differing:
        found = msgspec.structs.replace(found, modulus=None)
    if "scale" not in differing:
        return found
    ours, theirs = mine.canonical_scale(), row.canonical_scale()
    modulus = None if found.modulus is None else float(found.modulus * ours / theirs)
    ratio = place.ratio or row.ratio
    return msgspec.structs.replace(found, scale=mine.scale, unit=None, ratio=ratio, modulus=modulus)


def _table(head: str, struct: msgspec.Struct) -> str:
    return "\n".join([head, *_lines(_given(struct))])


def _given(struct: msgspec.Struct) -> dict[str, object]:
    """What is not at its default; an empty table never is."""
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    return {
        fields[name].encode_name: value
        for name, value in msgspec.structs.asdict(struct).items()
        if value not in (fields[name].default, {})
    }


def _lines(given: Mapping[str, object]) -> list[str]:
    return [
        f"{name} = 0x{value:04X}" if name == "address" else f"{name} = {_value(value)}"
        for name, value in given.items()
    ]


def _value(value: object) -> str:
    """A TOML value. Strings are JSON's, which TOML reads alike."""
    if isinstance(value, Decimal):
        return f"{float(value):.10g}"
    if isinstance(value, msgspec.Struct):
        return "{" + ", ".join(_lines(_given(value))) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(_lines(value)) + "}"
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.encode(value).decode()
