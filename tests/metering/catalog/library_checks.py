"""The checks that every model of the library has to pass; each takes a model and asserts.

Law: a check finds all that it needs in the model itself, so that a new model is one file.
"""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import pytest

from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow, VectorRow
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.registers import TYPES

#: The value at which a counter starts again, as `limits` writes it: 2^32 / 100, or 10^8.
_POWER: Final = re.compile(r"\b(\d+)\^(\d+)(?: / (\d+))?")


def counter(model: ModbusModel) -> PointRow:
    """Return the point of the counter that consumption is taken from."""
    return point(model, CONSUMPTION[model.model.medium])


def point(model: ModbusModel, quantity: str) -> PointRow:
    """Return the point of a quantity."""
    return next(row for row in model.point if row.quantity == quantity)


def vector_decodes_to_its_values(model: ModbusModel, vector: VectorRow) -> None:
    """Check a vector with the reads that the plan makes of just its quantities."""
    wanted = [*vector.gives, *vector.unknown]
    found: dict[str, float] = {}
    for read in plan(model, wanted=wanted):
        assert read.function == vector.function
        begin = 2 * (read.address - vector.address)
        assert begin >= 0, f"{read.quantities} lie before the vector's words"
        block = vector.data[begin : begin + read.size]
        assert len(block) == read.size, f"{read.quantities} lie behind the vector's words"
        found.update(zip(read.quantities, read.decode(block), strict=True))
    assert set(found) == set(wanted)
    unknown = {quantity for quantity, value in found.items() if math.isnan(value)}
    assert unknown == set(vector.unknown)
    for quantity, value in vector.gives.items():
        tolerance = 1e-5 if TYPES[point(model, quantity).type].is_float else 1e-9
        assert found[quantity] == pytest.approx(value, rel=tolerance, abs=0), quantity


def all_vectors_decode_to_their_values(model: ModbusModel) -> None:
    """Check all vectors of a model."""
    for vector in model.vector:
        vector_decodes_to_its_values(model, vector)


def every_point_has_a_vector_that_only_its_own_words_fulfil(model: ModbusModel) -> None:
    """Other tests read words that were made with the model itself: a wrong address agrees there."""
    unknown = {quantity for one in model.vector for quantity in one.unknown}
    assert unknown == {row.quantity for row in model.point if row.stated_unknown}
    for row in model.point:
        told = [one.gives for one in model.vector if one.gives.get(row.quantity)]
        assert told, f"nobody worked out a value of {row.quantity} by hand"
        assert any(list(gives.values()).count(gives[row.quantity]) == 1 for gives in told)


def limits_are_those_of_its_manual(model: ModbusModel) -> None:
    """Check the limits: each is written as a number and in the words of `limits`.

    Vectors can't show a limit. All counters of a model start again at the same value, or none does.
    """
    head = model.model
    assert len(head.limits.split()) >= 3
    powers = [
        Fraction(int(base) ** int(exponent), int(divisor or 1))
        for base, exponent, divisor in _POWER.findall(head.limits)
    ]
    wraps = {row.modulus for row in model.point if QUANTITIES[row.quantity].kind == "counter"}
    expected: set[float | None] = {float(power) for power in powers}
    assert wraps == (expected or {None})
    assert str(head.max_registers) in re.findall(r"\d+", head.limits)


def counter_has_a_modulus_and_a_step(model: ModbusModel) -> None:
    """Except for floats, whose step grows, exponents, and 64 bits, which outlast any meter."""
    row = counter(model)
    endless = TYPES[row.type].is_float or row.exponent or TYPES[row.type].words == 4
    assert row.modulus is not None or endless
    assert row.step() > 0 or TYPES[row.type].is_float or row.exponent or row.fraction


def sources_are_named(model: ModbusModel) -> None:
    """Check that the model and each vector say in words where they are from."""
    assert len(model.model.source.split()) >= 4
    assert all(len(row.note.split()) >= 3 for row in model.vector)


CHECKS: Final[tuple[Callable[[ModbusModel], None], ...]] = (
    all_vectors_decode_to_their_values,
    every_point_has_a_vector_that_only_its_own_words_fulfil,
    limits_are_those_of_its_manual,
    counter_has_a_modulus_and_a_step,
    sources_are_named,
)
