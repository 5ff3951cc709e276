"""Steps that contradict a meter's past are named; seasons, weekends and new buildings are not."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.counters.own_past.day_history import DAY_MS, DayHistory
from analytics.counters.own_past.rising_amounts import rising_amounts
from analytics.counters.own_past.standstills import standstills
from analytics.counters.own_past.unusual_steps import unusual_steps
from analytics.counters.register_finding import RegisterFinding

ZONE = ZoneInfo("Asia/Shanghai")
START_MS = round(datetime(2020, 1, 1, tzinfo=ZONE).timestamp() * 1000)
MONTHS = np.cumsum([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
MONTHS_2021 = 366 + np.cumsum([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def history(amount: NDArray[np.float64], coverage: float = 1.0) -> DayHistory:
    edges = START_MS + np.arange(len(amount) + 1, dtype=np.int64) * DAY_MS
    return DayHistory(edges, amount, np.full(len(amount), coverage), np.zeros(len(amount)))


def monthly(amounts: list[float]) -> NDArray[np.float64]:
    """Return the days of a meter that is read on the first of each month."""
    bounds = np.append(MONTHS, MONTHS_2021)[: len(amounts) + 1]
    return np.repeat(np.array(amounts) / np.diff(bounds), np.diff(bounds))


def office(days: int, seed: int = 1) -> NDArray[np.float64]:
    """Return the days of an office: weekends, seasons, holidays and noise."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    season = 1 + 0.5 * np.cos(4 * np.pi * day / 365)
    amount = 300 * season * rng.uniform(0.8, 1.2, days)
    amount[day % 7 > 4] *= 0.3
    amount[(day % 365 > 25) & (day % 365 < 45)] *= 0.15
    return amount


def heating(days: int, seed: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    cold = np.maximum(np.cos(2 * np.pi * np.arange(days) / 365) - 0.2, 0.0)
    return 900 * cold * rng.uniform(0.6, 1.4, days)


def unusual(amount: NDArray[np.float64], *, seasonal: bool = False) -> list[RegisterFinding]:
    return list(unusual_steps("m", history(amount), seasonal=seasonal))


def still(amount: NDArray[np.float64], *, seasonal: bool = False) -> list[RegisterFinding]:
    return list(standstills("m", history(amount), seasonal=seasonal))


def day(one: RegisterFinding) -> int:
    return (one.first_ms - START_MS) // DAY_MS


class TestAnUnusualStep:
    def test_of_the_last_month(self) -> None:
        """220,000 keyed as 242,000 on 31 December."""
        months = [10_500.0, 9_500.0, *[10_000.0 + 200 * number for number in range(9)], 32_000.0]
        [found] = unusual(monthly(months))
        assert found.finding.code == "unusual_step"
        assert day(found) == MONTHS[11]
        assert found.until_ms == START_MS + 366 * DAY_MS
        assert found.doubt == pytest.approx(32_000 - 11_600 / 31 * 31, rel=0.02)

    @pytest.mark.parametrize("at", [40, 200, 364])
    def test_of_a_day(self, at: int) -> None:
        amount = office(365)
        amount[at] += 22_000
        [found] = unusual(amount)
        assert day(found) == at
        assert 21_000 < found.doubt < 22_300

    def test_of_a_day_of_a_meter_that_never_varies(self) -> None:
        amount = np.full(366, 480.0)
        amount[365] = 22_480
        [found] = unusual(amount)
        assert found.doubt == pytest.approx(22_000)

    def test_of_a_swap_in_a_month_that_was_read_at_noon(self) -> None:
        """The days at both ends of the step hold half of it."""
        amount = np.full(366, 290.0)
        amount[100:130], amount[99], amount[130] = 3600.0, 1900.0, 1900.0
        [found] = unusual(amount)
        assert (day(found), found.until_ms) == (99, START_MS + 131 * DAY_MS)
        assert found.doubt == pytest.approx(30 * 3310 + 2 * 1610)

    def test_of_a_gap_in_daily_readings(self) -> None:
        """Two months without readings, and 60,000 too much in them."""
        amount = office(700)
        amount[300:360] = amount[300:360].mean() + 1000
        assert [day(found) for found in unusual(amount)] == [300]

    def test_of_three_days(self) -> None:
        amount = office(365)
        amount[[30, 150, 290]] += [9_000, 70_000, 5_000]
        assert [day(found) for found in unusual(amount)] == [30, 150, 290]

    def test_of_gas_in_the_second_winter(self) -> None:
        amount = heating(600)
        amount[500] += 30_000
        assert [day(found) for found in unusual(amount, seasonal=True)] == [500]


class TestNoUnusualStep:
    @pytest.mark.parametrize("seed", range(5))
    def test_in_offices_and_heating_on_any_day(self, seed: int) -> None:
        for days in range(5, 800, 13):
            assert not unusual(office(days, seed))
            assert not unusual(heating(days, seed)[20:], seasonal=True)

    def test_where_a_season_begins(self) -> None:
        summer_first = heating(400)[120:]
        for days in range(60, 280):
            assert not unusual(summer_first[:days], seasonal=True)

    def test_where_a_building_fills(self) -> None:
        months = [300.0 * 1.35**number for number in range(14)]
        for count in range(1, 15):
            assert not unusual(monthly(months[:count]))

    def test_where_people_move_in(self) -> None:
        amount = np.where(np.arange(400) < 200, 20.0, 400.0) * office(400) / 300
        assert not unusual(amount)

    def test_where_readings_became_denser(self) -> None:
        amount = np.append(
            monthly([9_000.0 + 300 * (number % 4) for number in range(12)]), office(90)
        )
        assert not unusual(amount)

    def test_without_a_past(self) -> None:
        assert not unusual(monthly([9_000.0, 90_000.0]))
        assert not unusual(np.array([9.0, 900.0]))
        assert not unusual(np.array([]))
        assert not unusual(np.full(40, np.nan))

    def test_that_does_not_matter(self) -> None:
        amount = np.full(365, 300.0)
        amount[77] = 800.0
        assert not unusual(amount)


class TestAStandstill:
    def test_of_weeks_where_the_year_before_had_none(self) -> None:
        amount = office(731)
        amount[490:546] = 0
        [found] = still(amount)
        assert (found.finding.code, day(found)) == ("stood_still", 490)
        assert dict(found.finding.values)["days"] == 56
        assert found.doubt == pytest.approx(amount[126:182].sum(), rel=0.2)

    def test_where_other_years_are_far_away(self) -> None:
        """The base year and the year of the target alone, of gas."""
        amount = np.full(2192, np.nan)
        amount[:366], amount[1827:] = heating(366) + 20, heating(365, 2) + 20
        amount[1840:1890] = 0
        [found] = still(amount, seasonal=True)
        assert day(found) == 1840

    def test_within_the_only_year(self) -> None:
        amount = office(365)
        amount[200:214] = 0
        assert [day(found) for found in still(amount)] == [200]

    def test_that_goes_on(self) -> None:
        amount = office(500)
        amount[470:] = 0
        assert [day(found) for found in still(amount)] == [470]

    def test_that_the_register_made_up_for_is_none(self) -> None:
        amount = office(731)
        amount[496] = amount[490:497].sum()
        amount[490:496] = 0
        assert not still(amount)


class TestNoStandstill:
    def test_on_weekends(self) -> None:
        amount = np.where(np.arange(730) % 7 > 4, 0.0, 20.0)
        assert not still(amount)
        amount[300:312] = 0
        assert not [
            found for found in still(amount) if found.until_ms - found.first_ms < 7 * DAY_MS
        ]

    @pytest.mark.parametrize("days", [300, 400, 800])
    def test_of_gas_in_summer(self, days: int) -> None:
        assert not still(heating(days), seasonal=True)

    def test_in_the_holidays_of_each_year(self) -> None:
        amount = office(1095)
        for year in range(3):
            amount[365 * year + 190 : 365 * year + 240] = 0
        assert not still(amount)

    def test_before_the_first_consumption(self) -> None:
        amount = office(400)
        amount[:100] = 0
        assert not still(amount)

    def test_of_a_meter_that_is_hardly_used(self) -> None:
        rng = np.random.default_rng(3)
        amount = np.where(rng.random(900) < 0.1, 5.0, 0.0)
        assert not still(amount)
        assert not still(np.zeros(100))


class TestAmountsThatNeverFall:
    def test_are_a_register(self) -> None:
        [found] = rising_amounts("m", history(5000 + np.cumsum(office(90))))
        assert found.finding.code == "looks_like_register"
        assert np.isnan(found.doubt)

    def test_are_a_register_by_the_month(self) -> None:
        days = np.append(MONTHS, MONTHS_2021)
        rates = np.repeat(np.arange(1, 24) * 100.0, np.diff(days)[:23])
        assert list(rising_amounts("m", history(rates)))

    def test_are_no_consumption(self) -> None:
        for seed in range(5):
            assert not list(rising_amounts("m", history(office(800, seed))))
            assert not list(rising_amounts("m", history(heating(800, seed))))
        assert not list(rising_amounts("m", history(np.full(400, 20.0))))
        assert not list(rising_amounts("m", history(np.array([]))))


def with_gap(amount: NDArray[np.float64], first: int, counts: list[float]) -> DayHistory:
    """Return a history with gaps of ten days each, distributed by working days and weekends.

    The meter is read at noon before the first gap, and at noon between two gaps.

    Args:
        amount: consumption of the days without a gap.
        first: the day of the reading before the gaps.
        counts: consumption in each gap.
    """
    amount, coverage, spread = amount.copy(), np.ones(len(amount)), np.zeros(len(amount) + 1)
    usual = np.repeat(np.where(np.arange(len(amount)) % 7 > 4, 30.0, 100.0), 2) / 2  # half days
    end = 2 * first + 1
    for count in counts:
        gap = slice(end, end + 20)
        halves = np.zeros(2 * len(amount))
        halves[gap] = count * usual[gap] / usual[gap].sum()
        days = halves.reshape(-1, 2).sum(axis=1)
        is_new = coverage == 1
        amount = np.where(days > 0, np.where(is_new, days, amount + days), amount)
        coverage[(end + 1) // 2 : (end + 20) // 2] = 0.0
        coverage[first] = 0.5
        before = np.append(0.0, np.cumsum(halves))[::2]
        spread += np.minimum(before, count - before).clip(0)
        end += 20
    coverage[end // 2] = 0.5 if len(counts) else 1.0
    edges = START_MS + np.arange(len(amount) + 1, dtype=np.int64) * DAY_MS
    return DayHistory(edges, amount, coverage, spread[:-1])


class TestAGapThatWasDistributedByUsualConsumption:
    def test_is_one_step(self) -> None:
        steps = with_gap(office(365), 200, [3_000.0]).steps
        [step] = np.flatnonzero(steps.days > 1).tolist()
        assert (steps.first[step], steps.days[step]) == (201, 9)
        assert steps.resolution[step] == 9

    def test_is_a_step_of_its_own_beside_another_one(self) -> None:
        steps = with_gap(office(365), 200, [3_000.0, 4_000.0]).steps
        longer = np.flatnonzero(steps.days > 1)
        assert list(zip(steps.first[longer], steps.days[longer], strict=True)) == [
            (201, 9),
            (211, 9),
        ]

    def test_is_unusual_as_a_whole(self) -> None:
        """The register was replaced in the gap, and the replacement was not recorded."""
        [found] = unusual_steps("m", with_gap(office(365), 200, [90_000.0]), seasonal=False)
        assert 200 <= day(found) <= 201
        assert found.until_ms >= START_MS + 210 * DAY_MS
        assert not list(unusual_steps("m", with_gap(office(365), 200, [3_500.0]), seasonal=False))
