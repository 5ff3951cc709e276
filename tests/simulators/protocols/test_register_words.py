"""Encoding of numbers, compared with pymodbus's decoder and with published vectors."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from simulators.protocols.register_words import decode, encode, layout, text

PYMODBUS = {
    "u16": ModbusClientMixin.DATATYPE.UINT16,
    "i16": ModbusClientMixin.DATATYPE.INT16,
    "u32": ModbusClientMixin.DATATYPE.UINT32,
    "i32": ModbusClientMixin.DATATYPE.INT32,
    "u64": ModbusClientMixin.DATATYPE.UINT64,
    "i64": ModbusClientMixin.DATATYPE.INT64,
    "f32": ModbusClientMixin.DATATYPE.FLOAT32,
    "f64": ModbusClientMixin.DATATYPE.FLOAT64,
}
WHOLE = [name for name in PYMODBUS if name[0] != "f"]


def _pymodbus(words: list[int], name: str, word_order: str) -> object:
    return ModbusClientMixin.convert_from_registers(
        words,
        PYMODBUS[name],
        word_order=word_order,  # type: ignore[arg-type]  # a Literal
    )


@given(st.sampled_from(WHOLE), st.data())
def test_whole_numbers_read_back_by_pymodbus(name: str, data: st.DataObject) -> None:
    into = layout(name, None)
    # A float64 carries 53 bits; registers of meters hold less.
    number = data.draw(st.integers(max(into.lowest, -(2**53)), min(into.capacity - 1, 2**53)))
    assert _pymodbus(encode(float(number), into), name, "big") == number


@given(st.floats(width=32, allow_nan=False))
def test_floats_read_back_by_pymodbus(number: float) -> None:
    assert _pymodbus(encode(number, layout("f32", None)), "f32", "big") == number
    assert _pymodbus(encode(number, layout("f64", None)), "f64", "big") == number


@pytest.mark.parametrize(
    ("name", "swapped"), [("u32", "CDAB"), ("f32", "CDAB"), ("u64", "GHEFCDAB")]
)
def test_low_word_first_is_pymodbus_little_word_order(name: str, swapped: str) -> None:
    words = encode(123456.0, layout(name, swapped))
    assert _pymodbus(words, name, "little") == 123456


# Worked out by hand from the letters: A is the most significant byte of 0x12345678.
@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("ABCD", [0x1234, 0x5678]),
        ("CDAB", [0x5678, 0x1234]),
        ("BADC", [0x3412, 0x7856]),
        ("DCBA", [0x7856, 0x3412]),
    ],
)
def test_byte_orders_by_hand(order: str, words: list[int]) -> None:
    assert encode(float(0x12345678), layout("u32", order)) == words


@pytest.mark.parametrize(
    ("name", "order", "number", "words"),
    [
        ("bcd16", None, 1234.0, [0x1234]),
        ("bcd32", None, 12345678.0, [0x1234, 0x5678]),
        ("bcd48", None, 123456789012.0, [0x1234, 0x5678, 0x9012]),
        ("bcd48", "EFCDAB", 123456789012.0, [0x9012, 0x5678, 0x1234]),
        ("bcd64", None, 42.0, [0, 0, 0, 0x0042]),
        ("sm16", None, -5.0, [0x8005]),
        ("sm32", None, -1.0, [0x8000, 0x0001]),
        ("sm32", None, 7.0, [0x0000, 0x0007]),
        ("u48", None, float(0x123456789ABC), [0x1234, 0x5678, 0x9ABC]),
        ("i48", None, -1.0, [0xFFFF, 0xFFFF, 0xFFFF]),
        ("i16", None, -2.0, [0xFFFE]),
        ("u8h", None, 24.0, [0x1800]),
        ("u8l", None, 24.0, [0x0018]),
        ("i8l", None, -2.0, [0x00FE]),
        ("i8h", "BA", -2.0, [0x00FE]),
        ("f16", None, 1.5, [0x3E00]),
        ("sm48", None, -3.0, [0x8000, 0x0000, 0x0003]),
        ("bit", None, 1.0, [1]),
    ],
)
def test_kinds_that_pymodbus_lacks_by_hand(
    name: str, order: str | None, number: float, words: list[int]
) -> None:
    assert encode(number, layout(name, order)) == words
    assert decode(words, layout(name, order)) == number


def test_bits_of_a_register_by_hand() -> None:
    """5 in bits 6 to 9 of a register, and of two with the low word first."""
    assert encode(5.0, layout("u16", None, (6, 9))) == [5 << 6]
    assert encode(5.0, layout("u32", "CDAB", (14, 17))) == [5 << 14 & 0xFFFF, 1]
    assert decode([5 << 14 & 0xFFFF | 7, 1 | 8], layout("u32", "CDAB", (14, 17))) == 5.0


def test_text_by_hand() -> None:
    assert text("SunS", 6, None) == [0x5375, 0x6E53, 0]
    assert text("SunS", 4, "BA") == [0x7553, 0x536E]
    with pytest.raises(ValueError, match="no type"):
        layout("thing", None)


@pytest.mark.parametrize(
    ("name", "number", "shown"),
    [("u16", 70000.0, 65535), ("u16", -3.0, 0), ("i16", 40000.0, 32767), ("i16", -40000.0, -32768)],
)
def test_a_gauge_that_does_not_fit_shows_the_nearest_that_does(
    name: str, number: float, shown: int
) -> None:
    assert _pymodbus(encode(number, layout(name, None)), name, "big") == shown


def test_a_whole_number_can_not_be_unknown() -> None:
    with pytest.raises(ValueError, match="NaN"):
        encode(math.nan, layout("u16", None))


TELEGRAF_TYPES = {
    f"{kind}{bits}": f"{kind[0].lower()}{bits}" for kind in ("INT", "UINT") for bits in (16, 32, 64)
}


def _telegraf_order(name: str, size: int) -> str:
    """Telegraf's ABCD and DCBA mean big and little endian at any width."""
    letters = "ABCDEFGH"[:size]
    return {"ABCD": letters, "DCBA": letters[::-1]}.get(name, name)


def test_the_conversions_of_telegraf(measured: Path) -> None:
    """Backwards: what Telegraf reads as a number must be the bytes that we write for it."""
    vectors = json.loads((measured / "vectors" / "telegraf-modbus-conversions.json").read_text())
    done = 0
    for vector in vectors:
        name = TELEGRAF_TYPES.get(vector["dataTypeIn"])
        if name is None or float(vector["scale"] or 1) != 1 or abs(float(vector["read"])) > 2**53:
            continue
        wire = bytes(vector["wire"])
        order = _telegraf_order(vector["byteOrder"], len(wire))
        words = encode(float(vector["read"]), layout(name, order))
        assert b"".join(word.to_bytes(2, "big") for word in words) == wire, vector["name"]
        done += 1
    assert done >= 20
