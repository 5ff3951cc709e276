"""Amounts that were typed, copied or frozen, and amounts that only look like that."""

from datetime import date

import numpy as np

from analytics.periods import days
from analytics.quality.meter_patterns import (
    copied_meters,
    copied_months,
    flat_lines,
    zero_lines,
)
from analytics.quality.month_amounts import month_amounts
from tests.analytics.figures.test_figures import CENTRE
from tests.analytics.quality.metered import metered

YEAR = days(date(2025, 1, 1), date(2026, 1, 1))
LAST = days(date(2024, 1, 1), date(2025, 1, 1))


def varied(seed: int, size: int = 365) -> np.ndarray:
    return np.round(np.random.default_rng(seed).uniform(20, 40, size), 2)


def test_a_frozen_value_is_a_flat_line() -> None:
    frozen = varied(1)
    frozen[100:120] = 31.0
    [one] = flat_lines(metered({"e": frozen, "f": varied(2)}), YEAR, "electricity")
    values = dict(one.finding.values)
    assert (one.finding.subject, values["days"], values["first"]) == ("e", 20, YEAR[100])
    assert one.amount == 20 * 31.0


def test_what_was_spread_between_distant_readings_is_no_flat_line() -> None:
    assert (
        list(flat_lines(metered({"e": np.full(365, 30.0)}, spread=0.5), YEAR, "electricity")) == []
    )


def test_a_meter_that_is_read_and_counts_nothing_is_listed() -> None:
    unread = np.full(365, np.nan)
    found = zero_lines(metered({"e": np.zeros(365), "f": varied(1), "g": unread}), YEAR)
    assert [one.finding.subject for one in found] == ["e"]


def test_months_that_equal_those_of_the_last_year_are_copied() -> None:
    now, last = varied(1), varied(2, 366)
    now[:90], last[:91] = 10.0, np.concatenate([np.full(59, 10.0), [0.0], np.full(31, 10.0)])
    own = month_amounts(metered({"e": now}), YEAR)
    [one] = copied_months(own, month_amounts(metered({"e": last}), LAST), ["e"])
    assert dict(one.finding.values) == {
        "months": 3,
        "first": date(2025, 1, 1),
        "copied": date(2024, 1, 1),
    }
    assert one.amount == 900.0


def test_equal_months_in_a_row_are_copied_but_small_ones_are_not() -> None:
    steady = np.array([3100.0 / (31 if day.month in (1, 3, 5) else 30) for day in YEAR])
    for month in (2, 4):
        of_month = np.array([day.month == month for day in YEAR])
        steady[of_month] = 3100.0 / of_month.sum()
    steady[151:] = varied(3)[151:]
    found = list(copied_months(month_amounts(metered({"e": steady}), YEAR), None, ["e"]))
    assert [dict(one.finding.values)["months"] for one in found] == [4]
    small = month_amounts(metered({"e": steady / 100}), YEAR)
    assert list(copied_months(small, None, ["e"])) == []


def test_a_meter_that_equals_another_one_is_copied_unless_it_hangs_below_it() -> None:
    equal = month_amounts(metered({"e": varied(1), "g": varied(1), "h": varied(2)}), YEAR)
    [one] = copied_meters(equal, ("e", "g", "h"), CENTRE)
    assert (one.finding.subject, dict(one.finding.values)["other"]) == ("g", "e")
    assert list(copied_meters(equal, ("e", "e-canteen", "h"), CENTRE)) == []


def test_a_running_month_and_a_month_with_a_gap_are_no_months() -> None:
    gap = varied(1)
    gap[40] = np.nan
    found = month_amounts(metered({"e": gap[:100]}), YEAR[:100])
    assert found.months == (date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1))
    assert np.isnan(found.amount[0]).tolist() == [False, True, False]
