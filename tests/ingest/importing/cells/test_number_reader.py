"""Numbers are read rightly in all notations, and no other text is a number."""

import math
from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.importing.cells.cell import BadCell, Cell, Valueless
from ingest.importing.cells.notation import DecimalSign, NumberNotation
from ingest.importing.cells.number_reader import NumberReader

POINT, COMMA = NumberNotation(), NumberNotation(decimal=",")
WIDE = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")


def read(cell: Cell, notation: NumberNotation = POINT, *missing: str) -> float | None:
    return NumberReader(missing, notation).read(cell)


@given(
    value=st.decimals(-(10**9), 10**9, places=3),
    decimal=st.sampled_from([".", ","]),
    thousands=st.sampled_from(["", "other", " ", "'", "\u00a0", "\u202f", "’"]),
    places=st.integers(0, 3),
    unit=st.sampled_from(["", "kWh", "m³", "元", "万kWh"]),
    gap=st.sampled_from(["", " "]),
    wide=st.booleans(),
    brackets=st.booleans(),
)
def test_a_number_reads_back_in_every_notation(
    value: float,
    decimal: DecimalSign,
    thousands: str,
    places: int,
    unit: str,
    gap: str,
    wide: bool,
    brackets: bool,
) -> None:
    plain = f"{abs(value):,.{places}f}"
    separator = {"other": "," if decimal == "." else "."}.get(thousands, thousands)
    text = plain.replace(",", "T").replace(".", decimal).replace("T", separator)
    negative = value < 0 and float(plain.replace(",", "")) != 0
    if negative:
        text = f"({text})" if brackets and not unit else f"-{text}"
    text = f"{text}{gap}{unit}" if unit else text
    if wide:
        text = text.translate(WIDE)
    found = read(text, NumberNotation(decimal=decimal, unit=unit))
    assert found == (-1 if negative else 1) * float(plain.replace(",", ""))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_a_program_prints_reads_back_to_the_bit(value: float) -> None:
    assume(abs(value) < 1e99)
    assert read(repr(value)) == value
    assert read(repr(value).replace(".", ","), COMMA) == value
    assert read(value) == value


@pytest.mark.parametrize(
    ("cell", "notation", "value"),
    [
        ("81.234", POINT, 81.234),
        ("81.234", COMMA, 81234.0),
        ("81,234", POINT, 81234.0),
        ("1.081.234", COMMA, 1081234.0),
        ("1.081,5", COMMA, 1081.5),
        ("12,34,567.5", POINT, 1234567.5),
        ("5-", POINT, -5.0),
        ("−5", POINT, -5.0),
        ("+5", POINT, 5.0),
        ("(1,234.5)", POINT, -1234.5),
        (".5", POINT, 0.5),
        ("81.", POINT, 81.0),
        ("1.2E+05", POINT, 120000.0),
        ("1,2e3", COMMA, 1200.0),
        ("¥1,234.50", NumberNotation(unit="¥"), 1234.5),
        ("0", NumberNotation(unit="kWh"), 0.0),
        (" 12 ", POINT, 12.0),
    ],
)
def test_notations(cell: str, notation: NumberNotation, value: float) -> None:
    assert read(cell, notation) == value


@pytest.mark.parametrize(
    ("cell", "notation", "said"),
    [
        ("1.081.234", POINT, "not a number"),
        ("1,5", POINT, "not a number with a decimal \\."),
        ("1.5", COMMA, "not a number with a decimal ,"),
        ("1,23,4", POINT, "not a number"),
        ("0,234", POINT, "not a number with a decimal"),
        ("12,3456", POINT, "not a number with a decimal"),
        ("1_000", POINT, "not a number"),
        ("nan", POINT, "not a number"),
        ("Infinity", POINT, "not a number"),
        ("1e400", POINT, "not a number"),
        ("--5", POINT, "not a number"),
        ("(5", POINT, "not a number"),
        ("1号楼", POINT, "not a number"),
        ("2024-01-05", POINT, "not a number"),
        ("81.2 MWh", POINT, "has the unit MWh"),
        ("81.2 MWh", NumberNotation(unit="kWh"), "has the unit MWh"),
        ("81.2", NumberNotation(unit="kWh"), "has no unit, but the other cells have kWh"),
        ("81.234", NumberNotation(decimal=None), "can mean 81.234 or 81234"),
        (True, POINT, "not a number"),
        (math.nan, POINT, "not a number"),
        (datetime(2024, 1, 5), POINT, "not a number"),  # noqa: DTZ001 - as a sheet has it
        (Valueless("column {column}: {cell}!", "Mend it.", "=A1"), POINT, "=A1!"),
    ],
)
def test_what_is_no_number_of_the_column_is_refused(
    cell: Cell, notation: NumberNotation, said: str
) -> None:
    with pytest.raises(BadCell) as caught:
        read(cell, notation)
    sentence = caught.value.text.format(column="x", **caught.value.values)
    assert said.replace("\\", "") in sentence


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_missing_or_refused(text: str) -> None:
    for decimal in (".", ",", None):
        try:
            found = read(text, NumberNotation(decimal=decimal))
        except BadCell:
            continue
        assert found is None or math.isfinite(found)


def test_a_column_without_a_decimal_sign_reads_what_has_one_meaning() -> None:
    untold = NumberNotation(decimal=None)
    texts = {"12": 12.0, "0.5": 0.5, "1.081.234": 1081234.0, "12,5": 12.5, "1,000.0": 1000.0}
    assert {text: read(text, untold) for text in texts} == texts


def test_missing_texts_match_numbers_in_every_spelling() -> None:
    assert read("0,00", COMMA, "0") is None
    assert read("", POINT) is None
    assert read("  ", POINT) is None
    assert read(" / ", POINT, "/") is None
