"""The library of meters. A model is one file: these tests find it, its vectors are its own test."""

import math
from collections.abc import Mapping, Sequence

import pytest

from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow, VectorRow, modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.quantities import CONSUMPTION, MEDIA, QUANTITIES
from jieneng.metering.registers import TYPES
from jieneng.site_folder import packaged_models

MODELS: Mapping[str, ModbusModel] = modbus_models(packaged_models())
VECTORS: Sequence[tuple[str, VectorRow]] = [
    (name, row) for name, model in sorted(MODELS.items()) for row in model.vector
]


def counter(model: ModbusModel) -> PointRow:
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


#: Where a model's counters start again, in the canonical unit, and the most registers of a request.
#: Vectors can't show either, so each stands twice. Quoted is what a manual says of it; a width says
#: where a counter wraps; the other limits of a request are ours, and careful.
LIMITS: Mapping[str, tuple[float | None, int]] = {
    # 64 bits.
    "abb-b23": (None, 60),
    # Signed hundredths: 2^31 / 100.
    "acrel-adw300": (21_474_836.48, 60),
    # "UINT32", "Calculation factor 0.01": 2^32 / 100.
    "acrel-ddsy1352": (42_949_672.96, 120),
    "acrel-dtsd1352": (42_949_672.96, 120),
    # Signed tenths: 2^31 / 10.
    "carlo-gavazzi-em340": (214_748_364.8, 50),
    # A float: no end is said.
    "chint-dtsu666": (None, 60),
    # "long", "m3": 2^31; "number of register to be read (up to 22)", page 8.
    "dynaflox-ultrad": (2_147_483_648.0, 22),
    # "a maximum of 40 values in a single transaction; therefore [...] 80" registers
    # (SDM630 Modbus MID V2, page 25).
    "eastron-sdm120": (None, 80),
    "eastron-sdm630": (None, 80),
    # Its register list: 0 to 99999999.
    "flonidan-uniflo1200": (100_000_000.0, 60),
    # An accumulator behind a scale factor. 125 is the limit of Modbus itself.
    "fronius-smart-meter": (None, 125),
    # Twelve digits, "小数4位": 10^8.
    "fuxin-gas-corrector": (100_000_000.0, 40),
    # "U_DWORD", 0.01: 2^32 / 100.
    "igen-dtsd422": (42_949_672.96, 60),
    # Nine digits; "the maximum number of data bytes [...] is 250 (125 x 2)" (MFE600E).
    "microsensor-mfe600h": (1_000_000_000.0, 125),
    # "0~9999.99kWh", section 1.6.1; its table of results has ten registers.
    "pzem-016": (10_000.0, 10),
    # 64 bits.
    "schneider-iem3155": (None, 100),
    # A float.
    "siemens-pac2200": (None, 120),
    # "Long is a signed 4-byte integer": 2^31.
    "tuf-2000m-water": (2_147_483_648.0, 60),
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_the_limits_of_its_manual(name: str) -> None:
    model = MODELS[name]
    wraps = {row.modulus for row in model.point if QUANTITIES[row.quantity].kind == "counter"}
    assert (*wraps, model.model.max_registers) == LIMITS[name]


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
