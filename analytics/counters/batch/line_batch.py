"""Compute the consumption of several registers at once, on one time axis. Pure.

The lines of the registers are laid one after the other. Then all of their gaps are distributed at
once, and all of their intervals are computed at once.

Laws:

1. Each line is moved in time by more than the whole span of readings, intervals and the history of
   gaps. The time between two lines counts as unknown. So no interval and no gap uses the readings
   of another line.
2. Times are only subtracted from each other. So a line has the same digits if it is moved in time.
3. A line with many readings and no gap is computed alone. This is faster than to copy its readings
   to the common time axis.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from msgspec.structs import astuple

from analytics.counters.consumption import (
    Consumption,
    RegisterAtEdges,
    consumption_by_edges,
    register_at_edges,
)
from analytics.counters.intervals.interval_pieces import ascending
from analytics.counters.intervals.profiled_gaps import (
    Moved,
    history_from_ms,
    profiled_gaps,
    with_profiles,
)
from analytics.counters.intervals.register_line import RegisterLine, joined_lines
from analytics.counters.intervals.usual_week import HISTORY_MS
from analytics.counters.meter_devices import HOUR_MS
from analytics.periods import Interval

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

#: Smallest number of readings of a line that is computed alone if it has no gap.
_MANY_READINGS: Final = 8192


class Distributed(NamedTuple):
    """The consumption of one register, distributed over intervals.

    Attributes:
        consumption: consumption by length of the intervals.
        history_ms: time from which believed readings determine the distribution in gaps [UTC, ms];
            None if no gap is distributed by a profile.
    """

    consumption: Mapping[Interval, Consumption]
    history_ms: int | None = None


class GridEdges(NamedTuple):
    """The edges of several grids of intervals.

    Attributes:
        all_ms: shape (n,), all edges, ascending, each once [UTC, ms].
        grids: edges of the intervals by their length, and the indexes of these edges in `all_ms`.
    """

    all_ms: "NDArray[np.int64]"
    grids: "Mapping[Interval, tuple[NDArray[np.int64], NDArray[np.intp] | slice]]"

    @classmethod
    def of(cls, grids: "Mapping[Interval, NDArray[np.int64]]") -> "GridEdges":
        """Return the edges of grids."""
        none = np.zeros(0, dtype=np.int64)
        all_ms = ascending(np.concatenate([none, *grids.values()]))
        return cls(
            all_ms,
            {
                interval: (
                    edges_ms,
                    all_ms.searchsorted(edges_ms) if len(edges_ms) < len(all_ms) else slice(None),
                )
                for interval, edges_ms in grids.items()
            },
        )


def distributed(
    lines: Sequence[RegisterLine], edges: GridEdges, zone: "ZoneInfo | None"
) -> list[Distributed]:
    """Return the consumption of each line.

    Args:
        lines: lines of the registers.
        edges: edges of the intervals.
        zone: time zone of the site; None to distribute all gaps evenly.
    """
    if not edges.grids:
        return [Distributed({})] * len(lines)
    is_alone = [
        len(line.times_ms) >= _MANY_READINGS and len(line.known) == 1 and bool(line.covered[0])
        for line in lines
    ]
    others = [line for line, alone in zip(lines, is_alone, strict=True) if not alone]
    joined = iter(_joined(others, edges, zone) if others else ())
    return [
        Distributed(_of_line(line, edges)) if alone else next(joined)
        for line, alone in zip(lines, is_alone, strict=True)
    ]


def _of_line(line: RegisterLine, edges: GridEdges) -> dict[Interval, Consumption]:
    """Return the consumption of one line by length of the intervals."""
    shown, spread = register_at_edges(line, edges.all_ms)
    return {
        interval: consumption_by_edges(line, edges_ms, RegisterAtEdges(shown[index], spread[index]))
        for interval, (edges_ms, index) in edges.grids.items()
    }


def _joined(
    lines: Sequence[RegisterLine], edges: GridEdges, zone: "ZoneInfo | None"
) -> list[Distributed]:
    """Join lines on one time axis, and return the consumption of each line."""
    by_ms = np.arange(len(lines)) * _distance_ms(lines, edges.all_ms)
    all_ms = _moved(edges.all_ms, by_ms)
    joined, history_ms = _with_profiles(lines, by_ms, all_ms, zone)
    shown, spread = (column.reshape(len(lines), -1) for column in register_at_edges(joined, all_ms))
    found: list[dict[Interval, Consumption]] = [{} for _ in lines]
    for interval, (edges_ms, index) in edges.grids.items():
        of_grid = RegisterAtEdges(shown[:, index].ravel(), spread[:, index].ravel())
        moved_ms = all_ms if isinstance(index, slice) else _moved(edges_ms, by_ms)
        whole = consumption_by_edges(joined, moved_ms, of_grid)
        for number, of_line in enumerate(found):
            part = slice(number * len(edges_ms), (number + 1) * len(edges_ms) - 1)
            of_line[interval] = Consumption(*(column[part] for column in astuple(whole)))
    return [Distributed(*of_line) for of_line in zip(found, history_ms, strict=True)]


def _with_profiles(
    lines: Sequence[RegisterLine],
    by_ms: "NDArray[np.int64]",
    all_ms: "NDArray[np.int64]",
    zone: "ZoneInfo | None",
) -> tuple[RegisterLine, list[int | None]]:
    """Join lines, and distribute the consumption in the gaps that edges divide.

    Args:
        lines: lines of the registers.
        by_ms: shape (lines,), time by which each line is moved [ms].
        all_ms: the moved edges of each line, one line after the other [UTC, ms].
        zone: time zone of the site; None to distribute all gaps evenly.

    Returns:
        The joined line; and for each line `Distributed.history_ms`.
    """
    joined = joined_lines(lines, by_ms.tolist())
    history_ms: list[int | None] = [None] * len(lines)
    if zone is None:
        return joined, history_ms
    gaps = profiled_gaps(joined, all_ms)
    ends = np.cumsum([len(line.times_ms) for line in lines])
    meter = ends.searchsorted(gaps, side="right")
    for number in np.unique(meter).tolist():
        history_ms[number] = history_from_ms(joined, gaps[meter == number], int(by_ms[number]))
    return with_profiles(joined, gaps, zone, Moved(by_ms, meter)), history_ms


def _distance_ms(lines: Sequence[RegisterLine], edges_ms: "NDArray[np.int64]") -> int:
    """Return the time by which each line is moved further than the one before it [ms] (law 1)."""
    ends = [edges_ms[[0, -1]], *(line.edges_ms[[0, -1]] for line in lines if len(line.edges_ms))]
    return int(np.max(ends)) - int(np.min(ends)) + HISTORY_MS + 2 * HOUR_MS


def _moved(edges_ms: "NDArray[np.int64]", by_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the edges for each of several lines, one line after the other."""
    return (by_ms[:, None] + edges_ms).ravel()
