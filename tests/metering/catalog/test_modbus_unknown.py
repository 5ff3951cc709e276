"""Register contents that mean "no value", by the width of the register and by the model."""

import math
from fractions import Fraction
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering.catalog.modbus_points import PointRow
from jieneng.metering.registers import TYPES, byte_orders, decoder

USUAL = {name: kind.no_value for name, kind in TYPES.items() if kind.no_value is not None}


def point(**keys: Any) -> PointRow:
    return msgspec.convert(
        {"quantity": "energy_kwh", "function": 3, "address": 0, **keys}, PointRow
    )


def value(row: PointRow, data: bytes, ct: Fraction = Fraction(1)) -> float:
    [found] = decoder([row.field(0, ct, Fraction(1))], len(data) // 2)(data)
    return found


def wire(name: str, content: int, order: str = "") -> bytes:
    """Return the bytes of a content in the order of the wire."""
    words = TYPES[name].words
    big_endian = content.to_bytes(2 * words, "big")
    letters = byte_orders(words)[0]
    return bytes(big_endian[letters.index(letter)] for letter in order or letters)


def test_the_usual_content_is_all_ones_or_the_sign_bit_alone() -> None:
    """All ones of a signed register are -1; the sign bit alone of sign and magnitude is -0."""
    kinds = {name.rstrip("0123456789"): f"{content:x}" for name, content in USUAL.items()}
    assert set(kinds) == {"u", "i", "sm"}
    assert all(f"{USUAL[name]:b}".count("0") == 0 for name in USUAL if name[0] != "i")
    assert all(f"{USUAL[name]:b}".count("1") == 1 for name in USUAL if name[0] == "i")
    assert {f"{name}{bits}" for name in ("u", "i", "sm") for bits in (16, 32, 48, 64)} == set(USUAL)


@given(st.sampled_from(sorted(USUAL)), st.integers(0, 3), st.data())
def test_every_other_content_is_a_number(name: str, order: int, data: st.DataObject) -> None:
    letters = byte_orders(TYPES[name].words)[order]
    row = point(type=name, order=letters, scale="0.01", ratio=["ct"])
    usual = USUAL[name]
    ct = Fraction(40)
    assert math.isnan(value(row, wire(name, usual, letters), ct))
    near = st.sampled_from([usual - 1, usual >> 1, usual ^ 1, 0])
    other = data.draw(st.integers(0, (1 << TYPES[name].bits) - 1) | near)
    assert math.isnan(value(row, wire(name, other, letters), ct)) == (other == usual)


@given(st.sampled_from(sorted(USUAL)), st.data())
def test_the_stored_number_is_that_which_the_content_shows(name: str, data: st.DataObject) -> None:
    """Stores have such numbers from other programs, which took every content as a number."""
    stated = data.draw(st.lists(st.integers(0, (1 << TYPES[name].bits) - 1), min_size=1))
    row = point(type=name, scale="0.01", unknown=stated)
    every_content_counts = point(type=name, scale="0.01", unknown=[])
    shown = {value(every_content_counts, wire(name, one)) for one in [*stated, USUAL[name]]}
    assert set(row.no_values()) == shown
    assert all(math.isnan(value(row, wire(name, one))) for one in stated)
    assert every_content_counts.no_values() == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [("f32", 0x7FC00000), ("f32", 0xFFFFFFFF), ("f64", 0xFFF << 52 | 1), ("bcd32", 0xFFFFFFFF),
     ("bcd16", 0x123A), ("f16", 0x7E00)],
)  # fmt: skip
def test_a_content_that_is_no_number_needs_no_word_of_the_model(name: str, content: int) -> None:
    assert math.isnan(value(point(type=name), wire(name, content)))
    assert math.isnan(value(point(type=name, unknown=[]), wire(name, content)))


@pytest.mark.parametrize("name", ["u8h", "u8l", "i8h", "i8l"])
def test_half_a_register_reaches_all_its_contents(name: str) -> None:
    values = [value(point(type=name), bytes([number, number])) for number in range(256)]
    assert not any(map(math.isnan, values))


def test_a_single_bit_reaches_all_ones() -> None:
    row = point(quantity="fault_flag", type="u16", bits=[0, 0])
    assert value(row, b"\xff\xff") == 1
    assert row.no_values() == ()


EDGES = (0x0000, 0x0001, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)


def unknown_pairs(number: str, fraction: str, scale: str) -> set[tuple[int, int]]:
    """Return the edges of two registers of 16 bits that together are no value."""
    row = point(type=number, fraction={"address": 1, "type": fraction, "scale": scale})
    return {
        (one, other)
        for one, other in product(EDGES, EDGES)
        if math.isnan(value(row, wire(number, one) + wire(fraction, other)))
    }


@pytest.mark.parametrize("scale", ["65536", "0.0000152587890625", "0.00001526"])
def test_two_registers_that_continue_each_other_are_one_number(scale: str) -> None:
    """The lower one passes all ones once in each 65,536 units, which is a reading."""
    assert unknown_pairs("u16", "u16", scale) == {(0xFFFF, 0xFFFF)}


def test_a_signed_higher_register_is_no_value_with_its_sign_bit_alone() -> None:
    assert unknown_pairs("u16", "i16", "65536") == set(product(EDGES, [0x8000]))
    assert unknown_pairs("i16", "u16", "0.0000152587890625") == set(product([0x8000], EDGES))


def test_of_separate_registers_each_says_it_alone() -> None:
    """A fraction of thousandths never reaches 65,535."""
    either = set(product([0xFFFF], EDGES)) | set(product(EDGES, [0xFFFF]))
    assert unknown_pairs("u16", "u16", "0.001") == either
    assert unknown_pairs("u16", "u16", "10000") == either


def test_the_stored_number_of_two_registers() -> None:
    joint = {"address": 1, "type": "u16", "scale": "65536"}
    assert point(type="u16", scale="0.1", fraction=joint).no_values() == (429496729.5,)
    apart = {"address": 2, "type": "u16", "scale": "0.001"}
    assert point(type="u16", fraction=apart).no_values() == (65535.0, 65600.535)
    float_fraction = {"address": 2, "type": "f32"}
    assert point(type="u32", fraction=float_fraction).no_values() == (4294967295.0,)


def test_behind_an_exponent_no_stored_number_is_known() -> None:
    row = point(type="u16", exponent={"address": 1, "type": "i16"})
    assert math.isnan(value(row, b"\xff\xff\x00\x01"))
    assert row.no_values() == ()
