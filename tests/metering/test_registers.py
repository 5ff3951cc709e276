"""Words -> numbers."""

import json
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering.registers import TYPES, Field, decoder, orders

ONE = Fraction(1)


def one(data: bytes, kind: str, order: str | None = None, scale: Fraction = ONE) -> float:
    words = len(data) // 2
    field = Field(0, kind, order or orders(words)[0], scale)
    return decoder([field], words)(data)[0]


@pytest.mark.parametrize(
    ("order", "wire"),
    [("ABCD", "4212806b"), ("CDAB", "806b4212"), ("BADC", "12426b80"), ("DCBA", "6b801242")],
)
def test_the_same_float_in_each_byte_order(order: str, wire: str) -> None:
    """TUF-2000 manual: 806B 4212 with the low word first is 36.625..."""
    assert one(bytes.fromhex(wire), "f32", order) == pytest.approx(36.6254, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "wire", "value"),
    [
        ("u16", "ffff", 65535.0),
        ("i16", "ffff", -1.0),
        ("sm16", "8005", -5.0),
        ("u32", "ffffffff", 4294967295.0),
        ("i32", "fffffffe", -2.0),
        ("sm32", "80000001", -1.0),
        ("u48", "ffffffffffff", 281474976710655.0),
        ("i48", "ffffffffffff", -1.0),
        ("u64", "0000000100000000", 4294967296.0),
        ("i64", "ffffffffffffffff", -1.0),
        ("f32", "3fc00000", 1.5),
        ("f64", "3ff8000000000000", 1.5),
        ("bcd16", "1234", 1234.0),
        ("bcd32", "12345678", 12345678.0),
        ("bcd48", "123456789012", 123456789012.0),
        ("bcd64", "1234567890123456", 1234567890123456.0),
    ],
)
def test_every_type_decodes(kind: str, wire: str, value: float) -> None:
    assert one(bytes.fromhex(wire), kind) == value


def test_every_type_is_tested() -> None:
    marks = test_every_type_decodes.pytestmark  # type: ignore[attr-defined]  # set by the decorator
    assert {case[0] for case in marks[0].args[1]} == set(TYPES)


def test_bcd_with_a_nibble_that_is_no_digit_is_unknown_not_zero() -> None:
    assert one(b"\xff\xff", "bcd16") != one(b"\xff\xff", "bcd16")  # NaN


@given(st.integers(0, 2**32 - 1), st.sampled_from(["0.01", "0.001", "0.1", "1", "10", "0.4"]))
def test_a_scaled_register_is_the_nearest_float_to_the_true_decimal(raw: int, scale: str) -> None:
    """81234560 hundredths are 812345.6, never 812345.6000000001."""
    value = one(struct.pack(">I", raw), "u32", scale=Fraction(Decimal(scale)))
    assert value == float(Decimal(raw) * Decimal(scale))


@given(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=12), st.data())
def test_a_block_decodes_as_its_values_do_alone(kinds: list[str], data: st.DataObject) -> None:
    """Mixed widths and orders in one block do not disturb each other."""
    fields, alone, block = [], [], b""
    for kind in kinds:
        words = TYPES[kind].words
        wire = data.draw(st.binary(min_size=2 * words, max_size=2 * words))
        order = data.draw(st.sampled_from(orders(words)))
        fields.append(Field(len(block) // 2, kind, order, ONE))
        alone.append(one(wire, kind, order))
        block += wire
    together = decoder(fields, len(block) // 2)(block)
    assert [repr(value) for value in together] == [repr(value) for value in alone]


def test_a_field_outside_its_block_is_refused_when_the_plan_is_made() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        decoder([Field(1, "u32", "ABCD", ONE)], 2)


_VECTOR_TYPES = {
    "INT16": "i16", "UINT16": "u16", "INT32": "i32", "UINT32": "u32", "INT64": "i64",
    "UINT64": "u64", "FLOAT32": "f32", "FLOAT64": "f64",
}  # fmt: skip
_VECTOR_ORDERS = {
    "AB": 0, "ABCD": 0, "ABCDEFGH": 0, "CDAB": 1, "BA": 3, "DCBA": 3, "HGFEDCBA": 3, "BADC": 2,
    "BADCFEHG": 2,
}  # fmt: skip


def test_published_vectors_decode_to_their_published_value(measured: Path) -> None:
    """influxdata/telegraf's own conversion cases, for the types that stand in our table."""
    cases = json.loads((measured / "vectors" / "telegraf-modbus-conversions.json").read_text())
    tried = 0
    for case in cases:
        kind, order = _VECTOR_TYPES.get(case["dataTypeIn"] or ""), case["byteOrder"] or ""
        wire = bytes(case["wire"])
        if kind is None or order not in _VECTOR_ORDERS or case["bit"] is not None:
            continue
        if len(wire) != 2 * TYPES[kind].words:
            continue
        if case["dataTypeOut"] not in (None, case["dataTypeIn"], "FLOAT64"):
            continue  # telegraf casts to another type after decoding; we never do
        name = orders(TYPES[kind].words)[_VECTOR_ORDERS[order]]
        scale = Fraction(Decimal(case["scale"] or "1"))
        wanted = float(case["read"])
        value = one(wire, kind, name, scale)
        whole = case["dataTypeOut"] or case["read_type"]
        if "int" in whole.lower():  # telegraf cuts to its output type
            value = float(int(value))
        assert value == pytest.approx(wanted, rel=1e-6), case["name"]
        tried += 1
    assert tried > 50
