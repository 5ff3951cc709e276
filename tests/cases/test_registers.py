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


@pytest.mark.parametrize("later", [[], [20_000.0]])
def test_a_last_reading_below_the_one_before_leaves_a_doubt(
    tmp_path: Path, later: list[float]
) -> None:
    """18,000 in August, 17,000 in September: July and August were 0 kWh, without a doubt."""
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0"))
    shown = [*(10_000.0 + 1000 * month for month in range(1, 9)), 17_000.0, *later]
    rows = [(datetime(2025, 1 + place, 1), value) for place, value in enumerate(shown)]
    site.load(site.readings(rows))
    for month in (7, 8):
        figure = site.figure("electricity", f"2025-0{month}")
        [fall] = [one for one in figure["findings"] if one["code"] == "unclear_fall"]
        assert "18,000" in fall["text"]
        assert "17,000" in fall["text"]


def test_a_mistyped_reading_between_good_ones_leaves_no_doubt(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0"))
    shown = [11_000.0, 12_000.0, 13_000.0, 19_000.0, 15_000.0, 16_000.0, 17_000.0]
    rows = [(datetime(2025, 1 + place, 1), value) for place, value in enumerate(shown)]
    site.load(site.readings(rows))
    figure = site.figure("electricity", "2025-04")
    assert figure["value"] == pytest.approx(1000.0, rel=0.02)
    assert "unclear_fall" not in codes(figure)


@pytest.mark.parametrize("step", [HOUR, 24 * HOUR])
def test_a_register_that_runs_backwards_is_in_doubt(tmp_path: Path, step: timedelta) -> None:
    """Wrong polarity for ten days: 1,900 kWh of 3,000 were counted in June, without a doubt."""
    site = CaseSite(tmp_path, meter("e-a", "rated_max = 400.0"))
    times = hours(datetime(2025, 1, 1), datetime(2025, 7, 10), step)
    a_step = 100.0 * (step / timedelta(days=1))
    back = [datetime(2025, 6, 1) < time <= datetime(2025, 6, 11) for time in times]
    shown, rows = 50_000.0, []
    for time, is_back in zip(times, back, strict=True):
        shown += -a_step if is_back else a_step
        rows.append((time, round(shown, 3)))
    site.load(site.readings(rows), "--sure")
    figure = site.figure("electricity", "2025-06")
    assert figure["value"] <= 2000
    assert "ran_backwards" in codes(figure)
    assert "ran_backwards" in codes(site.figure("electricity", 2025))
    after = site.figure("electricity", "2025-06-20")
    assert (after["value"], after["coverage"]) == (pytest.approx(100.0), 1.0)
