"""Decide which readings of a register to believe. A counter is right, but it can be misread.

Laws:

1. Nothing is invented. A believed register never falls, and between two believed readings it counts
   exactly their difference. A replacement, a rollover or a reset begins a new count.
2. A step is plausible if 0 <= step <= rated maximum x time since the register last changed, with a
   tolerance of one resolution. A fall within the resolution is jitter: the register is taken as
   unchanged.
3. A reading that does not follow plausibly is set aside, until later readings confirm it. Readings
   that follow each other plausibly form a run, and the best-scoring path through the runs is
   believed (`reading_runs`). A zero, a spike or another meter's value between two good readings
   loses nothing, because the good readings follow each other. A real reset is believed once the new
   run has lasted six hours and has three steps, or ten days if it is all zeros, and is then a
   finding. Consumption across a reset is unknown: it is neither counted nor covered.
4. A register that rolls over continues behind its modulus, if the modulus is known and the step is
   plausible. Without a nameplate, it must go from the last tenth of its range into the first.
5. A run that outweighs two resets is certain: it is believed in any case. So readings between two
   certain runs do not depend on readings outside, and history can be computed in windows with the
   same result. `BelievedRegister.stable_ms` states the part of a window that is stable.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.reading_runs import (
    Continuation,
    Readings,
    Run,
    best_path,
    split_runs,
    stable_span,
    without_stray_zeros,
)
from analytics.counters.register_finding import RegisterFinding, greatest_rate
from analytics.counters.register_segments import BelievedRegister, DeviceRegister, join_devices
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALWAYS: tuple[int, int] = (-(2**62), 2**62)
#: Readings that are set aside within this time are one finding [ms].
_SET_ASIDE_BIN_MS: Final = HOUR_MS // 4


def believed_register(
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
    devices: MeterDevices,
    window: tuple[int, int] | None = None,
) -> BelievedRegister:
    """Return the believed register of a meter.

    Args:
        times_ms: shape (n,), UTC ms, in any order. Of two readings of one time the later in the
            array counts.
        values: shape (n,), the stored register [kWh, m3 or GJ]; NaN where unknown.
        devices: devices of the meter.
        window: time span that was read [UTC, ms], outside of which there may be more readings.
            None if there are no more readings.
    """
    times, stored = _clean(times_ms, values)
    registers: list[DeviceRegister] = []
    findings: list[RegisterFinding] = []
    for device in devices.devices:
        readings = _device_readings(times, stored, device, devices, window or _ALWAYS)
        if len(readings.times_ms) == 0:
            continue
        candidates = without_stray_zeros(readings)
        path = best_path(candidates, list(split_runs(candidates)))
        registers.append(_device_register(candidates, path))
        findings += _path_findings(devices, candidates, path)
        findings += _set_aside_findings(devices.meter, readings, candidates, path)
    return join_devices(registers, tuple(findings))


def _clean(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """Return the known readings by time, one for each time."""
    known = np.isfinite(values) & (values >= 0)
    order = np.argsort(times_ms[known], kind="stable")
    times, stored = times_ms[known][order], values[known][order]
    last = np.append(times[1:] != times[:-1], True)[: len(times)]
    return times[last], stored[last]


def _known(
    device: Device, times: "NDArray[np.int64]", stored: "NDArray[np.float64]"
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """Return a device's readings without those by which it says that it knows no value."""
    if not device.no_values:
        return times, stored
    known = ~device.is_no_value(stored / device.ratio(times))
    return times[known], stored[known]


def _device_readings(
    times: "NDArray[np.int64]",
    stored: "NDArray[np.float64]",
    device: Device,
    devices: MeterDevices,
    window: tuple[int, int],
) -> Readings:
    """Return a device's readings, including its recorded first and last value."""
    low, high = np.searchsorted(times, (device.from_ms, device.until_ms))
    times, stored = _known(device, times[low:high], stored[low:high])
    start_ms, end_ms = window
    if np.isfinite(device.initial) and start_ms <= device.from_ms < end_ms:
        later = times > device.from_ms
        times = np.append(device.from_ms, times[later])
        stored = np.append(device.initial, stored[later])
    if np.isfinite(device.final) and start_ms <= device.until_ms < end_ms:
        times, stored = np.append(times, device.until_ms), np.append(stored, device.final)
    ratio = device.ratio(np.minimum(times, device.until_ms - 1))
    register = stored / ratio
    return Readings(
        device,
        times,
        stored,
        ratio,
        register,
        device.resolution(register),
        devices.rate_max_per_h / ratio / HOUR_MS,
    )


def _device_register(
    readings: Readings, path: Sequence[tuple[Run, Continuation]]
) -> DeviceRegister:
    """Join the runs of a path."""
    indexes: list[NDArray[np.int64]] = []
    registers: list[NDArray[np.float64]] = []
    begins: list[NDArray[np.bool_]] = []
    for number, (run, continuation) in enumerate(path):
        index = np.arange(run.first, run.end)
        begin = np.zeros(len(index), dtype=np.bool_)
        begin[0] = number == 0 or continuation != "follows"
        register = readings.register[index]
        if continuation == "rollover":  # the old segment ends where the new one begins
            indexes.append(index[:1])
            registers.append(register[:1] + readings.device.modulus)
            begins.append(np.zeros(1, dtype=np.bool_))
        indexes.append(index)
        registers.append(register)
        begins.append(begin)
    index = np.concatenate(indexes)
    register = np.concatenate(registers)
    rolled_over = register != readings.register[index]
    return DeviceRegister(
        readings.device,
        readings.times_ms[index],
        register,
        np.where(rolled_over, register * readings.ratio[index], readings.stored[index]),
        np.concatenate(begins),
        stable_span(readings, [run for run, _ in path if run.is_certain]),
    )


def _path_findings(
    devices: MeterDevices, candidates: Readings, path: Sequence[tuple[Run, Continuation]]
) -> Iterator[RegisterFinding]:
    """Yield the resets and rollovers on a path.

    What flowed at a reset is unknown: at most what the nameplate or, without one, the greatest rate
    of the meter's own past allows. A rollover by a known modulus leaves no doubt.
    """
    steps, counts = _steps(candidates, path)
    for ((earlier, _), (later, continuation)), count in zip(pairwise(path), counts, strict=True):
        if continuation == "follows":
            continue
        last, first = earlier.end - 1, later.first
        before_ms, after_ms = int(candidates.times_ms[last]), int(candidates.times_ms[first])
        rate = devices.rate_max_per_h / HOUR_MS
        if not np.isfinite(rate):
            rate = greatest_rate(*steps, count)
        yield RegisterFinding(
            Finding.of(
                f"counter_{continuation}",
                devices.meter,
                before=float(candidates.stored[last]),
                before_ms=before_ms,
                after=float(candidates.stored[first]),
                after_ms=after_ms,
            ),
            before_ms,
            after_ms,
            0.0 if continuation == "rollover" else rate * (after_ms - before_ms),
        )


def _steps(
    readings: Readings, path: Sequence[tuple[Run, Continuation]]
) -> "tuple[tuple[NDArray[np.int64], NDArray[np.float64]], list[int]]":
    """Return the times of a path's n readings, the n - 1 steps, and how many end each run.

    A step is the growth of the stored value; NaN where the register was reset or rolled over.
    """
    index = np.concatenate([np.arange(run.first, run.end) for run, _ in path])
    steps = np.diff(readings.register[index]) * readings.ratio[index][1:]
    ends = np.cumsum([run.end - run.first for run, _ in path])[:-1]
    is_broken = np.array(
        [continuation != "follows" for _, continuation in path[1:]], dtype=np.bool_
    )
    steps[ends[is_broken] - 1] = np.nan
    return (readings.times_ms[index], steps), ends.tolist()


def _set_aside_findings(
    meter: str,
    readings: Readings,
    candidates: Readings,
    path: Sequence[tuple[Run, Continuation]],
) -> Iterator[RegisterFinding]:
    """Yield the readings that are not on a path: a finding for each row of them without a break.

    Rows that begin in the same quarter of an hour are one finding, so their number is bounded.
    """
    is_aside = np.ones(len(readings.times_ms), dtype=np.bool_)
    for run, _ in path:
        believed = candidates.times_ms[run.first : run.end]
        is_aside[np.searchsorted(readings.times_ms, believed)] = False
    edges = np.flatnonzero(np.diff(is_aside.astype(np.int8), prepend=0, append=0))
    firsts, ends = edges[::2], edges[1::2]
    quarters = readings.times_ms[firsts] // _SET_ASIDE_BIN_MS
    starts = np.flatnonzero(np.diff(quarters, prepend=-1)).tolist()
    for low, high in pairwise([*starts, len(firsts)]):
        first_ms = int(readings.times_ms[firsts[low]])
        last_ms = int(readings.times_ms[ends[high - 1] - 1])
        yield RegisterFinding(
            Finding.of("set_aside", meter, first_ms=first_ms), first_ms, last_ms, 0.0
        )
