"""Return measured values and their change per hour. Pure."""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.alerts.signals.sampling import Readings, SignalInput, row_time_keys, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Time over which a change is measured [ms]. Over less, the noise of the last digit of a value that
#: is read every 10 s would be a change of some hundred digits an hour.
RATE_SPAN_MS: Final = 300_000
_HOUR_MS: Final = 3_600_000


def quantity(given: SignalInput) -> "NDArray[np.float64]":
    """Return the measured value of each subject at each step, shape (m, n), in its unit.

    The value of a step is the worst of its readings, or the last one before, as long as it holds.
    """
    return sampled(given, given.readings)


def rate(given: SignalInput) -> "NDArray[np.float64]":
    """Return the change per hour of each subject at each step, shape (m, n), in its unit an hour.

    The change of a reading is the difference from the last reading that is at least 5 min older,
    or, if the meter is read less often, from the previous one. It is unknown if that one is too
    old, and where a counter falls: the register began anew.
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
