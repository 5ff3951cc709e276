"""The change of carbon by cause, against numbers computed by hand."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec
import pytest

from analytics import periods
from analytics.figures.decomposition.carbon_split import CarbonSplit, carbon_splits
from analytics.figures.roll_up import scopes
from analytics.site_analytics import load_rules
from jieneng.metering.site import Site
from tests.analytics.figures.test_figures import A_DAY, CENTRE, measured
from tests.analytics.sites import site

#: Jiangsu's grid factors of 2021, which is used for 2020, and of 2023, the latest [kgCO2/kWh].
OLD, NEW = 0.6451, 0.5827
BOUGHT = site("""
[[area]]
id = "house"
name = "house"
floor_area_m2 = [{from = 2019-01-01, value = 1000.0}, {from = 2024-01-01, value = 1250.0}]

[[meter]]
id = "grid"
name = "grid"
medium = "electricity"
area = "house"

[[meter]]
id = "wind"
name = "wind"
medium = "electricity"
area = "house"
supply = "direct_green"

[[meter]]
id = "pv"
name = "pv"
medium = "electricity"
area = "house"
role = "generation"
""")
#: No consumption of any meter of `BOUGHT`.
NONE = {"grid": 0.0, "wind": 0.0, "pv": 0.0}


def split(
    path: Path,
    base: Mapping[str, float] | None = A_DAY,
    now: Mapping[str, float] = A_DAY,
    of: Site = CENTRE,
    indicator: str = "carbon_total",
) -> CarbonSplit:
    """June, so that both years have 30 days."""
    period, year = periods.parse("2025-06"), periods.calendar_year(2020)
    found = carbon_splits(
        of,
        load_rules(path),
        scopes(of),
        period,
        date(2026, 1, 1),
        measured(period, now, of=of),
        None if base is None else (year, measured(year, base, of=of)),
    )
    return next(one for one in found if (one.scope, one.indicator) == ("centre", indicator))


def effects(of: CarbonSplit) -> tuple[float | None, ...]:
    return msgspec.structs.astuple(of.effects)


def test_a_cleaner_grid_alone_is_an_effect_of_the_factor(tmp_path: Path) -> None:
    """Equal consumption: 6,000 kWh x (0.5827 - 0.6451) = -374.4 kg, -9.7 % of the electricity."""
    found = split(tmp_path)
    assert effects(found) == pytest.approx((0.0, 0.0, -0.3744, None))
    assert found.base == pytest.approx((6000 * OLD + 300 * 2.184 + 3 * 110) / 1000)
    electricity, gas, heat = found.parts
    assert electricity.base is not None
    assert electricity.effects.factor == pytest.approx(-0.0967 * electricity.base, rel=1e-3)
    assert (gas.effects.factor, heat.effects.factor) == (0.0, 0.0)
    assert {one.code for one in found.findings} >= {"baseline_proxy_factor", "provisional_factor"}


def test_a_green_line_of_its_own_is_an_effect_of_the_supply(tmp_path: Path) -> None:
    """72,000 kWh of the grid become 36,000 and 24,000 of a wind park.

    The effects of the grid's kilowatt-hours, with the weights 1/3 and 1/6 of three factors:
    activity -12,000 x (0.6451 + 0.6 x 0.5827) / 3 + (0.5827 + 0.6 x 0.6451) / 6 = -5,918.4 kg.
    """
    found = split(tmp_path, NONE | {"grid": 2400}, NONE | {"grid": 1200, "wind": 800}, BOUGHT)
    assert effects(found) == pytest.approx((-5.9184, -16.23192, -3.31968, None))
    assert found.change == pytest.approx((36_000 * NEW - 72_000 * OLD) / 1000)


def test_photovoltaics_are_an_effect_of_activity(tmp_path: Path) -> None:
    found = split(tmp_path, NONE | {"grid": 100}, NONE | {"grid": 60, "pv": 40}, BOUGHT)
    mean_factor = (OLD + NEW) / 2
    assert found.effects.activity == pytest.approx(30 * (60 - 100) * mean_factor / 1000)
    assert found.effects.supply == 0.0


def test_a_larger_floor_area_lowers_the_carbon_per_area(tmp_path: Path) -> None:
    """Equal 3,000 kWh: 3,000 x (1/1250 - 1/1000) x mean factor."""
    bought = NONE | {"grid": 100}
    found = split(tmp_path, bought, bought, BOUGHT, "carbon_per_floor_area")
    assert found.effects.area == pytest.approx(3000 * (1 / 1250 - 1 / 1000) * (OLD + NEW) / 2)
    assert found.effects.activity == 0.0
    assert sum(part or 0.0 for part in effects(found)) == pytest.approx(found.change, abs=1e-5)


def test_a_carrier_that_began_later_is_an_effect_of_activity(tmp_path: Path) -> None:
    found = split(tmp_path, {**A_DAY, "h": 0.0}, A_DAY)
    heat = found.parts[2]
    assert heat.effects.activity == heat.value == pytest.approx(0.33)


def test_an_unknown_base_is_told_and_gives_no_effects(tmp_path: Path) -> None:
    nothing: dict[str, float] = {}
    for base in (nothing, None):
        found = split(tmp_path, base)
        assert (found.status, found.base, found.change) == ("no_baseline", None, None)
        assert effects(found) == (None,) * 4
    assert "no_baseline" in {one.code for one in split(tmp_path, nothing).findings}


def test_missing_consumption_is_no_effect_of_activity(tmp_path: Path) -> None:
    without_gas = {meter: amount for meter, amount in A_DAY.items() if meter != "g"}
    found = split(tmp_path, A_DAY, without_gas)
    assert (found.status, effects(found)) == ("insufficient_data", (None,) * 4)


def test_a_scope_without_a_floor_area_in_the_base_year_is_not_comparable(tmp_path: Path) -> None:
    """The data of both years are complete, so the status is not `insufficient_data`."""
    house = msgspec.structs.replace(BOUGHT.area[0], floor_area_m2=BOUGHT.area[0].floor_area_m2[1:])
    later = msgspec.structs.replace(BOUGHT, area=(house,))
    bought = NONE | {"grid": 100}
    found = split(tmp_path, bought, bought, later, "carbon_per_floor_area")
    assert (found.status, found.coverage) == ("not_comparable", 1.0)
    assert effects(found) == (None,) * 4
