"""Signals of stored consumption and indicators, worked out by hand."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.alerts.signals.indicator_days import coverage, greatest_of_quotas, path_excess
from analytics.alerts.signals.meter_balance import DayBalance, imbalance
from analytics.alerts.signals.night_and_idle import idle_load, night_flow
from analytics.alerts.signals.signal_table import FUNCTIONS
from analytics.calendar.working_hours import Hours
from jieneng.metering.alert_signals import SIGNALS
from tests.analytics.alerts.signals.made_hours import SHANGHAI, at_hour, made_hours

NAN = float("nan")


def test_each_signal_has_a_function_and_each_function_a_signal() -> None:
    assert set(FUNCTIONS) == set(SIGNALS)


def test_the_night_flow_is_the_least_of_the_hours_of_the_night() -> None:
    """The night is 01:00 to 05:00: the 0.1 at midnight and at five do not count."""
    by_hour = {0: 0.1, 1: 0.9, 2: 0.4, 3: 0.7, 4: 0.5, 5: 0.1}
    hours = made_hours(date(2025, 6, 4), date(2025, 6, 5), lambda one: by_hour.get(one.hour, 3.0))
    np.testing.assert_equal(night_flow(hours), [[0.4]])


def test_a_night_with_a_gap_is_unknown() -> None:
    hours = made_hours(
        date(2025, 6, 4),
        date(2025, 6, 6),
        lambda one: NAN if (one.day, one.hour) == (4, 3) else 0.5,
    )
    np.testing.assert_equal(night_flow(hours), [[NAN, 0.5]])


def test_a_night_over_midnight_belongs_to_the_morning() -> None:
    hours = made_hours(
        date(2025, 6, 3),
        date(2025, 6, 5),
        lambda one: 0.2 if (one.day, one.hour) == (3, 23) else 0.5,
        hours=Hours(night=("23:00", "04:00")),
    )
    np.testing.assert_equal(night_flow(hours)[0, 1], 0.2)


def test_a_flow_is_per_hour_where_clocks_go_back() -> None:
    """In the night of 26 October 2025 in Berlin, five hours lie between 01:00 and 05:00."""
    berlin = ZoneInfo("Europe/Berlin")
    hours = made_hours(date(2025, 10, 26), date(2025, 10, 27), lambda _: 0.5, berlin)
    assert (hours.grid.nights == 0).sum() == 5
    np.testing.assert_equal(night_flow(hours), [[0.5]])


def test_the_idle_load_is_a_share_of_the_mean_of_working_hours() -> None:
    """Work is from 08:00 to 18:30: the hour from 18:00 is neither, and 12:00 is the lunch break."""

    def load(one: datetime) -> float:
        if one.weekday() >= 5:
            return 6.0
        return {12: 10.0, 18: 15.0}.get(one.hour, 20.0) if 8 <= one.hour <= 18 else 9.5

    hours = made_hours(date(2025, 6, 3), date(2025, 6, 16), load)
    found = idle_load(hours)
    evening = datetime(2025, 6, 13, 20, tzinfo=SHANGHAI)
    assert at_hour(hours, found, evening) == pytest.approx(100 * 9.5 / 19)
    assert at_hour(hours, found, evening.replace(day=14)) == pytest.approx(100 * 6 / 19)
    assert np.isnan(at_hour(hours, found, evening.replace(hour=18)))
    assert np.isnan(at_hour(hours, found, evening.replace(hour=10)))


def test_the_idle_load_of_a_building_that_was_just_metered_is_unknown() -> None:
    """Four working days of ten whole hours are 40: known from the evening of the fourth on."""
    hours = made_hours(date(2025, 6, 3), date(2025, 6, 9), lambda _: 1.0)
    found = idle_load(hours)
    assert np.isnan(at_hour(hours, found, datetime(2025, 6, 5, 20, tzinfo=SHANGHAI)))
    assert at_hour(hours, found, datetime(2025, 6, 6, 20, tzinfo=SHANGHAI)) == 100.0


def days(**rows: list[float]) -> DayBalance:
    full = [1.0] * len(rows["amounts"])
    none = [0.0] * len(full)
    given = {
        "coverage": full,
        "bounded": full,
        "spread_start": none,
        "spread_end": none,
        **rows,
    }
    return DayBalance(**{name: np.array([row]) for name, row in given.items()})


def test_the_imbalance_is_the_rest_of_three_days_over_their_consumption() -> None:
    found = imbalance(days(amounts=[100.0, 50.0, 50.0, 100.0], rests=[10.0, 0.0, -4.0, -6.0]))
    np.testing.assert_allclose(found, [[NAN, NAN, 3.0, -5.0]])


@pytest.mark.parametrize("field", ["coverage", "bounded"])
def test_a_day_on_which_a_meter_was_silent_makes_the_balance_unknown(field: str) -> None:
    short = {field: [1.0, 0.99, 1.0, 1.0, 1.0]}
    found = imbalance(days(amounts=[10.0] * 5, rests=[1.0] * 5, **short))
    np.testing.assert_allclose(found, [[NAN, NAN, NAN, NAN, 10.0]])


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("spread_start", [NAN, NAN, 10.0, NAN, 10.0]),
        ("spread_end", [NAN, NAN, 10.0, 10.0, 10.0]),
    ],
)
def test_a_balance_whose_ends_were_not_read_is_unknown(field: str, expected: list[float]) -> None:
    """At the second midnight 0.7 of three days of 30 were spread, which is more than 2 %.

    That midnight is the start of the second day, and the end of the first.
    """
    place = 1 if field == "spread_start" else 0
    spread = [0.7 if number == place else 0.0 for number in range(5)]
    found = imbalance(days(amounts=[10.0] * 5, rests=[1.0] * 5, **{field: spread}))
    np.testing.assert_allclose(found, [expected])


def test_a_meter_that_counts_nothing_has_no_imbalance() -> None:
    assert np.isnan(imbalance(days(amounts=[0.0] * 3, rests=[-1.0] * 3))).all()


def test_an_excess_needs_a_path_and_a_verdict() -> None:
    found = path_excess(
        np.array([[103.0, 97.0, 103.0, 103.0]]),
        np.array([[100.0, 100.0, NAN, 100.0]]),
        np.array([[True, True, True, False]]),
    )
    np.testing.assert_allclose(found, [[3.0, -3.0, NAN, NAN]])


def test_the_worst_of_several_quotas_of_an_indicator_counts() -> None:
    shares = np.array([[[70.0, NAN], [81.0, NAN]], [[NAN, 0.0], [NAN, NAN]]])
    np.testing.assert_allclose(greatest_of_quotas(shares), [[81.0, NAN], [NAN, 0.0]])
    assert np.isnan(greatest_of_quotas(np.zeros((2, 0, 3)))).all()


def test_the_coverage_of_a_scope_is_that_of_its_least_covered_indicator() -> None:
    shares = np.array([[[0.98, NAN], [0.5, NAN]], [[NAN, 1.0], [0.9, NAN]]])
    np.testing.assert_allclose(coverage(shares), [[50.0, NAN], [90.0, 100.0]])
