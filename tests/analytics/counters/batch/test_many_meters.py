"""Many meters computed at once have exactly the values of each meter computed alone."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from analytics.counters.batch.many_meters import MeterReadings, consumption_of_meters
from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import consumption_between
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.periods import Interval

DAY_MS = 24 * HOUR_MS
DAYS = 12
GRIDS: Mapping[Interval, NDArray[np.int64]] = {
    "day": np.arange(1, DAYS, dtype=np.int64) * DAY_MS,
    "hour": np.arange(24, 24 * (DAYS - 1) + 1, dtype=np.int64) * HOUR_MS,
}
#: Disturbances of a part of the values, given the part and a source of random numbers.
WRONG_VALUES: Mapping[str, Callable[[NDArray[np.float64], np.random.Generator], ArrayLike]] = {
    "zero": lambda part, rng: np.append(0.0, part[1:]),
    "zeros": lambda part, rng: 0.0,
    "spike": lambda part, rng: np.append(1e7, part[1:]),
    "fast": lambda part, rng: part + 5000.0,
    "negative": lambda part, rng: -3.0,
    "no_value": lambda part, rng: 6553.5,
    "infinite": lambda part, rng: np.inf,
    "unknown": lambda part, rng: np.nan,
    "other_meter": lambda part, rng: 70_000 + np.arange(len(part)),
    "jitter": lambda part, rng: part - 0.01 * rng.integers(0, 2, len(part)),
    "standstill": lambda part, rng: part[0],
}
#: Other disturbances.
OTHERS = ("gap", "duplicate", "disorder", "reset", "leading_zeros")


@st.composite
def counted(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Readings of a register that only grows, at regular or irregular times."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step_ms = draw(st.sampled_from([600_000, 900_000, HOUR_MS, 3 * HOUR_MS, DAY_MS]))
    times = np.arange(draw(st.integers(0, DAY_MS)), (DAYS + 1) * DAY_MS, step_ms)
    if draw(st.booleans()):
        times = times + rng.integers(0, step_ms // 2, len(times))
    most = 40.0 * step_ms / HOUR_MS
    steps = rng.uniform(0, most, len(times)) * (rng.random(len(times)) > 0.2)
    first = draw(st.sampled_from([0.0, 5.0, 655.0, 6500.0, 2e6]))
    return times.astype(np.int64), np.round(first + np.cumsum(steps), 2)


def dirty(
    dirt: str, times: NDArray[np.int64], values: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the readings with one disturbance at a random place."""
    times, values = times.copy(), values.copy()
    at = int(rng.integers(0, len(values)))
    part = slice(at, at + int(rng.integers(1, 30)))
    if dirt in WRONG_VALUES:
        values[part] = WRONG_VALUES[dirt](values[part], rng)
    match dirt:
        case "leading_zeros":
            values[: part.stop - part.start] = 0.0
        case "reset":
            values[at:] -= values[at] if np.isfinite(values[at]) else 0.0
        case "gap":
            return np.delete(times, part), np.delete(values, part)
        case "duplicate":
            times[part] = times[at]
        case "disorder":
            times[part] = times[part][::-1]
    return times, values


ZONE = ZoneInfo("Asia/Shanghai")
DEVICES = (
    MeterDevices("unknown"),
    MeterDevices("profiled", zone=ZONE),
    MeterDevices("profiled, rated", (Device(step=0.01, modulus=100_000.0),), 50.0, zone=ZONE),
    MeterDevices(
        "profiled, new ratio",
        (Device(ratios=((-(2**62), 2.0), (5 * DAY_MS, 3.0))),),
        50.0,
        zone=ZONE,
    ),
    MeterDevices("rated", (Device(step=0.01, modulus=100_000.0),), 50.0),
    MeterDevices("ratio", (Device(step=0.01, ratios=((-(2**62), 40.0),)),), 50.0),
    MeterDevices("new ratio", (Device(ratios=((-(2**62), 2.0), (5 * DAY_MS, 3.0))),), 50.0),
    MeterDevices(
        "replaced",
        (Device(until_ms=6 * DAY_MS, final=9000.0), Device(from_ms=6 * DAY_MS, initial=0.0)),
        50.0,
    ),
    MeterDevices("float", (Device(step=1.0, is_float32=True, no_values=(6553.5,)),)),
)


@st.composite
def meters(draw: st.DrawFn) -> list[MeterReadings]:
    """Clean and disturbed meters, some of them with imports, some in a part of their history."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        times, values = draw(counted())
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        for dirt in draw(st.lists(st.sampled_from((*WRONG_VALUES, *OTHERS)), max_size=2)):
            if len(times):
                times, values = dirty(dirt, times, values, rng)
        window = None
        if draw(st.booleans()):
            window = draw(st.integers(-2, 6)) * DAY_MS, draw(st.integers(7, 15)) * DAY_MS
            inside = (times >= window[0]) & (times < window[1])
            times, values = times[inside], values[inside]
        imported = None
        if draw(st.integers(0, 4)) == 0:
            start = np.array(draw(st.lists(st.integers(0, 250), min_size=1, unique=True)))
            start = np.sort(start).astype(np.int64) * HOUR_MS
            ones = np.ones(len(start))
            imported = ImportedConsumption(start, start + HOUR_MS, ones, ones > 1)
        devices = draw(st.sampled_from(DEVICES))
        found.append(MeterReadings(devices, times, values, window, imported))
    return found


def assert_each_as_alone(
    found: list[MeterReadings], grids: Mapping[Interval, NDArray[np.int64]] = GRIDS
) -> None:
    for meter, outcome in zip(found, consumption_of_meters(found, grids), strict=True):
        register = believed_register(meter.times_ms, meter.values, meter.devices, meter.window)
        assert outcome.findings == register.findings
        assert outcome.stable_ms == register.stable_ms
        for interval, edges in grids.items():
            alone = consumption_between(register, edges, meter.imported, meter.devices.zone)
            for name in alone.__struct_fields__:
                np.testing.assert_array_equal(
                    getattr(outcome.consumption[interval], name), getattr(alone, name), name
                )


@settings(max_examples=60)
@given(meters())
def test_many_meters_have_the_digits_of_each_alone(found: list[MeterReadings]) -> None:
    assert_each_as_alone(found)


@st.composite
def sprinkled(draw: st.DrawFn) -> MeterReadings:
    """A register with zeros, spikes and missing readings here and there."""
    times, values = draw(counted())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    highest = draw(st.sampled_from([65535.0, 42949672.95, 1e7, 95_000.0, 2.0 * values[-1] + 1]))
    share = draw(st.sampled_from([0.002, 0.02, 0.1]))
    factor = draw(st.sampled_from([1.05, 1.3, 2.0, 10.0]))
    kinds = draw(st.lists(st.integers(0, 6), min_size=1, unique=True))
    for at in np.flatnonzero(rng.random(len(values)) < share).tolist():
        match int(rng.choice(kinds)):
            case 0 | 1:
                values[at : at + int(rng.integers(1, 3))] = 0.0
            case 2 | 3:
                values[at] = highest
            case 4:
                values[at] += draw(st.sampled_from([0.01, 30.0, 300.0, 3000.0]))
            case 5:
                values[at] = np.nan
            case 6:  # at the level of good readings that follow later
                values[at] = round(values[at] * factor, 2)
    devices = draw(st.sampled_from(DEVICES))
    return MeterReadings(devices, times, values, draw(st.sampled_from([None, (0, 20 * DAY_MS)])))


@settings(max_examples=60)
@given(sprinkled())
def test_strays_here_and_there_have_the_result_of_the_search(meter: MeterReadings) -> None:
    assert_each_as_alone([meter])


def test_gaps_of_many_meters_have_the_digits_of_each_alone() -> None:
    """Ten weeks over a clock change; the meters are read at their own times, in several zones."""
    rng = np.random.default_rng(7)
    start_ms, weeks = 1_707_696_000_000, 10  # 12 February 2024
    found = []
    for number, zone in enumerate([ZONE, None, *4 * [ZoneInfo("Europe/Berlin")]]):
        times = start_ms + 1000 * number + np.arange(weeks * 7 * 96) * (HOUR_MS // 4)
        values = np.round(100 + np.cumsum(rng.gamma(2, 2 + times // HOUR_MS % 24)), 2)
        is_kept = np.ones(len(times), dtype=np.bool_)
        for first in rng.integers(1, len(times) - 200, 12).tolist():
            is_kept[first : first + int(rng.integers(4, 150))] = False
        devices = MeterDevices(f"meter {number}", zone=zone)
        found.append(MeterReadings(devices, times[is_kept], values[is_kept]))
    hours = start_ms + np.arange(weeks * 168, dtype=np.int64) * HOUR_MS
    assert_each_as_alone(found, {"hour": hours, "day": hours[::24]})
