"""Describe a believed register as a line over time, by which consumption is interpolated.

A line has readings, and spans in which the same is known about the consumption. A span begins and
ends at a reading. An example, a meter that was silent from 02:00 to 08:00, and reset at 10:00:

    readings  00  01  02  08  09  10  11
    spans     00 to 02: known, covered
              02 to 08: known, not covered
              08 to 09: known, covered
              09 to 10: unknown
              10 to 11: known, covered

Laws:

1. In a known span the register never falls, and the consumption of any part is the growth of the
   line.
2. There are few spans: as many as gaps, replacements, rollovers and resets. So work is done for
   spans, not for readings.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_segments import BelievedRegister


_YES: Final = np.ones(1, dtype=np.bool_)
_NO: Final = np.zeros(1, dtype=np.bool_)
_NO_INDEXES: Final = np.zeros(0, dtype=np.int64)


class SpanPositions(NamedTuple):
    """The places of spans among the edges of intervals, each of shape (spans + 1,).

    Attributes:
        first: index of the first edge at or after the begin of each span, and at or after the end
            of the last one.
        after: index of the first edge after it.
    """

    first: "NDArray[np.intp]"
    after: "NDArray[np.intp]"


class RegisterLine(msgspec.Struct, frozen=True):
    """A believed register as a line over time.

    Attributes:
        times_ms: shape (n,), times of the readings [UTC, ms], ascending; if a known span starts
            with a new count when the one before it ends, this time occurs twice.
        stored: shape (n,), the stored register [kWh, m3 or GJ].
        edges_ms: shape (spans + 1,), times at which spans begin or end [UTC, ms], strictly
            ascending; empty without readings.
        known: shape (spans,), True if the consumption is known.
        covered: shape (spans,), True if the distribution over time is known, too.
        estimated: shape (spans,), True if the last value of the span was not read, but estimated.
        inserted: shape (i,), indexes of values that were not read, ascending: those interpolated at
            a change of CT or PT, and the points by which gaps are distributed (`profiled_gaps`).
    """

    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    edges_ms: "NDArray[np.int64]"
    known: "NDArray[np.bool_]"
    covered: "NDArray[np.bool_]"
    estimated: "NDArray[np.bool_]"
    inserted: "NDArray[np.int64]"

    def span(self, moments_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return the span that begins at each moment or contains it; -1 outside of all spans."""
        found = self.edges_ms.searchsorted(moments_ms, side="right") - 1
        return np.where(found < len(self.known), found, -1)

    def positions(self, edges_ms: "NDArray[np.int64]") -> SpanPositions:
        """Return the places of the spans among the edges of intervals [UTC, ms]."""
        return SpanPositions(
            edges_ms.searchsorted(self.edges_ms), edges_ms.searchsorted(self.edges_ms, side="right")
        )


def line_of(register: "BelievedRegister") -> RegisterLine:
    """Return the line of a believed register."""
    times, segment, covered = register.times_ms, register.segment, register.covered
    estimated = register.estimated
    ends = np.flatnonzero(segment[1:] != segment[:-1])
    is_change = (covered[1:] != covered[:-1]) | (estimated[1:] != estimated[:-1])
    edges = np.unique(
        np.concatenate([times[:1], times[ends], times[ends + 1], times[1:][is_change], times[-1:]])
    )
    first = times.searchsorted(edges[:-1], side="right") - 1
    last = times.searchsorted(edges[1:])
    return RegisterLine(
        times,
        register.stored,
        edges,
        segment[first] == segment[last],
        covered[first],
        estimated[first],
        np.flatnonzero(~register.is_read),
    )


def plain_line(
    times_ms: "NDArray[np.int64]", stored: "NDArray[np.float64]", gaps: "NDArray[np.int64]"
) -> RegisterLine:
    """Return the line of a register that was only read, in one segment.

    Args:
        times_ms: shape (n,), n > 1, times of the readings [UTC, ms], strictly ascending.
        stored: shape (n,), the stored register, not falling.
        gaps: indexes of the readings at which gaps begin, ascending.
    """
    if not len(gaps):
        return RegisterLine(times_ms, stored, times_ms[[0, -1]], _YES, _YES, _NO, _NO_INDEXES)
    is_separate = gaps[1:] - gaps[:-1] > 1
    edges = np.empty(2 * int(np.count_nonzero(is_separate)) + 4, dtype=np.int64)
    edges[0], edges[1], edges[-2], edges[-1] = 0, gaps[0], gaps[-1] + 1, len(times_ms) - 1
    edges[3:-2:2] = gaps[1:][is_separate]
    edges[2:-2:2] = gaps[:-1][is_separate] + 1
    is_gap = np.zeros(len(edges) - 1, dtype=np.bool_)
    is_gap[1::2] = True
    # A gap may begin at the first reading, or end at the last one.
    spans = slice(int(edges[1] == 0), len(is_gap) - int(edges[-2] == edges[-1]))
    is_gap = is_gap[spans]
    return RegisterLine(
        times_ms,
        stored,
        times_ms[edges[spans.start : spans.stop + 1]],
        np.ones(len(is_gap), dtype=np.bool_),
        ~is_gap,
        np.zeros(len(is_gap), dtype=np.bool_),
        _NO_INDEXES,
    )


def joined_lines(lines: Sequence[RegisterLine], shifts_ms: Sequence[int]) -> RegisterLine:
    """Join the lines of several meters into one, in which nothing is known between two meters.

    Args:
        lines: lines of the meters.
        shifts_ms: time [ms] by which each line is moved, so that it begins after the one before it.
    """
    counts = np.cumsum([0, *(len(line.times_ms) for line in lines)])
    between = np.zeros(1, dtype=np.bool_)

    def joined(columns: "Sequence[NDArray[np.bool_]]") -> "NDArray[np.bool_]":
        parts = [
            part
            for column, line in zip(columns, lines, strict=True)
            if len(line.edges_ms)
            for part in (between, column)
        ]
        return np.concatenate([between[:0], *parts[1:]])

    return RegisterLine(
        np.concatenate([line.times_ms + by for line, by in zip(lines, shifts_ms, strict=True)]),
        np.concatenate([line.stored for line in lines]),
        np.concatenate([line.edges_ms + by for line, by in zip(lines, shifts_ms, strict=True)]),
        joined([line.known for line in lines]),
        joined([line.covered for line in lines]),
        joined([line.estimated for line in lines]),
        np.concatenate(
            [line.inserted + by for line, by in zip(lines, counts.tolist(), strict=False)]
        ),
    )
