"""Decoding of register words to numbers."""

import json
import math
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering.registers import (
    TYPES,
    Field,
    bit_decoder,
    byte_orders,
    decode_text,
    decoder,
    text_words,
)

ONE = Fraction(1)


def one(data: bytes, kind: str, order: str | None = None, scale: Fraction = ONE) -> float:
    words = len(data) // 2
    field = Field(0, kind, order or byte_orders(words)[0], scale)
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
        ("u8h", "ff01", 255.0),
        ("u8l", "01ff", 255.0),
        ("i8h", "fe01", -2.0),
        ("i8l", "01fe", -2.0),
        ("u16", "ffff", 65535.0),
        ("i16", "ffff", -1.0),
        ("sm16", "8005", -5.0),
        ("u32", "ffffffff", 4294967295.0),
        ("i32", "fffffffe", -2.0),
        ("sm32", "80000001", -1.0),
        ("sm48", "800000000002", -2.0),
        ("sm64", "8000000000000003", -3.0),
        ("u48", "ffffffffffff", 281474976710655.0),
        ("i48", "ffffffffffff", -1.0),
        ("u64", "0000000100000000", 4294967296.0),
        ("i64", "ffffffffffffffff", -1.0),
        ("f16", "3e00", 1.5),
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
        order = data.draw(st.sampled_from(byte_orders(words)))
        fields.append(Field(len(block) // 2, kind, order, ONE))
        alone.append(one(wire, kind, order))
        block += wire
    together = decoder(fields, len(block) // 2)(block)
    assert [repr(value) for value in together] == [repr(value) for value in alone]


def test_a_field_outside_its_block_is_refused_when_the_plan_is_made() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        decoder([Field(1, "u32", "ABCD", ONE)], 2)


# --- values of several registers, of some bits, of none ------------------------------------------


def made(data: bytes, field: Field) -> float:
    return decoder([field], len(data) // 2)(data)[0]


@given(st.integers(0, 2**31 - 1), st.integers(0, 999_999), st.sampled_from(["1", "0.001", "10"]))
def test_whole_and_fraction_are_added_exactly_and_rounded_once(
    whole: int, millionths: int, scale: str
) -> None:
    """As of a water meter that counts cubic metres and, in another register, millilitres."""
    fraction = Field(2, "i32", "ABCD", Fraction(1, 1_000_000))
    field = Field(0, "i32", "ABCD", Fraction(Decimal(scale)), fraction=fraction)
    true = (Decimal(whole) + Decimal(millionths) / 1_000_000) * Decimal(scale)
    assert made(struct.pack(">ii", whole, millionths), field) == float(true)


def test_a_fraction_may_be_a_float_and_lie_in_another_order() -> None:
    field = Field(2, "u32", "ABCD", ONE, fraction=Field(0, "f32", "CDAB"))
    assert made(bytes.fromhex("0000 3f40 1234ab67"), field) == 0x1234AB67 + 0.75


@given(st.integers(-(2**15), 2**15 - 1), st.integers(-10, 10))
def test_an_exponent_register_moves_the_point_exactly(number: int, exponent: int) -> None:
    field = Field(0, "i16", "AB", Fraction(1, 1000), exponent=Field(1, "i16", "AB"))
    true = Decimal(number).scaleb(exponent - 3)
    assert made(struct.pack(">hh", number, exponent), field) == float(true)


@pytest.mark.parametrize("exponent", [19, -19, 0x7FFF, -0x8000])
def test_an_exponent_that_no_meter_has_makes_the_value_unknown(exponent: int) -> None:
    """SunSpec writes -32768 where a scale factor is not implemented."""
    field = Field(0, "i16", "AB", ONE, exponent=Field(1, "i16", "AB"))
    assert math.isnan(made(struct.pack(">hh", 5, exponent), field))


@given(st.integers(0, 2**32 - 1), st.integers(0, 31), st.integers(0, 31), st.integers(0, 3))
def test_bits_of_a_number_whatever_its_byte_order(raw: int, a: int, b: int, order: int) -> None:
    first, last = min(a, b), max(a, b)
    letters = byte_orders(2)[order]
    wire = bytes(raw.to_bytes(4, "big")["ABCD".index(letter)] for letter in letters)
    text_of_bits = f"{raw:032b}"[31 - last : 32 - first]
    assert made(wire, Field(0, "u32", letters, ONE, bits=(first, last))) == int(text_of_bits, 2)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [("i16", 0x8000), ("u32", 0xFFFFFFFF), ("i64", 1 << 63), ("f32", 0x7F7FFFFF), ("sm32", 1)],
)
def test_a_pattern_that_says_no_value_is_unknown_and_all_others_are_numbers(
    kind: str, pattern: int
) -> None:
    words = TYPES[kind].words
    field = Field(0, kind, byte_orders(words)[0], ONE, unknown=(pattern, 5))
    assert math.isnan(made(pattern.to_bytes(2 * words, "big"), field))
    assert not math.isnan(made((pattern ^ 2).to_bytes(2 * words, "big"), field))


def test_a_value_of_many_registers_does_not_disturb_its_neighbours() -> None:
    fields = [
        Field(0, "u16", "AB"),
        Field(1, "u16", "AB", fraction=Field(4, "u16", "AB", Fraction(1, 10))),
        Field(2, "u16", "AB", exponent=Field(3, "i16", "AB")),
        Field(5, "u16", "BA"),
    ]
    block = struct.pack(">HHHhHH", 7, 8, 9, -1, 5, 0x0100)
    assert decoder(fields, 6)(block) == (7.0, 8.5, 0.9, 1.0)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_coils_are_bits_the_first_the_lowest(coils: list[bool], data: st.DataObject) -> None:
    number = sum(on << place for place, on in enumerate(coils))
    block = number.to_bytes((len(coils) + 7) // 8, "little")
    wanted = data.draw(st.lists(st.integers(0, len(coils) - 1), min_size=1))
    assert bit_decoder(wanted)(block) == tuple(float(coils[place]) for place in wanted)


def test_text_ends_at_its_first_nul_and_may_have_its_bytes_swapped() -> None:
    assert decode_text(b"SunS\0\0xx") == "SunS"
    assert decode_text(b"uSSn", "BA") == "SunS"
    assert [text_words(name) for name in ("str4", "str7", "u16", "str")] == [2, 4, None, None]
    with pytest.raises(ValueError, match="AB or BA"):
        decode_text(b"ab", "CDAB")


# --- the published vectors ------------------------------------------------------------------------

_VECTOR_TYPES = {
    "INT8H": "i8h", "INT8L": "i8l", "UINT8H": "u8h", "UINT8L": "u8l",
    "INT16": "i16", "UINT16": "u16", "INT32": "i32", "UINT32": "u32", "INT64": "i64",
    "UINT64": "u64", "FLOAT16": "f16", "FLOAT16-IEEE": "f16", "FLOAT32": "f32",
    "FLOAT32-IEEE": "f32", "FLOAT64": "f64", "FLOAT64-IEEE": "f64",
}  # fmt: skip
# Telegraf's fixed-point types are named by their size alone.
_FIXED = {("FIXED", 2): "i16", ("UFIXED", 2): "u16", ("UFIXED", 8): "u64"}
_ANY_WIDTH = {"ABCD": 0, "CDAB": 1, "BADC": 2, "DCBA": 3}


def _order(name: str, words: int) -> str:
    """Telegraf's four-letter names mean the same pattern at any width."""
    return name if len(name) == 2 * words else byte_orders(words)[_ANY_WIDTH[name]]


def _cast(value: float, to: str) -> float:
    """What Telegraf does after decoding: its output type cuts, and wraps what is negative."""
    if to.startswith("float"):
        return value
    bits = int(to.removeprefix("u").removeprefix("int"))
    whole = int(value)
    return float(whole % 2**bits if to.startswith("u") else whole)


def _decoded(case: dict[str, Any]) -> str | float:
    wire, scale = bytes(case["wire"]), Fraction(Decimal(case["scale"] or "1"))
    name = case["dataTypeIn"]
    if name is None:  # the coils
        return bit_decoder([0])(wire)[0]
    if name == "STRING":
        return decode_text(wire, _order(case["byteOrder"] or "AB", 1))
    kind = _FIXED.get((name, len(wire))) or _VECTOR_TYPES[name]
    return one(wire, kind, _order(case["byteOrder"], TYPES[kind].words), scale)


def test_published_vectors_decode_to_their_published_value(measured: Path) -> None:
    """influxdata/telegraf's own conversion cases: all of them.

    Of some the file has the type by its Telegraf name only, and the published value is what came
    out after a cast: we read the value, and the cast is done here.
    """
    cases = json.loads((measured / "vectors" / "telegraf-modbus-conversions.json").read_text())
    for case in cases:
        found = _decoded(case)
        if isinstance(found, str):
            assert found == case["read"].strip('"'), case["name"]
            continue
        near = 1e-7 if case["read_type"] == "float32" else 1e-15
        wanted = float(case["read"])
        read = _cast(found, case["read_type"])
        assert read == pytest.approx(wanted, rel=near, abs=0), case["name"]
    assert len(cases) == 99
