"""docs/models.md explains every key of a model, and its example passes every check."""

import json
import re
from pathlib import Path

import msgspec

from jieneng import config_file
from jieneng.metering.catalog import model_check
from jieneng.metering.catalog.modbus_points import (
    ForbiddenRow,
    IdentityRow,
    ModbusHead,
    ModbusModel,
    PointRow,
    VectorRow,
)
from jieneng.metering.registers import TYPES, byte_orders
from tests.metering.catalog import library_checks

TEXT = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
TABLES: dict[str, type[msgspec.Struct]] = {
    "[model]": ModbusHead,
    "[[point]]": PointRow,
    "[[identity]]": IdentityRow,
    "[[forbidden]]": ForbiddenRow,
    "[[vector]]": VectorRow,
}


def defaults(form: type[msgspec.Struct]) -> dict[str, str]:
    """Return the default of each key as the page has to write it."""
    found = {}
    for field in msgspec.structs.fields(form):
        value = {} if field.default is msgspec.NODEFAULT else field.default
        text = json.dumps(value, default=float) if value != 1 else "1"
        found[field.encode_name] = (
            "required" if field.required else "omitted" if value is None else f"`{text}`"
        )
    return found


def explained(header: str) -> dict[str, str]:
    """Return the defaults that a section states, by key."""
    section = re.search(rf"^## {re.escape(header)}.*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"{header} is not explained"
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \| [^|]+ \|$", section[0], re.MULTILINE
    )
    return {key: default.strip() for key, default in rows}


def test_every_key_is_explained_with_its_default_and_none_that_is_not_there() -> None:
    assert {one: explained(one) for one in TABLES} == {
        one: defaults(form) for one, form in TABLES.items()
    }


def test_every_table_of_a_model_is_explained() -> None:
    names = {field.encode_name for field in msgspec.structs.fields(ModbusModel)}
    assert names == {header.strip("[]") for header in TABLES}


def test_every_type_and_every_byte_order_of_32_bits_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT))
    assert named >= {*TYPES, *byte_orders(2)}


def test_its_example_passes_every_check_of_the_library() -> None:
    [example] = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    model = config_file.decode(config_file.parse(example, "example-meter.toml"), ModbusModel)
    assert model_check.check(model) == []
    for check in library_checks.CHECKS:
        check(model)
