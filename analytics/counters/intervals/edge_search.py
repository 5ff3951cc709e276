"""Find the readings around the edges of intervals, and interpolate there. Pure, on numpy arrays.

Readings and edges both come at almost regular times. So the place among the readings is searched
for every eighth edge only. For the edges between, it is estimated at equal distances. Each estimate
is checked; if it is wrong, the edge is searched for. This is up to twice as fast as a search for
each edge.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of edges from one searched edge to the next one; a power of two.
_STRIDE_BITS: Final = 3
_STRIDE: Final = 2**_STRIDE_BITS
#: Expected number of readings from a searched edge to it and to the edges up to the next one, by
#: the number of readings up to the next one. A table is faster than multiplication.
_EXPECTED: Final = np.arange(4096)[:, None] * np.arange(_STRIDE) >> _STRIDE_BITS


class Around(NamedTuple):
    """The readings around edges, each of shape (n,).

    Attributes:
        before: index of the last reading before each edge or at it; at least 0, and at most the
            last but one, so that a reading follows it.
        start_ms: time of this reading [UTC, ms].
        end_ms: time of the next reading [UTC, ms].
    """

    before: "NDArray[np.int64]"
    start_ms: "NDArray[np.int64]"
    end_ms: "NDArray[np.int64]"


def readings_around(times_ms: "NDArray[np.int64]", edges_ms: "NDArray[np.int64]") -> Around:
    """Return the readings around each edge.

    Args:
        times_ms: at least two times of readings [UTC, ms], ascending.
        edges_ms: shape (n,), n > 0 [UTC, ms], ascending.
    """
    before = _limit(_expected(times_ms, edges_ms), len(times_ms))
    start_ms, end_ms = times_ms[before], times_ms[1:][before]
    is_wrong = start_ms > edges_ms
    is_wrong |= end_ms <= edges_ms
    wrong = np.flatnonzero(is_wrong)
    if len(wrong):
        before[wrong] = found = _limit(_searched(times_ms, edges_ms[wrong]), len(times_ms))
        start_ms[wrong], end_ms[wrong] = times_ms[found], times_ms[1:][found]
    return Around(before, start_ms, end_ms)


def searched_around(times_ms: "NDArray[np.int64]", edges_ms: "NDArray[np.int64]") -> Around:
    """Return the readings around each edge, for edges at irregular times.

    The arguments are those of `readings_around`.
    """
    before = _limit(_searched(times_ms, edges_ms), len(times_ms))
    return Around(before, times_ms[before], times_ms[1:][before])


def interpolated(
    times_ms: "NDArray[np.int64]",
    stored: "NDArray[np.float64]",
    edges_ms: "NDArray[np.int64]",
    around: Around,
) -> "NDArray[np.float64]":
    """Return the interpolated register at each edge [kWh, m3 or GJ], shape (n,).

    For edges before the first reading, the result has no meaning. For edges after the last reading,
    it is the register of the last reading.

    Args:
        times_ms: times of the readings [UTC, ms], ascending.
        stored: the stored register.
        edges_ms: shape (n,), n > 0 [UTC, ms], ascending.
        around: the readings around the edges.
    """
    shown = stored[around.before]
    step = stored[1:][around.before]
    step -= shown
    step *= (edges_ms - around.start_ms) / np.maximum(around.end_ms - around.start_ms, 1)
    shown += step
    shown[edges_ms.searchsorted(times_ms[-1]) :] = stored[-1]
    return shown


def _expected(times_ms: "NDArray[np.int64]", edges_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the expected index of the last reading before each edge, shape (n,)."""
    searched = _searched(times_ms, edges_ms[::_STRIDE])
    growth = np.zeros_like(searched)
    np.subtract(searched[1:], searched[:-1], out=growth[:-1])
    if len(growth) > 1:
        growth[-1] = growth[-2]
    expected: NDArray[np.int64] = _EXPECTED.take(growth, axis=0, mode="clip")
    expected += searched[:, None]
    return expected.ravel()[: len(edges_ms)]


def _searched(times_ms: "NDArray[np.int64]", edges_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the index of the last reading before each edge or at it; -1 if there is none."""
    found: NDArray[np.int64] = times_ms.searchsorted(edges_ms, side="right")
    found -= 1
    return found


def _limit(before: "NDArray[np.int64]", readings: int) -> "NDArray[np.int64]":
    """Limit indexes of readings, in place, so that another reading follows each of them."""
    np.maximum(before, 0, out=before)
    return np.minimum(before, readings - 2, out=before)
