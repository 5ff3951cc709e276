"""A model that asks for less at once is the same model."""

import pytest

from edge_agent.commissioning.read_variants import read_variants
from jieneng.metering.catalog import model_check
from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.site_folder import packaged_models

MODELS = modbus_models(packaged_models())


@pytest.mark.parametrize("name", MODELS)
def test_every_way_of_a_model_has_its_points_and_asks_for_less(name: str) -> None:
    usual, *narrow = read_variants(MODELS[name])
    assert usual is MODELS[name]
    assert len({way.id for way in (usual, *narrow)}) == 3
    for way in narrow:
        assert model_check.check(way) == []
        assert (way.point, way.identity, way.forbidden) == (
            usual.point, usual.identity, usual.forbidden,
        )  # fmt: skip
        assert len(plan(way)) >= len(plan(usual))


@pytest.mark.parametrize("name", MODELS)
def test_between_the_registers_of_a_value_only_is_anything_read_along(name: str) -> None:
    _, apart, alone = read_variants(MODELS[name])
    rows = MODELS[name].point
    for read in plan(apart):
        inside = range(read.address, read.address + read.count)
        spans = [range(row.first, row.end) for row in rows if row.function == read.function]
        assert all(any(place in span for span in spans) for place in inside)
    assert max(read.count for read in plan(alone)) == max(row.end - row.first for row in rows)
