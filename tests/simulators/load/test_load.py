"""A load is a function of time alone; its rate is its derivative; parents are their children."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.site_folder import SiteFolder
from simulators.load.load import DAY_MS, HOUR_MS, DayShape, LoadTerm, ShapedLoad
from simulators.meter_history import midnights
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SimulatedSite

BEGIN_MS = 1_577_808_000_000  # 2020-01-01 in Huai'an
END_MS = 1_830_268_800_000  # 2028-01-01


def _one(time_ms: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray([time_ms])


@given(st.integers(BEGIN_MS, END_MS), st.integers(1, 2000))
def test_asking_a_moment_equals_asking_a_run(
    simulated: SimulatedSite, begin: int, length: int
) -> None:
    """Bit for bit, for a leaf and for a sum of leaves."""
    factor = begin + 997 * np.arange(length)
    for meter in ("e-b3-hvac", "w-main"):
        load = simulated.meters[meter].load
        together = load.consumption(factor)
        for at in (0, length // 2, length - 1):
            assert load.consumption(factor[at : at + 1])[0] == together[at]
            assert load.rate(factor[at : at + 1])[0] == load.rate(factor)[at]


def test_the_same_seed_is_the_same_centre_and_another_one_is_not(
    example: SiteFolder, settings: SimulatorSettings, simulated: SimulatedSite
) -> None:
    factor = BEGIN_MS + 7_654_321 * np.arange(2000)
    again = site_server.simulate_site(example, settings)
    other = site_server.simulate_site(example, SimulatorSettings(seed=9))
    for name, meter in simulated.meters.items():
        ours = meter.load.consumption(factor)
        assert (again.meters[name].load.consumption(factor) == ours).all()
        assert not np.allclose(other.meters[name].load.consumption(factor), ours, rtol=1e-6)


def test_a_later_last_year_changes_nothing_before_it(
    example: SiteFolder, simulated: SimulatedSite
) -> None:
    short = site_server.simulate_site(example, SimulatorSettings(last_year=2026))
    long = site_server.simulate_site(example, SimulatorSettings(last_year=2033))
    factor = BEGIN_MS + 3_600_007 * np.arange(24 * 365 * 6)
    for name in ("e-b1-light", "g-boiler", "w-main"):
        ours = short.meters[name].load.consumption(factor)
        assert (long.meters[name].load.consumption(factor) == ours).all()


def test_no_load_ever_falls_and_rates_are_its_derivative(simulated: SimulatedSite) -> None:
    """But for midnights, where one day's rate ends and the next one's begins."""
    factor = BEGIN_MS + 5 * HOUR_MS + 20_000 * np.arange(5 * 4320)  # five days in steps of 20 s
    for name, meter in simulated.meters.items():
        flowed = meter.load.consumption(factor)
        assert (np.diff(flowed) >= 0).all(), name
        slope = (meter.load.consumption(factor + 1000) - flowed) / (1000 / HOUR_MS)
        middle = meter.load.rate(factor + 500)
        apart = np.abs(slope - middle) > 1e-4 * middle.max()
        assert apart.sum() <= 5, name


def test_a_parent_is_the_sum_of_its_children_and_its_remainder(simulated: SimulatedSite) -> None:
    factor = BEGIN_MS + 11 * HOUR_MS * np.arange(1000)
    load = {name: meter.load.consumption(factor) for name, meter in simulated.meters.items()}
    blocks = load["e-pumps"] + load["e-b1"] + load["e-b2"] + load["e-b3"] + load["e-ct"]
    assert load["e-main"] == pytest.approx(1.015 * blocks)
    parts = load["e-b1-light"] + load["e-b1-hvac"] + load["e-b1-lift"]
    assert load["e-b1"] == pytest.approx(1.04 * parts)
    assert load["g-main"] == pytest.approx(load["g-ct"] + load["g-boiler"])
    taps = sum(load[f"w-{one}"] for one in ("b1", "b2", "b3", "ct", "garden", "cooling"))
    leak = np.diff(load["w-main"] - taps)
    assert (leak > 0).all()
    assert leak.mean() == pytest.approx(1410 * 0.003 * 11 / 24, rel=0.1)


def test_offices_sleep_on_sundays_and_holidays_and_data_rooms_never(
    example: SiteFolder, simulated: SimulatedSite
) -> None:
    """2024-05-01 was a Wednesday off; 2024-05-11 a Saturday worked."""
    edges = midnights(example.site, date(2024, 4, 29), date(2024, 5, 13))
    light = np.diff(simulated.meters["e-b1-light"].load.consumption(edges))
    monday, holiday, worked_saturday, sunday = light[0], light[2], light[12], light[13]
    assert holiday < 0.3 * monday
    assert sunday < 0.3 * monday
    assert worked_saturday > 0.85 * monday
    it = np.diff(simulated.meters["e-dr-it"].load.consumption(edges))
    assert it.min() > 0.8 * it.max()


def test_the_ripple_moves_the_power_and_loses_nothing() -> None:
    totals = np.full(400, 24.0)
    load = ShapedLoad(0, [LoadTerm(totals, DayShape([1.0] * 24))], noise_key=5)
    rates = load.rate(DAY_MS + 1000 * np.arange(86_400))
    assert 0.87 < rates.min() < 0.93
    assert 1.07 < rates.max() < 1.13
    assert load.consumption(_one(400 * DAY_MS + HOUR_MS))[0] == pytest.approx(400 * 24.0, rel=1e-12)
    year = load.consumption(np.asarray([10 * DAY_MS, 375 * DAY_MS]))
    assert np.diff(year)[0] == pytest.approx(365 * 24.0, rel=1e-5)


def test_before_its_first_day_and_after_its_last_one_a_load_rests() -> None:
    load = ShapedLoad(0, [LoadTerm(np.full(10, 5.0), DayShape([1.0] * 24))], noise_key=5)
    outside = np.asarray([-40 * DAY_MS, -HOUR_MS, 10 * DAY_MS + HOUR_MS, 99 * DAY_MS])
    assert load.consumption(outside).tolist() == pytest.approx([0.0, 0.0, 50.0, 50.0])
    assert load.rate(outside).tolist() == [0.0] * 4


@given(st.lists(st.floats(0.0, 100.0), min_size=24, max_size=24).filter(lambda h: sum(h) > 1e-3))
def test_a_shape_spreads_exactly_one_day(hours: list[float]) -> None:
    shape = DayShape(hours)
    at = np.linspace(0.0, 24.0, 1441)
    share = shape.share_until(at)
    assert share[0] == 0.0
    assert share[-1] == pytest.approx(1.0)
    assert (np.diff(share) >= -1e-12).all()
    assert (shape.rate(at) >= 0).all()
