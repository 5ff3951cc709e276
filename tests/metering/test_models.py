"""The library of meters. A model is one file: these tests find it, its vectors are its own test."""

import math
from collections.abc import Mapping, Sequence

import pytest

from jieneng.metering.catalog import Model, PointRow, VectorRow
from jieneng.metering.quantities import CONSUMPTION, MEDIA
from jieneng.metering.read_plan import plan
from jieneng.metering.registers import TYPES
from jieneng.site_folder import packaged_models

MODELS: Mapping[str, Model] = packaged_models()
VECTORS: Sequence[tuple[str, VectorRow]] = [
    (name, row) for name, model in sorted(MODELS.items()) for row in model.vector
]


def counter(model: Model) -> PointRow:
    wanted = CONSUMPTION[model.model.medium]
    return next(row for row in model.point if row.quantity == wanted)


@pytest.mark.parametrize(
    ("name", "row"), VECTORS, ids=[f"{name}-0x{row.address:04X}" for name, row in VECTORS]
)
def test_a_vector_decodes_to_what_it_says(name: str, row: VectorRow) -> None:
    """Read alone, in the reads that the plan makes of just these quantities."""
    wanted = [*row.gives, *row.unknown]
    found: dict[str, float] = {}
    for read in plan(MODELS[name], wanted=wanted):
        assert read.function == row.function
        begin = 2 * (read.address - row.address)
        assert begin >= 0, f"{read.quantities} lie before the vector's words"
        block = row.data[begin : begin + read.size]
        assert len(block) == read.size, f"{read.quantities} lie behind the vector's words"
        found.update(zip(read.quantities, read.decode(block), strict=True))
    assert set(found) == set(wanted)
    assert {quantity for quantity, value in found.items() if math.isnan(value)} == set(row.unknown)
    for quantity, value in row.gives.items():
        nearly = 1e-5 if TYPES[next_row(name, quantity).type].floating else 1e-9
        assert found[quantity] == pytest.approx(value, rel=nearly, abs=0), quantity


def next_row(name: str, quantity: str) -> PointRow:
    return next(row for row in MODELS[name].point if row.quantity == quantity)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_point_has_a_vector_that_only_its_own_words_fulfil(name: str) -> None:
    """Other tests read words that were made with the model itself: a wrong address agrees there."""
    vectors = MODELS[name].vector
    unknown = {quantity for one in vectors for quantity in one.unknown}
    assert unknown == {row.quantity for row in MODELS[name].point if row.unknown is not None}
    for row in MODELS[name].point:
        told = [one.gives for one in vectors if one.gives.get(row.quantity)]
        assert told, f"nobody worked out a value of {row.quantity} by hand"
        assert any(list(gives.values()).count(gives[row.quantity]) == 1 for gives in told)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_counter_says_where_it_wraps_and_how_fine_it_reads(name: str) -> None:
    """But floats, whose step grows, what has an exponent, and 64 bits, which outlast any meter."""
    row = counter(MODELS[name])
    endless = TYPES[row.type].floating or row.exponent or TYPES[row.type].words == 4
    assert row.modulus is not None or endless
    assert row.step() > 0 or TYPES[row.type].floating or row.exponent or row.fraction


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_file_is_named_as_its_model_and_says_where_it_is_from(name: str) -> None:
    model = MODELS[name].model
    assert len(model.source.split()) >= 4
    assert all(len(row.note.split()) >= 3 for row in MODELS[name].vector)


def test_the_library_is_as_wide_as_a_centre_needs() -> None:
    assert len(MODELS) >= 15
    for medium in MEDIA:
        assert any(model.model.medium == medium for model in MODELS.values()), medium
    electric = [model for model in MODELS.values() if model.model.medium == "electricity"]
    single = [m for m in electric if any(row.quantity == "voltage_v" for row in m.point)]
    assert len(single) >= 3
    assert len(electric) - len(single) >= 6
