"""Consumption against another year: what all meters share is quiet, what one has alone is not."""

import numpy as np
import pytest

from analytics.quality.year_changes import power_of_ten, year_changes
from tests.analytics.quality.metered import metered

PAST = {f"e{number}": np.full(100, 10.0 + number) for number in range(5)}


def codes(scale: dict[str, float], common: float = 1.0) -> dict[str, str]:
    now = {meter: days * common * scale.get(meter, 1.0) for meter, days in PAST.items()}
    found = year_changes(metered(now), metered(PAST), 2024, "electricity")
    return {one.finding.subject: one.finding.code for one in found}


@pytest.mark.parametrize("common", [0.6, 1.0, 1.5])
def test_a_change_of_all_meters_is_weather_or_a_closed_office(common: float) -> None:
    assert codes({}, common) == {}
    assert codes({"e2": 1.15}, common) == {}


def test_a_meter_that_deviates_by_more_than_a_fifth_is_verified() -> None:
    """e2 had 12 a day: 1,200, and 720 were expected where all others fell to 60 %."""
    now = {meter: 0.6 * days for meter, days in PAST.items()} | {"e2": PAST["e2"]}
    [one] = year_changes(metered(now), metered(PAST), 2024, "electricity")
    values = dict(one.finding.values)
    assert (one.finding.code, one.finding.subject) == ("year_change", "e2")
    assert values["expected"] == pytest.approx(720)
    assert one.amount == pytest.approx(480)


@pytest.mark.parametrize(("factor", "power"), [(0.001, -3), (1100.0, 3), (0.1, -1), (40.0, 2)])
def test_a_power_of_ten_is_a_slip(factor: float, power: int) -> None:
    is_slip = factor != 40.0
    assert codes({"e2": factor}) == {"e2": "unit_slip" if is_slip else "year_change"}
    assert power_of_ten(factor) == (power if is_slip else None)


def test_a_year_that_is_not_known_is_not_compared() -> None:
    short = PAST | {"e2": np.concatenate([np.full(10, np.nan), np.full(90, 90.0)])}
    assert list(year_changes(metered(short), metered(PAST), 2024, "electricity")) == []
