"""Decide which readings of a register to believe. A counter is right, but it can be misread.

Laws:

1. Nothing is invented. A believed register never falls, and between two believed readings it counts
   exactly their difference. A replacement, a rollover or a reset begins a new count.
2. A step is plausible if 0 <= step <= rated maximum x time since the register last changed, with a
   tolerance of one resolution. A fall within the resolution is jitter: the register is taken as
   unchanged.
3. Readings that can't be of the register are left out beforehand (`stray_readings`): numbers that
   mean "no value", and zeros. A reading that does not follow plausibly is set aside, until later
   readings confirm it. Readings that follow each other plausibly form a run, and the best-scoring
   path through the runs is believed (`reading_runs`). A zero, a spike or another meter's value
   between two good readings loses nothing, because the good readings follow each other. A real
   reset is believed once the new run has lasted six hours and has three steps, or ten days if it is
   all zeros, and is then a finding. Consumption across a reset is unknown: it is neither counted
   nor covered.
4. A register that rolls over continues behind its modulus, if the modulus is known and the step is
   plausible. Without a nameplate, it must go from the last tenth of its range into the first, or
   make one of its usual steps. A modulus that is not known is guessed if the register's own steps
   bear it out (`rollover`), which is a doubt.
5. A run that outweighs two resets is certain: it is believed in any case. So readings between two
   certain runs do not depend on readings outside, and history can be computed in windows with the
   same result. `BelievedRegister.stable_ms` states the part of a window that is stable.
6. A register that is declared to begin again at 0 regularly has a life for each such period
   (`reset_lives`), which is judged like a device of its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
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
from analytics.counters.reset_lives import lives, with_estimated_ends
from analytics.counters.rollover import guessed_modulus
from analytics.counters.stray_readings import without_stray_readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALWAYS: tuple[int, int] = (-(2**62), 2**62)


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
    findings = list(negative_findings(devices.meter, times_ms, values))
    for device in devices.devices:
        of_device: list[DeviceRegister] = []
        for life in lives(device, devices, times, stored):
            readings = _device_readings(times, stored, life, devices, window or _ALWAYS)
            candidates = without_stray_readings(readings)
            if len(candidates.times_ms) == 0:
                continue
            path = best_path(candidates, list(split_runs(candidates)))
            of_device.append(_device_register(candidates, path, window or _ALWAYS))
            findings += path_findings(devices, candidates, path)
            findings += set_aside_findings(devices.meter, readings, candidates, path)
        registers += with_estimated_ends(of_device)
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
    readings: Readings, path: Sequence[tuple[Run, Continuation]], window: tuple[int, int]
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
    rolled_over = register != readings.register[index]
    return DeviceRegister(
        readings.device,
        readings.times_ms[index],
        register,
        np.where(rolled_over, register * readings.ratio[index], readings.stored[index]),
        np.concatenate(begins),
        _stable_ms(readings, path, window),
    )


def _stable_ms(
    readings: Readings, path: Sequence[tuple[Run, Continuation]], window: tuple[int, int]
) -> tuple[int, int] | None:
    """Return the stable span; of a life in the window, with a recorded start, all of it."""
    device = readings.device
    is_inside = window[0] <= device.from_ms and device.until_ms <= window[1]
    if np.isfinite(device.initial) and is_inside:
        return device.from_ms, int(readings.times_ms[-1])
    return stable_span(readings, _certain_runs(path))


def _certain_runs(path: Sequence[tuple[Run, Continuation]]) -> list[Run]:
    """Return the runs that make a window stable.

    A run of zeros does not: whether zeros begin the register, or are left out, depends on the
    readings around them.
    """
    return [run for run, _ in path if run.is_certain and run.max_register > 0]
