"""Count the points of a series by interval, for stores that hold their points in memory."""

import numpy as np

from jieneng.storage.store import Series


def point_counts(series: Series, start_ms: int, step_ms: int) -> Series:
    """Return the number of points in each interval, as `Store.count` does."""
    numbers, points = np.unique((series.times_ms - start_ms) // step_ms, return_counts=True)
    return Series(series.tags, start_ms + numbers * step_ms, points.astype(float))
