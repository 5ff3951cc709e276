"""Imported consumption that contains invalid values."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cases.case_site import HOUR, CaseSite, codes, steady, year_hours


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path)


def test_a_loggers_number_for_no_value_is_unknown(site: CaseSite) -> None:
    rows = dict(steady([*year_hours(2020), *year_hours(2025)], 20.0))
    rows |= dict(steady([datetime(2025, 7, 9, hour) for hour in range(4, 19)], -999.0))
    site.load(site.readings(rows.items()), "--kind", "interval")
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx(174_900.0)
    assert figure["coverage"] == pytest.approx(0.998, abs=5e-4)
    assert site.figure()["change_pct"] == pytest.approx(-0.44, abs=0.01)
    assert "no_value" in codes(figure)


@pytest.mark.parametrize(("wrong", "code"), [(4294967.295, "no_value"), (401.0, "above_nameplate")])
def test_what_can_not_have_flowed_in_an_hour_is_unknown(
    site: CaseSite, wrong: float, code: str
) -> None:
    rows = dict(steady(year_hours(2024), 18.0))
    rows[datetime(2024, 3, 2, 5)] = wrong
    site.load(site.readings(rows.items()), "--kind", "interval")
    figure = site.figure("electricity", 2024)
    assert figure["value"] == pytest.approx(158_094.0)
    assert figure["coverage"] == pytest.approx(1 - 1 / 8784)
    assert code in codes(figure)


def test_a_pair_above_the_nameplate_nets_to_zero(site: CaseSite) -> None:
    """The water meter could not have counted 79.34 m3 in an hour; the pair says so itself."""
    rows = dict(steady(year_hours(2024), 8.0))
    rows[datetime(2024, 3, 2, 5)] = 79.34
    rows[datetime(2024, 3, 2, 5) + 20 * HOUR] = -79.34
    site.load(site.readings(rows.items(), "w-a"), "--kind", "interval")
    figure = site.figure("water", 2024)
    assert figure["value"] == pytest.approx(8782 * 8.0)
    assert figure["coverage"] == 1.0
