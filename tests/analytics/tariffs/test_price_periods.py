"""Hours of peak, flat and valley, as the notice lists them."""

from datetime import date
from pathlib import Path

import pytest

from analytics.figures.figure import rounded
from analytics.tariffs.account_plan import account_plan
from analytics.tariffs.price_periods import day_periods, has_half_hours
from analytics.tariffs.tariff import (
    Account,
    DatedDemand,
    DatedTariff,
    DayType,
    Price,
    Schedule,
    Season,
    Tariffs,
)
from analytics.tariffs.tariff_files import load_tariffs
from jieneng.metering.quantities import PRICE_PERIODS

PACKAGED = load_tariffs(Path(), None)
LETTERS = dict(zip(PRICE_PERIODS, "SPFVD", strict=True))


def half_hours(schedule: str, day: date, day_type: DayType = "workday") -> str:
    """Return a letter for each half hour of a day."""
    [row] = day_periods(PACKAGED.schedules[schedule], [day], [day_type])
    return "".join(LETTERS[PRICE_PERIODS[one]] for one in row.tolist())


SUMMER = "V" * 12 + "F" * 10 + "V" * 4 + "F" * 2 + "P" * 16 + "F" * 4
SPRING = "F" * 4 + "V" * 8 + "F" * 8 + "V" * 8 + "F" * 2 + "P" * 14 + "F" * 4


@pytest.mark.parametrize(
    ("month", "expected"),
    [(1, SUMMER), (2, SUMMER), (3, SPRING), (5, SPRING), (6, SUMMER), (8, SUMMER), (9, SPRING),
     (11, SPRING), (12, SUMMER)],
)  # fmt: skip
def test_the_hours_of_each_season(month: int, expected: str) -> None:
    """Peak 14-22 in summer and winter, 15-22 in spring and autumn; 22-2 is over midnight."""
    assert half_hours("jiangsu-2025", date(2026, month, 15)) == expected
    assert half_hours("jiangsu-2025-all-year", date(2026, month, 15)) == SPRING


def test_sharp_hours_begin_at_half_hours_and_replace_peak_hours() -> None:
    july = half_hours("jiangsu-2025-industry", date(2026, 7, 15))
    assert july == SUMMER[:28] + "SS" + SUMMER[30:39] + "SSSS" + SUMMER[43:]
    assert half_hours("jiangsu-2025-industry", date(2026, 6, 15)) == SUMMER
    assert has_half_hours(PACKAGED.schedules["jiangsu-2025-industry"])
    assert not has_half_hours(PACKAGED.schedules["jiangsu-2025"])


def test_valley_hours_of_a_holiday_are_deep() -> None:
    holiday = half_hours("jiangsu-2025-industry", date(2026, 5, 1), "holiday")
    assert holiday == SPRING.replace("V", "D")
    assert half_hours("jiangsu-2025-industry", date(2026, 5, 9), "weekend") == SPRING


def test_two_periods_of_a_boiler_with_heat_storage() -> None:
    night = Season(valley=(("22:00", "08:00"),), flat=(("08:00", "22:00"),))
    schedule = Schedule(id="storage", season=(night,), source="contract of 2025")
    [row] = day_periods(schedule, [date(2026, 1, 2)], ["workday"])
    assert "".join(LETTERS[PRICE_PERIODS[one]] for one in row.tolist()) == (
        "V" * 16 + "F" * 28 + "V" * 4
    )


def plan_of(account: Account, *prices: Price, first: date, days: int = 3) -> tuple[object, ...]:
    rows: dict[str, list[Price]] = {}
    for one in prices:
        rows.setdefault(one.tariff, []).append(one)
    tariffs = Tariffs(PACKAGED.schedules, PACKAGED.tariffs, rows, (), ())
    every = [date.fromordinal(first.toordinal() + number) for number in range(days)]
    plan = account_plan(account, tariffs, every, lambda _: "workday")
    return plan.interval, [rounded(one) for one in plan.prices[:, 1].tolist()]


def test_a_day_without_tariff_or_price_has_no_price() -> None:
    """The tariff of 2025 begins on 1 June. Its prices are published monthly, so that of June ends
    with June; the prices before are in force until others are stated."""
    account = Account(
        id="1",
        tariff=(
            DatedTariff(date(2020, 1, 1), "jiangsu-2021"),
            DatedTariff(date(2025, 6, 1), "jiangsu-two-part"),
        ),
    )
    old = Price(tariff="jiangsu-2021", from_=date(2025, 1, 1), flat=0.66, peak=1.13, valley=0.28)
    june = Price(
        tariff="jiangsu-two-part",
        from_=date(2025, 6, 1),
        flat=0.64,
        purchase=0.3957,
    )
    assert plan_of(account, old, june, first=date(2025, 5, 31), days=2)[1] == [1.13, 0.9566]
    assert plan_of(account, old, june, first=date(2025, 6, 30), days=2)[1] == [0.9566, None]
    assert plan_of(account, june, first=date(2025, 5, 31), days=2)[1] == [None, 0.9566]


@pytest.mark.parametrize(
    ("tariff", "demand", "interval"),
    [
        ("water-flat", (), "day"),
        ("jiangsu-two-part", (), "hour"),
        ("jiangsu-industry", (), "15min"),
        ("jiangsu-two-part", (DatedDemand(from_=date(2025, 6, 1), basis="actual"),), "15min"),
    ],
)
def test_consumption_is_read_as_finely_as_prices_and_demand_need(
    tariff: str, demand: tuple[DatedDemand, ...], interval: str
) -> None:
    account = Account(id="1", tariff=(DatedTariff(date(2025, 6, 1), tariff),), demand=demand)
    assert plan_of(account, first=date(2025, 6, 1))[0] == interval
