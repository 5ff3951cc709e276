"""The length of each interval follows from the steps around it; overlaps are reported."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ingest.importing.judging.calendar_steps import Step
from ingest.importing.judging.interval_lengths import IntervalLengths, interval_lengths

HOUR_MS = 3_600_000


def found(
    *times: str, zone: str = "Asia/Shanghai", at_end: bool = False, given: Step | None = None
) -> IntervalLengths:
    local = ZoneInfo(zone)
    times_ms = [
        round(datetime.fromisoformat(time).replace(tzinfo=local).timestamp() * 1000)
        for time in times
    ]
    return interval_lengths(times_ms, local, at_end=at_end, given=given)


def hours(*times: str, **options: object) -> list[float]:
    result = found(*times, **options)  # type: ignore[arg-type]  # passed on
    assert result.overlaps == ()
    return [length / HOUR_MS for length in result.lengths_ms]


def test_months_have_their_own_length_and_a_missing_one_stays_missing() -> None:
    assert hours("2020-01-01", "2020-02-01", "2020-03-01", "2020-05-01", "2020-06-01") == [
        744,
        696,
        744,
        744,
        720,
    ]


def test_quarters_and_years() -> None:
    assert hours("2020-01-01", "2020-04-01", "2020-07-01") == [91 * 24, 91 * 24, 92 * 24]
    assert hours("2020-01-01", "2021-01-01") == [8784, 8760]


def test_years_that_lie_years_apart_say_no_length() -> None:
    assert hours("2020-01-01", "2025-01-01") == [0, 0]


def test_one_time_alone_says_no_length() -> None:
    assert hours("2020-01-01") == [0]
    assert hours("2020-02-01", given=Step("month", 1)) == [696]


@pytest.mark.parametrize(("step", "length"), [(5, 1 / 12), (15, 0.25)])
def test_steps_may_change_within_a_series(step: int, length: float) -> None:
    minutes = [f"2020-01-01 04:{minute:02}" for minute in range(0, 60, step)]
    whole = [f"2020-01-01 {hour:02}:00" for hour in range(4)]
    assert hours(*whole, *minutes) == pytest.approx([1.0] * 4 + [length] * (60 // step))
    later = [f"2020-01-01 {hour:02}:00" for hour in range(5, 10)]
    assert hours(*minutes, *later) == pytest.approx([length] * (60 // step) + [1.0] * 5)


def test_before_a_gap_an_interval_has_its_usual_length() -> None:
    times = [f"2020-01-01 {hour:02}:00" for hour in (0, 1, 2, 7)]
    assert hours(*times) == [1.0] * 4


def test_a_jitter_of_seconds_is_neither_gap_nor_overlap() -> None:
    times = ["2020-01-01 00:00:03", "2020-01-01 01:00:01", "2020-01-01 01:59:58"]
    assert hours(*times) == pytest.approx([3598 / 3600, 3597 / 3600, 1.0], abs=1e-3)
    minutes = ["2020-01-01 00:00:00", "2020-01-01 00:01:04", "2020-01-01 00:01:58"]
    assert hours(*minutes)[:2] == pytest.approx([64 / 3600, 54 / 3600])


def test_a_value_between_hourly_ones_overlaps() -> None:
    times = [f"2020-01-01 {hour:02}:00" for hour in range(6)]
    assert found(*times[:3], "2020-01-01 02:20", *times[3:]).overlaps == (2, 3)


def test_a_named_length_that_does_not_fit_overlaps() -> None:
    times = ("2020-01-01 00:00", "2020-01-01 00:15")
    assert found(*times, given=Step("ms", HOUR_MS)).overlaps == (0,)


def test_end_stamps_look_back() -> None:
    assert hours("2020-02-01", "2020-03-01", "2020-04-01", at_end=True) == [744, 696, 744]
    assert hours("2020-01-02", "2020-01-03", "2020-01-04", "2020-01-09", at_end=True) == [24] * 4


def test_a_local_day_has_23_to_25_hours() -> None:
    days = ["2022-03-26", "2022-03-27", "2022-03-28", "2022-03-29"]
    assert hours(*days, zone="Europe/London") == [24, 23, 24, 24]
    assert hours("2022-10-28", "2022-10-29", "2022-10-30", zone="Europe/London") == [24, 24, 25]
