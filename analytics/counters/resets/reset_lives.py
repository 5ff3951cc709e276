"""Split a register that is reset to 0 each day, month or year at its resets.

The part between two resets is called a life of the register.

An example, `resets = "daily"` [kWh]:

    time   22:00   23:00   00:00   01:00   02:00
    shown  210     220     0       8       18

Each day is a life of its own, as if the device had been replaced at midnight. The new life begins
at 0, so its 8 kWh up to 01:00 are known. The consumption of the old life after 23:00 was not read.
The rate was 10 kWh in an hour before and 8 afterwards, so the estimate is 9 kWh.

Laws:

1. Between the beginning of a life and its last reading, nothing is estimated.
2. The consumption from the last reading of a life to its end is estimated from the rates just
   before and just after. The estimate is made for at most three times the distance between the last
   two readings of the life. Beyond that the consumption is unknown.
3. A life begins at local midnight. Because clocks differ, the register may fall up to 15 minutes
   before or after midnight; then the life begins at the fall. A reading after midnight and before
   the fall is the final reading of the old life.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec.structs import replace

from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.register_segments import DeviceRegister
from analytics.counters.resets.reset_pattern import reset_moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Largest time difference between a reset and midnight [ms].
_SLACK_MS: Final = HOUR_MS // 4
#: Longest time that is estimated, as a multiple of the last distance between readings.
_LONGEST_ESTIMATE: Final = 3


def lives(
    device: Device,
    devices: MeterDevices,
    times_ms: "NDArray[np.int64]",
    stored: "NDArray[np.float64]",
) -> Iterator[Device]:
    """Yield the lives of a device; the device itself if its register is not reset periodically.

    Args:
        device: the device.
        devices: devices of the meter.
        times_ms: shape (n,), times of the meter's readings [UTC, ms], ascending.
        stored: shape (n,), the readings.
    """
    low, high = np.searchsorted(times_ms, (device.from_ms, device.until_ms))
    if devices.resets is None or devices.zone is None or low == high:
        yield device
        return
    times, shown = times_ms[low:high], stored[low:high]
    moments = reset_moments(devices.resets, int(times[0]), int(times[-1]), devices.zone)
    ends = [_end_of_life(times, shown, int(moment)) for moment in moments]
    bounds = [(device.from_ms, device.initial), *ends, (device.until_ms, device.final)]
    for number, ((from_ms, _), (until_ms, final)) in enumerate(pairwise(bounds)):
        initial = device.initial if number == 0 else 0.0
        if until_ms > from_ms:
            yield replace(device, from_ms=from_ms, until_ms=until_ms, initial=initial, final=final)


def _end_of_life(
    times: "NDArray[np.int64]", shown: "NDArray[np.float64]", midnight_ms: int
) -> tuple[int, float]:
    """Return the time of the reset near a midnight, and the final value of the register before it.

    The final value is NaN if it was not read.
    """
    low = int(np.searchsorted(times, midnight_ms - _SLACK_MS)) - 1
    high = int(np.searchsorted(times, midnight_ms + _SLACK_MS, side="right")) + 1
    near = slice(max(low, 0), high)
    steps = np.diff(shown[near])
    if not len(steps) or steps.min() >= 0:
        return midnight_ms, np.nan
    before = near.start + int(np.argmin(steps))
    before_ms, after_ms = int(times[before]), int(times[before + 1])
    if before_ms >= midnight_ms:
        return before_ms, float(shown[before])
    if after_ms < midnight_ms:
        return (before_ms + after_ms) // 2, np.nan
    return midnight_ms, np.nan


def with_estimated_ends(registers: Sequence[DeviceRegister]) -> list[DeviceRegister]:
    """Return the registers of a device's lives, each with an estimated end value (law 2)."""
    continued = [_continued(register, following) for register, following in pairwise(registers)]
    return [*continued, *registers[-1:]]


def _continued(register: DeviceRegister, following: DeviceRegister) -> DeviceRegister:
    """Return a register with its estimated end value; unchanged if none can be estimated."""
    end_ms, times = register.device.until_ms, register.times_ms
    if following.device.from_ms != end_ms or following.times_ms[0] != end_ms:
        return register
    if len(times) < 2 or times[-1] == end_ms:
        return register
    last_ms, rest_ms = int(times[-1] - times[-2]), int(end_ms - times[-1])
    if rest_ms > _LONGEST_ESTIMATE * last_ms:
        return register
    rates = [
        (of.register[each][1] - of.register[each][0]) / float(np.diff(of.times_ms[each])[0])
        for of, each in ((register, slice(-2, None)), (following, slice(0, 2)))
        if len(of.times_ms) > 1
    ]
    end = float(register.register[-1] + np.mean(rates) * rest_ms)
    ratio = float(register.device.ratio(np.array([end_ms - 1]))[0])
    return replace(
        register,
        times_ms=np.append(times, end_ms),
        register=np.append(register.register, end),
        stored=np.append(register.stored, end * ratio),
        starts_segment=np.append(register.starts_segment, False),
        is_end_estimated=True,
    )
