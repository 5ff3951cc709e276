"""Decide which readings of a register are believed. A meter counts right, but may be misread.

Laws:

1. A believed register never falls. The consumption between two believed readings is exactly their
   difference. After a replacement, a rollover or a reset, a new count begins.
2. A step (the difference of two readings) is plausible if
   0 <= step <= rated maximum x time since the register last changed, with a tolerance of one
   resolution of the register. A fall within the resolution is jitter, and counts as no change.
3. Readings that the register can't have shown are removed first (`stray_readings`): numbers that
   mean "no value", and stray zeros.
4. The other readings are divided into runs: in a run, each step is plausible. Of all ways to
   connect runs, the one with the best score is believed (`reading_runs`); readings outside it are
   set aside. So a zero, a spike or another meter's value between two good readings is set aside,
   and no consumption is lost, because the two good readings form one run.
5. A reset is believed once the run after it has lasted six hours and has three steps; ten days if
   this run has only zeros. It is reported as a finding. The consumption across a reset is unknown:
   it is neither counted nor covered.
6. A rollover is believed if the modulus is known and the step across it is plausible. If the
   nameplate is unknown, the register must also go from the last tenth of its range into the first
   tenth, or the step must be as large as usual. If the modulus is unknown, it is guessed if the
   register's other steps support the guess (`rollover`). A guess leaves a doubt.
7. A run is certain if its score is higher than the cost of two resets: it is always believed.
   Therefore readings between two certain runs do not depend on readings outside them, and a long
   history can be computed in windows with the same result. `BelievedRegister.stable_ms` is the part
   of a window that further readings can't change.
8. If a register is declared to be reset periodically, each period (`reset_lives`) is treated like a
   device of its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytics.counters.meter_devices import ALWAYS, HOUR_MS, Device, MeterDevices
from analytics.counters.path_findings import negative_findings, path_findings, set_aside_findings
from analytics.counters.reading_runs import (
    Continuation,
    Readings,
    Run,
    best_path,
    split_runs,
    stable_span,
)
from analytics.counters.register_segments import BelievedRegister, DeviceRegister, join_devices
from analytics.counters.resets.reset_lives import lives, with_estimated_ends
from analytics.counters.rollover import guessed_modulus
from analytics.counters.stray_readings import without_stray_readings
from analytics.counters.unclear_falls import unclear_falls

if TYPE_CHECKING:
    from numpy.typing import NDArray


def believed_register(
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
    devices: MeterDevices,
    window: tuple[int, int] | None = None,
) -> BelievedRegister:
    """Return the believed register of a meter.

    Args:
        times_ms: shape (n,), times of the readings [UTC, ms], in any order. If two readings have
            the same time, the later one in the array is used.
        values: shape (n,), the stored register [kWh, m3 or GJ]; NaN if unknown.
        devices: devices of the meter.
        window: time span from which readings were read [UTC, ms]; there may be more readings
            outside. None if there are no more readings.
    """
    times, stored = _clean(times_ms, values)
    window = window or ALWAYS
    registers: list[DeviceRegister] = []
    findings = list(negative_findings(devices.meter, times_ms, values))
    for device in devices.devices:
        of_device: list[DeviceRegister] = []
        for life in lives(device, devices, times, stored):
            readings = _device_readings(times, stored, life, devices, window)
            candidates = without_stray_readings(readings)
            if len(candidates.times_ms) == 0:
                continue
            path = best_path(candidates, list(split_runs(candidates)))
            of_device.append(_device_register(candidates, path, window))
            findings += path_findings(devices, candidates, path)
            findings += set_aside_findings(devices.meter, readings, candidates, path)
            findings += unclear_falls(devices.meter, candidates, path)
        registers += with_estimated_ends(of_device)
    return join_devices(registers, tuple(findings))


def _clean(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """Return the known readings in order of time, with only one for each time."""
    known = np.isfinite(values) & (values >= 0)
    times, stored = (times_ms, values) if known.all() else (times_ms[known], values[known])
    if (times[1:] > times[:-1]).all():
        return times, stored
    order = np.argsort(times, kind="stable")
    times, stored = times[order], stored[order]
    last = np.append(times[1:] != times[:-1], True)[: len(times)]
    return times[last], stored[last]


def _known(
    device: Device, times: "NDArray[np.int64]", stored: "NDArray[np.float64]"
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """Return a device's readings without the numbers by which it reports "no value"."""
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
    """Return a device's readings, with its recorded initial and final value added."""
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
        np.arange(len(times)),
    )


def _device_register(
    readings: Readings, path: Sequence[tuple[Run, Continuation]], window: tuple[int, int]
) -> DeviceRegister:
    """Return the register that the runs of a path form together."""
    indexes: list[NDArray[np.int64]] = []
    registers: list[NDArray[np.float64]] = []
    begins: list[NDArray[np.bool_]] = []
    for number, (run, continuation) in enumerate(path):
        index = np.arange(run.first, run.end)
        begin = np.zeros(len(index), dtype=np.bool_)
        begin[0] = number == 0 or continuation != "follows"
        register = readings.register[index]
        if continuation.startswith("rollover"):  # the old segment ends where the new one begins
            modulus = readings.device.modulus
            if continuation == "rollover_guess":
                modulus = guessed_modulus(registers[-1][-1], register[0])
            indexes.append(index[:1])
            registers.append(register[:1] + modulus)
            begins.append(np.zeros(1, dtype=np.bool_))
        indexes.append(index)
        registers.append(register)
        begins.append(begin)
    index = np.concatenate(indexes)
    register = np.concatenate(registers)
    stored = readings.stored[index]
    if any(continuation.startswith("rollover") for _, continuation in path):
        rolled_over = register != readings.register[index]
        stored = np.where(rolled_over, register * readings.ratio[index], stored)
    return DeviceRegister(
        readings.device,
        readings.times_ms[index],
        register,
        stored,
        np.concatenate(begins),
        _stable_ms(readings, path, window),
    )


def _stable_ms(
    readings: Readings, path: Sequence[tuple[Run, Continuation]], window: tuple[int, int]
) -> tuple[int, int] | None:
    """Return the stable part of a window; all of a device's life if it begins in the window.

    The second case requires that the initial value of the device is recorded.
    """
    device = readings.device
    is_inside = window[0] <= device.from_ms and device.until_ms <= window[1]
    if np.isfinite(device.initial) and is_inside:
        return device.from_ms, int(readings.times_ms[-1])
    certain = _certain_runs(path)
    return stable_span(readings.times_ms, certain[0].first, certain[-1].end) if certain else None


def _certain_runs(path: Sequence[tuple[Run, Continuation]]) -> list[Run]:
    """Return the certain runs of a path (law 7).

    Runs of zeros are never certain: readings around them decide if zeros are believed or removed.
    """
    return [run for run, _ in path if run.is_certain and run.max_register > 0]
