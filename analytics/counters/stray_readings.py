"""Remove readings that the register can't have shown, before the other readings are judged.

An example, hourly readings of a new meter, before and after its gateway knows it:

    time   00    01    02       03       04           05       06
    value  0     0     1103325  1103400  4294967295   0        1103560

The register can't have shown the zeros at 00 and 01: it grows by 75 in an hour, so it can't have
counted a million between 01 and 02. 4294967295 has all bits set. The zero at 05 is between two
readings whose difference is plausible. So the register begins at 02, and the consumption before 02
is unknown, not 1103325.

Laws:

1. A number that means "no value" (`sentinels`) is removed, unless the register reached it by
   counting.
2. Zeros before the first positive reading are kept only if the step from zero is plausible: at most
   three times the largest step over the same length of time in the first day, or in the first 24
   readings if that is longer. If an initial value of the device is recorded, they are always kept.
3. Zeros between two readings are removed if the step between these two readings is plausible. A
   reading that is higher than the next positive one may be a spike: then zeros beside it are also
   removed if the step between the readings on both sides of zeros and spike is plausible.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.meter_devices import HOUR_MS
from analytics.counters.reading_runs import Readings
from analytics.counters.sentinels import is_no_reading

if TYPE_CHECKING:
    pass

#: Length of time and smallest number of readings with which the step from zero is compared.
_FIRST_MS: Final = 24 * HOUR_MS
_FIRST_READINGS: Final = 24
#: Largest plausible step from zero, as a multiple of the largest step that follows.
_MAX_FIRST_STEP: Final = 3.0


def without_stray_readings(readings: Readings) -> Readings:
    """Return the readings that the register can have shown."""
    no_reading = is_no_reading(readings.register)
    known = readings.select(~no_reading) if no_reading.any() else readings
    return _without_stray_zeros(_without_leading_zeros(known))


def _without_leading_zeros(readings: Readings) -> Readings:
    """Return the readings without implausible zeros at the beginning (law 2)."""
    register, times = readings.register, readings.times_ms
    if not len(register) or register[0] > 0 or np.isfinite(readings.device.initial):
        return readings
    positive = np.flatnonzero(register > 0)
    if len(positive) < 2:
        return readings
    first = int(positive[0])
    in_time = int(np.searchsorted(times[positive], times[first] + _FIRST_MS, side="right"))
    following = positive[: max(in_time, _FIRST_READINGS)]
    # Ignore spikes: growth counts only if no later reading is lower.
    lasting = np.minimum.accumulate(register[following][::-1])[::-1]
    growth, length = np.diff(lasting), np.diff(times[following])
    greatest = float(growth.max())
    if greatest <= 0:
        return readings
    rate = float((growth / length).max())
    plausible = _MAX_FIRST_STEP * max(greatest, rate * float(times[first] - times[first - 1]))
    if register[first] <= plausible + readings.resolution[first]:
        return readings
    return readings.select(np.arange(len(register)) >= first)


def _without_stray_zeros(readings: Readings) -> Readings:
    """Return the readings without zeros between two readings with a plausible step (law 3)."""
    register = readings.register
    zeros = np.flatnonzero(register == 0)
    if not len(zeros):
        return readings
    positive = np.flatnonzero(register)
    shown = register[positive]
    is_high = shown[:-1] > shown[1:]
    kept = np.ones(len(register), dtype=np.bool_)
    for beside in (positive, np.delete(positive, np.flatnonzero(is_high))):
        following = beside.searchsorted(zeros)
        is_between = (following > 0) & (following < len(beside))
        after = following[is_between]
        is_stray = readings.is_plausible_step(beside[after - 1], beside[after])
        kept[zeros[is_between][is_stray]] = False
    return readings.select(kept)
