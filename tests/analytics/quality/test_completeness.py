"""Expected and stored readings by point, day and building."""

from datetime import date

import numpy as np
import pytest

from analytics.periods import days
from analytics.quality.completeness import (
    PointReadings,
    day_shares,
    incomplete_points,
    is_expected,
    point_shares,
    whole,
)
from tests.analytics.figures.test_figures import CENTRE
from tests.analytics.sites import site

WEEK = days(date(2025, 6, 2), date(2025, 6, 9))


def point(meter: str, quantity: str, *stored: float) -> PointReadings:
    return PointReadings(meter, quantity, np.full(len(stored), 96.0), np.array(stored))


def test_a_point_needs_nine_tenths_of_its_readings() -> None:
    points = [
        point("e", "energy_kwh", 96, 96, 60),
        point("e", "power_kw", 0, 96, 96),
        point("g", "volume_m3", 96, 96, 70),
    ]
    shares = list(point_shares(points))
    assert [one.share for one in shares] == pytest.approx(
        [252 / 288, 192 / 288, 262 / 288], abs=1e-6
    )
    found = {
        dict(one.finding.values)["quantity"]: one.amount
        for one in incomplete_points(shares, CENTRE, {"e": 1000.0})
    }
    assert found == {"energy_kwh": pytest.approx(125.0, abs=1e-3), "power_kw": 0.0}


def test_more_readings_than_expected_do_not_make_up_for_a_gap() -> None:
    by_day = day_shares(
        [point("e", "energy_kwh", 192, 0), point("g", "volume_m3", 96, 48)],
        frozenset({"e", "g"}),
        "block",
        WEEK[:2],
    )
    assert [one.share for one in by_day] == [1.0, 0.25]
    total = whole("block", by_day)
    assert total is not None
    assert (total.expected, total.stored, total.share) == (384, 240, 0.625)


def test_days_before_the_first_poll_and_after_the_removal_are_not_expected() -> None:
    [meter] = site("""
[[area]]
id = "block"
name = "block"

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
removed = 2025-06-06
""").meter
    assert is_expected(meter, WEEK, date(2025, 6, 4)).tolist() == [0, 0, 1, 1, 1, 0, 0]
