"""Compute the time since the last message of a meter or an agent. Pure."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def age_s(
    newest_ms: "NDArray[np.int64]", since_ms: "NDArray[np.int64]", times_ms: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the time since the last message of each subject at each time, shape (m, n) [s].

    Args:
        newest_ms: time of the last message at each time, shape (m, n) [UTC, ms]; 0 if there was
            none.
        since_ms: time from which on messages of each subject are expected, shape (m,) [UTC, ms];
            0 if unknown. Before the first message of a subject, its age is counted from this time.
        times_ms: the times, shape (n,) [UTC, ms].

    Returns:
        The ages. An age is 0 if the message has a later time (the agent's clock is ahead), and NaN
        if there was no message and the time in `since_ms` is unknown or later.
    """
    from_ms = np.where(newest_ms > 0, newest_ms, since_ms[:, None])
    age_ms = np.maximum(times_ms - from_ms, 0)
    is_known = (from_ms > 0) & ((newest_ms > 0) | (times_ms >= from_ms))
    found: NDArray[np.float64] = np.where(is_known, age_ms / 1000.0, np.nan)
    return found
