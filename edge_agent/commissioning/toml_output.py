"""Write buses, meters, points and models as TOML, for a person to paste into files. Pure.

Law: reading the text as part of a `site.toml` or of a model gives the same values.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from edge_agent.commissioning.display_search import RegisterLocation, differing_keys
from jieneng.metering.catalog.meter_model import LONGEST_ID
from jieneng.metering.catalog.modbus_points import ModbusHead, ModbusModel, PointRow
from jieneng.metering.quantities import CONSUMPTION, MEDIA, QUANTITIES, Medium
from jieneng.metering.registers import byte_orders
from jieneng.metering.site import Bus, Meter

#: Keys of a point that come first, as in the models of the library.
_FIRST_POINT_KEYS: Final = ("quantity", "function", "address", "type", "order")


def bus_toml(bus: Bus) -> str:
    """Return a `[[bus]]` table."""
    return _table("[[bus]]", bus)


def meter_toml(meter: Meter) -> str:
    """Return a `[[meter]]` table."""
    return "\n".join(["[[meter]]", *_lines({**_set_keys(meter), "unit": meter.unit})])


def point_toml(row: PointRow) -> str:
    """Return a `[[point]]` table."""
    default_order = row.byte_order == byte_orders(row.words)[0]
    keys = _set_keys(msgspec.structs.replace(row, order=None) if default_order else row)
    ordered = {key: keys[key] for key in _FIRST_POINT_KEYS if key in keys} | keys
    return "\n".join(["[[point]]", *_lines(ordered)])


def model_toml(model: ModbusModel) -> str:
    """Return the file of a model, without the test vectors that packaged models have."""
    return "\n\n".join(
        [
            _table("[model]", model.model),
            *map(point_toml, model.point),
            *(_table("[[identity]]", row) for row in model.identity),
            *(_table("[[forbidden]]", row) for row in model.forbidden),
        ]
    )


def new_meter(unit: int, model: ModbusHead, bus_id: str) -> Meter:
    """Return a new meter. Its area stays empty, because only a person knows it."""
    return Meter(
        id=f"{model.medium[0]}-{unit}",
        name=model.name,
        medium=model.medium,
        area="...",
        model=model.id,
        bus=bus_id,
        unit=unit,
    )


def derived_model(
    base: ModbusModel, model_id: str, source: str, points: Iterable[PointRow]
) -> ModbusModel:
    """Return a copy of a model with another id and other points.

    Args:
        base: model to copy.
        model_id: id of the new model; shortened if it is too long.
        source: description of how the points were found.
        points: points of the new model.
    """
    head = msgspec.structs.replace(
        base.model, id=model_id[:LONGEST_ID].rstrip("-"), source=source, confidence="reported"
    )
    return ModbusModel(model=head, point=tuple(points), forbidden=base.forbidden)


def derived_points(
    base: ModbusModel, locations: Sequence[RegisterLocation]
) -> tuple[PointRow, ...]:
    """Return a model's points, corrected by the locations that were found on a device.

    A found location replaces the model's point of its quantity, or is appended if the model has
    none. Function, address base and byte order are usually wrong for all points of a device. So the
    other points with the same function get them from the first found location, too.

    Args:
        base: model that is most similar to the device.
        locations: found location of each quantity.
    """
    rows = {row.quantity: row for row in base.point}
    known = {location.quantity: location for location in locations if location.quantity in rows}
    added = tuple(location.point_row() for location in locations if location.quantity not in rows)
    if not known:
        return (*base.point, *added)
    first = next(iter(known.values()))
    model_row = rows[first.quantity]
    differing = differing_keys(first, model_row)
    shift = first.address - model_row.address
    order_index = min(first.order_indexes)
    changes: dict[str, Any] = {"function": first.function} if "function" in differing else {}

    def corrected(row: PointRow) -> PointRow:
        if row.function != model_row.function:
            return row
        # An address that differs by more than 1 is another register, not another address base.
        address = row.address + (shift if abs(shift) == 1 else 0)
        order = byte_orders(row.words)[order_index] if "order" in differing else row.order
        parts = {
            name: msgspec.structs.replace(
                part, address=max(part.address + address - row.address, 0)
            )
            for name, part in (("fraction", row.fraction), ("exponent", row.exponent))
            if part is not None
        }
        return msgspec.structs.replace(
            row, address=max(address, 0), order=order, **changes, **parts
        )

    others = (
        _found_row(known[row.quantity], row) if row.quantity in known else corrected(row)
        for row in base.point
    )
    return (*others, *added)


def new_model(locations: Sequence[RegisterLocation], unit: int) -> ModbusModel | None:
    """Return a model with only the found locations; None if the consumption counter is missing."""
    quantities = {location.quantity for location in locations}
    medium = next((medium for medium in MEDIA if _measures(medium, quantities)), None)
    if medium is None:
        return None
    name = f"my-model-{unit}"
    head = ModbusHead(
        id=name, name=name, medium=medium, source="found by probing", confidence="reported"
    )
    return ModbusModel(model=head, point=tuple(location.point_row() for location in locations))


def _measures(medium: Medium, quantities: Collection[str]) -> bool:
    belong = all(medium in QUANTITIES[quantity].media for quantity in quantities)
    return belong and CONSUMPTION[medium] in quantities


def _found_row(location: RegisterLocation, row: PointRow) -> PointRow:
    """Return the model's point, changed only where the found location differs from it."""
    differing = differing_keys(location, row)
    found = location.point_row()
    changed = msgspec.structs.replace(
        row, function=found.function, address=found.address, type=found.type, order=found.order
    )
    if "type" in differing:
        changed = msgspec.structs.replace(changed, modulus=None)
    if "scale" not in differing:
        return changed
    modulus = changed.modulus
    if modulus is not None:
        modulus = float(modulus * found.canonical_scale() / row.canonical_scale())
    ratio = location.ratio or row.ratio
    return msgspec.structs.replace(
        changed, scale=found.scale, unit=None, ratio=ratio, modulus=modulus
    )


def _table(header: str, struct: msgspec.Struct) -> str:
    return "\n".join([header, *_lines(_set_keys(struct))])


def _set_keys(struct: msgspec.Struct) -> dict[str, object]:
    """Return the keys whose values differ from the defaults, without empty tables."""
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    return {
        fields[name].encode_name: value
        for name, value in msgspec.structs.asdict(struct).items()
        if value not in (fields[name].default, {})
    }


def _lines(keys: Mapping[str, object]) -> list[str]:
    return [
        f"{name} = 0x{value:04X}" if name == "address" else f"{name} = {_toml_value(value)}"
        for name, value in keys.items()
    ]


def _toml_value(value: object) -> str:
    """Return a value as TOML. A JSON string is also a TOML string."""
    if isinstance(value, Decimal):
        return f"{float(value):.10g}"
    if isinstance(value, msgspec.Struct):
        return "{" + ", ".join(_lines(_set_keys(value))) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(_lines(value)) + "}"
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.encode(value).decode()
