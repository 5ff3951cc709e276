"""Compute the share of failed polls of each bus. Pure.

Law: polls are weighted by time, not counted by number. The weight of a poll is the time until the
next poll of its meter, at most `hold_ms`. The agent polls a meter that does not answer less and
less often, down to once in 5 min. Counted by number, these failures would be few among the
successful polls of other meters, and the failure of a gateway would be noticed late.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.alerts.signals.sampling import SignalInput, row_time_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Time over which polls enter into the share [ms].
POLL_SPAN_MS: Final = 300_000
#: Greatest weight of a poll [ms]: twice the longest delay between two polls of a meter.
POLL_HOLD_MS: Final = 600_000


def failed_polls(given: SignalInput) -> "NDArray[np.float64]":
    """Return the share of failed polls over the last 5 min, shape (buses, n) [%].

    Args:
        given: polls of each meter as rows (value 1: the meter answered, 0: it did not), and the bus
            of each meter as its subject.

    Returns:
        NaN where no poll of any meter of the bus is known.
    """
    polls, times_ms = given.readings, given.times_ms
    known = np.zeros((given.count, len(times_ms)))
    failed = np.zeros((given.count, len(times_ms)))
    if len(polls.rows):
        until = _poll_time(given, times_ms)
        since = _poll_time(given, times_ms - POLL_SPAN_MS)
        np.add.at(known, given.subjects, until[0] - since[0])
        np.add.at(failed, given.subjects, until[1] - since[1])
    found: NDArray[np.float64] = np.where(known > 0, 100.0 * failed / np.maximum(known, 1), np.nan)
    return found


def _poll_time(
    given: SignalInput, times_ms: "NDArray[np.int64]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the summed weight of all polls, and of failed polls, up to each time.

    Returns:
        Two arrays of shape (meters, n) [ms], counted from a moment before all the times.
    """
    polls, rows = given.readings, len(given.hold_ms)
    following = np.append(polls.times_ms[1:], 2**62)
    following[:-1][np.diff(polls.rows) != 0] = 2**62
    hold_ms = given.hold_ms[polls.rows]
    lasts_ms = np.minimum(following - polls.times_ms, hold_ms).astype(np.float64)
    is_failed = polls.values == 0
    total = np.append(0.0, np.cumsum(lasts_ms))
    total_failed = np.append(0.0, np.cumsum(np.where(is_failed, lasts_ms, 0.0)))
    wanted = row_time_keys(np.arange(rows)[:, None], times_ms[None, :])
    last = np.searchsorted(polls.keys, wanted, side="right") - 1
    index = np.maximum(last, 0)
    is_own = (last >= 0) & (polls.rows[index] == np.arange(rows)[:, None])
    running_ms = np.minimum(times_ms - polls.times_ms[index], lasts_ms[index])
    before = np.searchsorted(polls.rows, np.arange(rows))[:, None]  # sums of the rows above
    known = np.where(is_own, total[index] + running_ms, total[before])
    failed = np.where(
        is_own,
        total_failed[index] + np.where(is_failed[index], running_ms, 0.0),
        total_failed[before],
    )
    return known, failed
