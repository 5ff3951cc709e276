"""The library of meters. A model is one file: these tests find it, its vectors are its own test."""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import pytest

from jieneng import site_folder
from jieneng.metering.catalog.modbus_points import ModbusModel, VectorRow, modbus_models
from jieneng.metering.quantities import MEDIA
from jieneng.site_folder import packaged_models
from tests.metering.catalog import library_checks

MODELS: Mapping[str, ModbusModel] = modbus_models(packaged_models())
VECTORS: Sequence[tuple[str, VectorRow]] = [
    (name, row) for name, model in sorted(MODELS.items()) for row in model.vector
]


@pytest.mark.parametrize(
    ("name", "row"), VECTORS, ids=[f"{name}-0x{row.address:04X}" for name, row in VECTORS]
)
def test_a_vector_decodes_to_what_it_says(name: str, row: VectorRow) -> None:
    """Read alone, in the reads that the plan makes of just these quantities."""
    library_checks.vector_decodes_to_its_values(MODELS[name], row)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_point_has_a_vector_that_only_its_own_words_fulfil(name: str) -> None:
    library_checks.every_point_has_a_vector_that_only_its_own_words_fulfil(MODELS[name])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_the_limits_of_its_manual(name: str) -> None:
    library_checks.limits_are_those_of_its_manual(MODELS[name])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_counter_says_where_it_wraps_and_how_fine_it_reads(name: str) -> None:
    library_checks.counter_has_a_modulus_and_a_step(MODELS[name])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_file_is_named_as_its_model_and_says_where_it_is_from(name: str) -> None:
    assert (resources.files("jieneng") / "metering" / "models" / f"{name}.toml").is_file()
    library_checks.sources_are_named(MODELS[name])


NEW_MODEL = """
[model]
id = "new-meter"
name = "新表"
medium = "water"
source = "NEW-1 user manual V1.0, register table, page 7"
confidence = "manual"
limits = "'UINT32', litres: 2^32 / 1000; 'at most 20 registers', page 6"
max_registers = 20

[[point]]
quantity = "volume_m3"
function = 3
address = 0x0010
type = "u32"
scale = 0.001
modulus = 4294967.296

[[vector]]
note = "worked out by hand: 12345678 litres"
function = 3
address = 0x0010
words = "00BC 614E"
gives = {volume_m3 = 12345.678}
"""
SITE = '[site]\nid = "s"\nname = "s"\n'


def site_with(path: Path, model: str) -> ModbusModel:
    """Write a site's folder with one more model, and return the model as it is read."""
    (path / "models").mkdir(exist_ok=True)
    (path / "models" / "new-meter.toml").write_text(model, encoding="utf-8")
    (path / "site.toml").write_text(SITE, encoding="utf-8")
    return modbus_models(site_folder.load(path).models)["new-meter"]


def test_a_new_model_is_one_file(tmp_path: Path) -> None:
    """The new model's own file is enough to pass every check of the library."""
    model = site_with(tmp_path, NEW_MODEL)
    for check in library_checks.CHECKS:
        check(model)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["new-meter.toml"]


@pytest.mark.parametrize(
    ("right", "wrong", "check"),
    [
        ("scale = 0.001", "scale = 0.01", library_checks.all_vectors_decode_to_their_values),
        ("address = 0x0010\ntype", "address = 0x0011\ntype",
         library_checks.all_vectors_decode_to_their_values),
        ("modulus = 4294967.296", "modulus = 429496.7296",
         library_checks.limits_are_those_of_its_manual),
        ("max_registers = 20", "max_registers = 21",
         library_checks.limits_are_those_of_its_manual),
        ("modulus = 4294967.296", "", library_checks.counter_has_a_modulus_and_a_step),
        ("NEW-1 user manual V1.0, register table, page 7", "the manual",
         library_checks.sources_are_named),
        ("gives = {volume_m3 = 12345.678}", "gives = {}",
         library_checks.every_point_has_a_vector_that_only_its_own_words_fulfil),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_new_model_is_found_by_its_own_file(
    right: str, wrong: str, check: Callable[[ModbusModel], None], tmp_path: Path
) -> None:
    assert right in NEW_MODEL
    model = site_with(tmp_path, NEW_MODEL.replace(right, wrong))
    with pytest.raises(AssertionError):
        check(model)


def test_the_library_is_as_wide_as_a_centre_needs() -> None:
    assert len(MODELS) >= 15
    for medium in MEDIA:
        assert any(model.model.medium == medium for model in MODELS.values()), medium
    electric = [model for model in MODELS.values() if model.model.medium == "electricity"]
    single = [m for m in electric if any(row.quantity == "voltage_v" for row in m.point)]
    assert len(single) >= 3
    assert len(electric) - len(single) >= 6
