"""The table of quantities, and units."""

from fractions import Fraction

import pytest

from jieneng.metering import units
from jieneng.metering.quantities import CONSUMPTION, GROWTH_PER_HOUR, MEDIA, QUANTITIES


def test_every_quantity_has_a_known_unit_and_its_name_ends_in_it() -> None:
    endings: dict[str, str | tuple[str, ...]] = {
        "kWh": "_kwh", "kW": "_kw", "m3": "_m3", "m3/h": "_m3_h", "°C": "_c",
        "1": ("_factor", "_flag"),
    }  # fmt: skip
    for name, row in QUANTITIES.items():
        assert row.unit in units.UNITS
        assert name.endswith(endings.get(row.unit, "_" + row.unit.lower())), name


def test_every_medium_has_the_counter_that_its_consumption_is_taken_from() -> None:
    for medium in MEDIA:
        row = QUANTITIES[CONSUMPTION[medium]]
        assert row.kind == "counter"
        assert medium in row.media


def test_every_counter_grows_by_something_in_an_hour() -> None:
    assert {row.unit for row in QUANTITIES.values() if row.kind == "counter"} == set(
        GROWTH_PER_HOUR
    )
    assert GROWTH_PER_HOUR["GJ"] == 0.0036, "of 1 kW"


def test_conversion_is_exact_both_ways() -> None:
    assert units.conversion_factor("Wh", "kWh") == Fraction(1, 1000)
    assert units.conversion_factor("L/s", "m3/h") == Fraction(36, 10)
    assert units.conversion_factor("GJ/h", "kW") * units.conversion_factor("kWh(heat)", "GJ") == 1
    assert (
        units.conversion_factor("kWh(heat)", "GJ") * units.conversion_factor("GJ", "kWh(heat)") == 1
    )


def test_a_unit_of_another_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="is volume"):
        units.conversion_factor("m3", "kWh")
