"""Sample measured values and their change per hour. Pure."""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.alerts.signals.sampling import Readings, SignalInput, row_time_keys, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Shortest time over which a change is measured [ms]. With a shorter time, noise would look like a
#: change: if the last digit of a value changes by 1 within 10 s, the change is 360 per hour.
RATE_SPAN_MS: Final = 300_000
_HOUR_MS: Final = 3_600_000


def quantity(given: SignalInput) -> "NDArray[np.float64]":
    """Return the measured value of each subject at each step, shape (m, n), in its unit.

    The value of a step is the worst reading within the step. If there is none, it is the last
    reading before the step, unless that reading is too old.
    """
    return sampled(given, given.readings)


def rate(given: SignalInput) -> "NDArray[np.float64]":
    """Return the change per hour of each subject at each step, shape (m, n), in its unit an hour.

    The change of a reading is its difference from the last reading that is at least 5 min older. If
    that older reading is too old, the change is unknown. It is also unknown if a counter falls,
    because the register was then reset or replaced.
    """
    return sampled(given, _changes(given))


def _changes(given: SignalInput) -> Readings:
    """Return the readings whose change is known, with the change per hour as value."""
    readings = given.readings
    wanted = row_time_keys(readings.rows, readings.times_ms - RATE_SPAN_MS)
    earlier = np.searchsorted(readings.keys, wanted, side="right") - 1
    before = np.maximum(earlier, 0)
    span_ms = readings.times_ms - readings.times_ms[before]
    change = readings.values - readings.values[before]
    longest_ms = RATE_SPAN_MS + given.hold_ms[readings.rows]
    is_known = (earlier >= 0) & (readings.rows[before] == readings.rows) & (span_ms <= longest_ms)
    if given.is_counter:
        is_known &= change >= 0
    per_hour = change * _HOUR_MS / np.maximum(span_ms, 1)
    return readings.with_values(per_hour).chosen(is_known)
