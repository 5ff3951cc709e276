"""Find the intervals that overlap given spans of time. Pure, on numpy arrays."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def overlapped(
    edges_ms: "NDArray[np.int64]", start_ms: "NDArray[np.int64]", end_ms: "NDArray[np.int64]"
) -> "NDArray[np.bool_]":
    """Return True for the intervals between edges that overlap one of some spans of time.

    Args:
        edges_ms: shape (n + 1,), edges of the intervals [UTC, ms], ascending.
        start_ms: shape (spans,), starts of the spans [UTC, ms], in any order.
        end_ms: shape (spans,), their ends.

    Returns:
        Shape (n,).
    """
    first = np.searchsorted(edges_ms[1:], start_ms, side="right")
    following = np.searchsorted(edges_ms[:-1], end_ms, side="left")
    is_inside = first < following
    changes = np.zeros(len(edges_ms), dtype=np.int64)
    np.add.at(changes, first[is_inside], 1)
    np.add.at(changes, following[is_inside], -1)
    found: NDArray[np.bool_] = np.cumsum(changes)[:-1] > 0
    return found
