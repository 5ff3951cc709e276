"""Compute quantiles of values of which some are unknown. Pure."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def known_quantile(values: "NDArray[np.float64]", share: float) -> "NDArray[np.float64]":
    """Return the quantile of the known values along the last axis; NaN where none is known.

    Between two values, the quantile is interpolated linearly (Hyndman and Fan 1996, definition 7),
    as in `numpy.nanquantile`, which is slow for many short rows.

    Args:
        values: shape (..., n); NaN where unknown.
        share: share of the values below the quantile, 0 to 1.

    Returns:
        Shape (...).
    """
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    by_size = np.sort(values, axis=-1)  # sorting puts NaN last
    count = np.isfinite(values).sum(axis=-1, keepdims=True)
    place = share * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(by_size, below, axis=-1)
    high = np.take_along_axis(by_size, above, axis=-1)
    found: NDArray[np.float64] = (low + (high - low) * (place - below))[..., 0]
    return found
