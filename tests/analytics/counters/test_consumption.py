"""Consumption by interval: the register's consumption, in the intervals of its time."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics import periods
from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import consumption_between
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices

DAY_MS = 24 * HOUR_MS


def hours(*of: float) -> NDArray[np.int64]:
    return np.round(np.array(of) * HOUR_MS).astype(np.int64)


def imported(*rows: tuple[float, float, float]) -> ImportedConsumption:
    start, end, amount = (np.array(column) for column in zip(*rows, strict=True))
    read = np.zeros(len(start), dtype=np.bool_)
    return ImportedConsumption(
        hours(*start), hours(*end), amount.astype(np.float64), read
    ).without_overlaps()


def test_registers_are_interpolated_at_edges() -> None:
    register = believed_register(hours(0, 0.7, 1.7), np.array([0.0, 7.0, 17.0]), MeterDevices("m"))
    consumption = consumption_between(register, hours(0, 0.5, 1, 1.5))
    assert consumption.amount == pytest.approx([5.0, 5.0, 5.0])
    assert consumption.coverage.tolist() == [1.0, 1.0, 1.0]


def test_a_gap_over_midnight_keeps_its_energy_and_says_that_it_is_estimated() -> None:
    """Hourly readings, none from 20:00 to 06:00: 100 kWh, 40 before midnight, 60 after."""
    before, after = np.arange(21), np.arange(30, 49)
    times = hours(*before, *after)
    values = np.concatenate([before * 5.0, 200.0 + (after - 30) * 5.0])
    consumption = consumption_between(
        believed_register(times, values, MeterDevices("m")), hours(0, 24, 48)
    )
    assert consumption.amount == pytest.approx([140.0, 150.0])
    assert consumption.estimated == pytest.approx([40.0, 60.0])
    assert consumption.coverage == pytest.approx([20 / 24, 18 / 24])


def test_a_meter_read_by_hand_once_a_day_is_covered() -> None:
    register = believed_register(
        hours(*range(8, 24 * 30, 24)), np.arange(30.0) * 10.0, MeterDevices("m")
    )
    consumption = consumption_between(register, hours(*range(24, 24 * 28, 24)))
    assert consumption.amount == pytest.approx([10.0] * 26)
    assert (consumption.coverage == 1).all()
    assert not consumption.estimated.any()


def test_a_meter_read_once_a_month_is_covered_but_not_over_a_missing_month() -> None:
    days = np.array([0, 31, 59, 90, 120, 181, 212, 243, 273, 304])  # May's reading is missing
    register = believed_register(hours(*(days * 24)), days * 2.0, MeterDevices("m"))
    consumption = consumption_between(register, hours(*(days * 24)))
    assert consumption.coverage.tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert consumption.amount == pytest.approx(np.diff(days) * 2.0)


def test_daily_history_that_becomes_hourly_is_covered_throughout() -> None:
    times = hours(*range(0, 24 * 20, 24), *range(24 * 20, 24 * 30))
    register = believed_register(times, times / HOUR_MS, MeterDevices("m"))
    assert register.covered[:-1].all()


def test_days_of_a_clock_change_have_their_own_length() -> None:
    zone = ZoneInfo("Europe/Berlin")
    edges = periods.edges_ms(date(2025, 3, 29), date(2025, 4, 1), "day", zone)
    times = np.arange(edges[0] - HOUR_MS, edges[-1] + 2 * HOUR_MS, HOUR_MS)
    register = believed_register(times, (times - times[0]) / HOUR_MS, MeterDevices("m"))
    assert consumption_between(register, edges).amount.tolist() == [24.0, 23.0, 24.0]


def test_an_unknown_interval_is_nan_and_a_partly_known_one_is_its_known_part() -> None:
    register = believed_register(hours(6, 7, 8), np.array([0.0, 3.0, 6.0]), MeterDevices("m"))
    consumption = consumption_between(register, hours(-4, 0, 7.5, 12, 16))
    assert np.isnan(consumption.amount).tolist() == [True, False, False, True]
    assert consumption.amount[1:3] == pytest.approx([4.5, 1.5])
    assert consumption.coverage == pytest.approx([0, 0.2, 0.5 / 4.5, 0])


def test_imported_consumption_is_used_as_it_is() -> None:
    nothing = believed_register(hours(), np.zeros(0), MeterDevices("m"))
    consumption = consumption_between(
        nothing, hours(0, 1, 2, 3, 4), imported((0, 1, 0.1), (1, 2, 0.7), (3, 4, 0))
    )
    assert consumption.amount[[0, 1, 3]].tolist() == [0.1, 0.7, 0.0]
    assert np.isnan(consumption.amount[2])  # missing is missing
    assert consumption.coverage.tolist() == [1, 1, 0, 1]


def test_a_replacement_on_record_without_any_reading_leaves_imports_as_they_are() -> None:
    """The register has only the two recorded values, both at 06:00, and no time between them."""
    old = Device(until_ms=6 * HOUR_MS, final=500.0)
    new = Device(from_ms=6 * HOUR_MS, initial=3.0)
    register = believed_register(hours(), np.zeros(0), MeterDevices("m", (old, new)))
    consumption = consumption_between(register, hours(0, 12, 24), imported((0, 24, 48.0)))
    assert consumption.amount.tolist() == [24.0, 24.0]
    assert np.isnan(consumption_between(register, hours(0, 24)).amount).all()


def test_imported_consumption_goes_before_the_register_where_it_is() -> None:
    register = believed_register(hours(*range(25)), np.arange(25.0) * 10.0, MeterDevices("m"))
    consumption = consumption_between(register, hours(0, 24), imported((0, 8, 100.0)))
    assert consumption.amount.tolist() == [100.0 + 160.0]
    assert consumption.coverage.tolist() == [1.0]


def test_imported_months_are_laid_on_their_days() -> None:
    nothing = believed_register(hours(), np.zeros(0), MeterDevices("m"))
    consumption = consumption_between(nothing, hours(0, 24, 48), imported((0, 24 * 30, 900.0)))
    assert consumption.amount == pytest.approx([30.0, 30.0])
    assert consumption.coverage.tolist() == [1.0, 1.0]


def test_a_year_of_one_number_says_how_much_but_not_when() -> None:
    nothing = believed_register(hours(), np.zeros(0), MeterDevices("m"))
    consumption = consumption_between(
        nothing, hours(0, 24, 24 * 364, 24 * 365), imported((0, 24 * 365, 3650.0))
    )
    assert consumption.amount == pytest.approx([10.0, 3630.0, 10.0])
    assert consumption.coverage.tolist() == [0.0, 0.0, 0.0]
    assert consumption.estimated == pytest.approx([10.0, 3630.0, 10.0])
    assert consumption.bounded.tolist() == [1.0, 1.0, 1.0]
    assert consumption.spread_start == pytest.approx([0.0, 10.0, 10.0])
    assert consumption.spread_end == pytest.approx([10.0, 10.0, 0.0])


class TestSpreadOverEdges:
    def test_is_the_smaller_side_of_the_readings_around(self) -> None:
        """Readings of 1 kWh/h at 07:00 each third day; an edge 17 hours after one, and 41 hours."""
        times = hours(*range(7, 800, 72))
        register = believed_register(times, times / HOUR_MS, MeterDevices("m"))
        consumption = consumption_between(register, hours(24, 48, 79, 80))
        assert consumption.spread_start == pytest.approx([17.0, 31.0, 0.0])
        assert consumption.spread_end == pytest.approx([31.0, 0.0, 1.0])

    def test_is_nothing_between_readings_of_usual_density(self) -> None:
        times = hours(*np.arange(0.5, 50).tolist())
        register = believed_register(times, times / HOUR_MS, MeterDevices("m"))
        assert not consumption_between(register, hours(12, 24, 36)).spread_start.any()

    def test_counts_a_gap_that_is_short_for_a_person_and_long_for_the_meter(self) -> None:
        minutes = [n for n in range(0, 48 * 60, 5) if not 24 * 60 - 40 < n < 24 * 60 + 20]
        times = hours(*(n / 60 for n in minutes))
        register = believed_register(times, times / HOUR_MS * 60, MeterDevices("m"))
        consumption = consumption_between(register, hours(0, 24, 47))
        assert consumption.spread_end == pytest.approx([20.0, 0.0])
        assert consumption.spread_start == pytest.approx([0.0, 20.0])

    def test_goes_through_a_change_of_the_transformers(self) -> None:
        """CT 10, then 20, from the edge itself: 10 h at 10 kWh before, 14 h at 20 kWh after."""
        ratios = ((-(2**62), 10.0), (int(hours(24)[0]), 20.0))
        device = Device(ratios=ratios)
        register = believed_register(
            hours(14, 38, 62), np.array([140.0, 760.0, 1240.0]), MeterDevices("m", (device,))
        )
        consumption = consumption_between(register, hours(20, 24, 62))
        assert consumption.spread_end[0] == pytest.approx(100.0)
        assert consumption.bounded.tolist() == [1.0, 1.0]

    def test_is_unknown_over_a_reset(self) -> None:
        times = [*range(20), *range(30, 60)]
        values = [500.0 + time if time < 25 else time - 30.0 for time in times]
        register = believed_register(hours(*times), np.array(values), MeterDevices("m"))
        consumption = consumption_between(register, hours(0, 24, 48))
        assert not consumption.spread_start.any()
        assert consumption.bounded == pytest.approx([19 / 24, 18 / 24])


@pytest.mark.parametrize("early_s", [2, 300])
def test_an_interval_that_begins_seconds_early_is_no_overlap(early_s: int) -> None:
    """Its consumption is kept whole, and laid on the time that is left."""
    nothing = believed_register(hours(), np.zeros(0), MeterDevices("m"))
    rows = imported((0, 1, 10.0), (1 - early_s / 3600, 2 - early_s / 3600, 12.0))
    consumption = consumption_between(nothing, hours(0, 1, 2), rows)
    assert consumption.amount.tolist() == [10.0, 12.0]
    assert consumption.coverage == pytest.approx([1.0, 1 - early_s / 3600])


def test_an_interval_that_is_left_out_hides_no_later_one() -> None:
    nothing = believed_register(hours(), np.zeros(0), MeterDevices("m"))
    rows = imported((0, 10, 100.0), (5, 100, 7.0), (10, 20, 200.0))
    assert consumption_between(nothing, hours(0, 10, 20), rows).amount.tolist() == [100.0, 200.0]


def test_an_import_that_overlaps_an_earlier_one_is_left_out() -> None:
    nothing = believed_register(hours(), np.zeros(0), MeterDevices("m"))
    twice = imported((0, 24, 240.0), (5, 6, 10.0), (24, 25, 3.0))
    assert consumption_between(nothing, hours(0, 24, 25), twice).amount.tolist() == [240.0, 3.0]


@given(
    steps=st.lists(st.tuples(st.integers(1, 900), st.floats(0, 500)), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 20_000), min_size=2, max_size=30, unique=True),
    rows=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 4000), st.floats(0, 90))),
)
def test_intervals_add_up_however_they_are_cut(
    steps: list[tuple[int, float]],
    cuts: list[int],
    rows: list[tuple[int, int, float]],
) -> None:
    """Amount and known time are those of the whole, and neighbours agree about their edge."""
    times = hours(*np.cumsum([0, *(hour for hour, _ in steps)]).tolist())
    values = np.cumsum([0.0, *(step for _, step in steps)])
    register = believed_register(times, values, MeterDevices("m"))
    by_start = {start: (start, start + length, amount) for start, length, amount in rows}
    intervals = imported(*(by_start[start] for start in sorted(by_start))) if rows else None
    edges = hours(*sorted(cuts))
    parts = consumption_between(register, edges, intervals)
    whole = consumption_between(register, edges[[0, -1]], intervals)
    known = np.isfinite(parts.amount)
    assert np.isfinite(whole.amount[0]) == known.any()
    if known.any():
        assert parts.amount[known].sum() == pytest.approx(whole.amount[0], rel=1e-9, abs=1e-6)
    lengths = np.diff(edges)
    for shares, share in (
        (parts.bounded, whole.bounded),
        (parts.coverage, whole.coverage),
    ):
        assert (shares @ lengths) == pytest.approx(share[0] * lengths.sum())
    assert (parts.bounded >= parts.coverage - 1e-12).all()
    assert parts.spread_end[:-1].tolist() == parts.spread_start[1:].tolist()
    assert (parts.spread_start[0], parts.spread_end[-1]) == (
        whole.spread_start[0],
        whole.spread_end[0],
    )
