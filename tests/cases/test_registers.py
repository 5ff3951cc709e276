"""Registers with invalid values, and registers that are reset."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import HOUR, CaseSite, codes, hours, meter


def rising(times: list[datetime], first: float, step: float) -> list[tuple[datetime, float | str]]:
    return [(time, first + step * number) for number, time in enumerate(times)]


@pytest.mark.parametrize("keys", [[], ["rated_max = 400.0"]])
def test_zeros_before_the_first_real_reading_are_no_register(
    tmp_path: Path, keys: list[str]
) -> None:
    """1,278,066 kWh were counted: the meter's whole life."""
    site = CaseSite(tmp_path, meter("e-a", *keys))
    times = hours(datetime(2025, 1, 1), datetime(2026, 1, 1, 1))
    zeros = [(time, 0.0) for time in times[:24]]
    site.load(site.readings([*zeros, *rising(times[24:], 1_103_325.0, 20.0)]))
    figure = site.figure("electricity")
    assert figure["value"] == pytest.approx((8760 - 24) * 20.0)
    assert figure["value"] == 174_720.0
    assert figure["coverage"] == pytest.approx(1 - 24 / 8760)


def test_all_ones_at_night_of_a_meter_without_a_model(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", "modulus = 429496729.6"))
    week = hours(datetime(2025, 3, 3), datetime(2025, 3, 10, 1))
    rows = [
        (time, 429496729.5 if time.hour < 6 else value) for time, value in rising(week, 1e3, 10.0)
    ]
    site.load(site.readings(rows))
    figure = site.figure("electricity", "2025-03")
    assert figure["value"] == pytest.approx(10.0 * (168 - 7))


@pytest.mark.parametrize("key", ["digits = 5", "modulus = 100000.0"])
@pytest.mark.parametrize("rated", [[], ["rated_max = 16.0"]])
def test_a_display_of_five_digits_rolls_over(tmp_path: Path, key: str, rated: list[str]) -> None:
    """6,160 m3 were counted: the month across the end of the display was lost."""
    site = CaseSite(tmp_path, meter("w-a", key, *rated))
    months = [datetime(2025, number, 1) for number in range(1, 13)] + [datetime(2026, 1, 1)]
    rows = [(time, (94_940.0 + 560 * number) % 1e5) for number, time in enumerate(months)]
    assert rows[9][1] == 99_980.0
    assert rows[10][1] == 540.0
    site.load(site.readings(rows, "w-a"))
    figure = site.figure("water")
    assert figure["value"] == 6720.0
    assert figure["coverage"] == 1.0


def test_a_display_without_known_digits_is_a_guess(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("w-a", "rated_max = 16.0"))
    months = [datetime(2025, number, 1) for number in range(1, 13)] + [datetime(2026, 1, 1)]
    rows = [(time, (94_940.0 + 560 * number) % 1e5) for number, time in enumerate(months)]
    site.load(site.readings(rows, "w-a"))
    figure = site.figure("water")
    assert figure["value"] == 6720.0
    assert codes(figure) >= {"rollover_guess"}
    assert figure["status"] not in ("met", "on_track", "at_risk", "missed")


@pytest.mark.parametrize("step", [HOUR / 4, HOUR, 2 * HOUR])
def test_a_register_that_is_declared_to_begin_again_each_day(
    tmp_path: Path, step: timedelta
) -> None:
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0", 'resets = "daily"'))
    times = hours(datetime(2025, 1, 1), datetime(2025, 4, 1) + HOUR, step)
    rows = [
        (time, (time - datetime.combine(time, datetime.min.time())) / HOUR * 20) for time in times
    ]
    site.load(site.readings(rows))
    figure = site.figure("electricity", "2025-Q1")
    assert figure["value"] == pytest.approx(90 * 24 * 20.0)
    assert figure["coverage"] == 1.0
    assert figure["estimated"] == pytest.approx(step / timedelta(days=1), rel=1e-3)
    assert codes(figure) >= {"not_read"}
    assert not codes(figure) & {"counter_reset", "set_aside", "spread_edge"}
