"""Accepted readings as stretches: unbroken lines along which a meter counted.

Laws:

1. Along a stretch the stored register never falls, and one transformer ratio holds: where CT or PT
   change, the register is interpolated at that moment, and a new stretch begins there with the
   new ratio.
2. Between stretches nothing is known, unless the next begins in the moment in which the last ends
   (a replacement, a rollover, a new ratio).
3. Between two readings that lie further apart than is usual around them (three times the median
   of the eleven nearest distances, at least a quarter of an hour, at most 35 days), the meter is
   not covered: it counted, but nobody knows when. A meter read by hand every day or month is
   covered, as that is usual there.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jieneng.metering.findings import Finding

_USUAL_TIMES: Final = 3.0
#: Distances on each side of the one that is judged.
_NEIGHBOURS: Final = 5
#: The shortest interval that is reported: a gap below it can't empty one.
_GAP_AT_LEAST_MS: Final = HOUR_MS / 4
#: A month's reading, some days late.
_GAP_AT_MOST_MS: Final = 35 * 24 * HOUR_MS


class Life(msgspec.Struct, frozen=True):
    """The believed readings of one device.

    Attributes:
        times_ms: shape (n,), ascending; twice the same at a rollover.
        register: what the device counted, before ratios.
        stored: register times the ratio in force.
        begins: whether nothing is known between a reading and the one before it.
        settled: from when until when no reading outside the window could change anything.
    """

    device: Device
    times_ms: "NDArray[np.int64]"
    register: "NDArray[np.float64]"
    stored: "NDArray[np.float64]"
    begins: "NDArray[np.bool_]"
    settled: tuple[int, int] | None


class Accepted(msgspec.Struct, frozen=True):
    """What a meter counted.

    Attributes:
        times_ms: shape (n,), UTC ms, ascending; the same twice where a stretch ends and the next
            begins in one moment.
        stored: shape (n,), the register in the unit in which it is stored; never falls along a
            stretch.
        stretch: shape (n,), the number of the stretch.
        covered: shape (n,), whether the way from this reading to the next is covered.
        settled: from when until when no reading outside the window could change anything; None
            where that can't be said.
        findings: what was wrong.
    """

    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    stretch: "NDArray[np.int64]"
    covered: "NDArray[np.bool_]"
    settled: tuple[int, int] | None = None
    findings: "tuple[Finding, ...]" = ()

    def total(self) -> "NDArray[np.float64]":
        """What was counted since the first reading: monotone, through all lives."""
        steps = np.diff(self.stored)
        steps[np.diff(self.stretch) != 0] = 0.0
        total: NDArray[np.float64] = np.concatenate([np.zeros(1), np.cumsum(steps)])
        return total[: len(self.stored)]


def join(lives: Sequence[Life], findings: "tuple[Finding, ...]" = ()) -> Accepted:
    """The lives of one meter's register, one after the other."""
    if not lives:
        none = np.zeros(0)
        return Accepted(
            none.astype(np.int64),
            none,
            none.astype(np.int64),
            none.astype(np.bool_),
            findings=findings,
        )
    parts = [_by_ratio(life) for life in lives]
    times = np.concatenate([part[0] for part in parts])
    stored = np.concatenate([part[1] for part in parts])
    stretch = np.cumsum(np.concatenate([part[2] for part in parts]))
    bounds = [0, *(np.flatnonzero(np.diff(stretch)) + 1).tolist(), len(times)]
    for first, end in pairwise(bounds):
        stored[first:end] = np.maximum.accumulate(stored[first:end])
    read = np.concatenate([life.times_ms for life in lives])
    read = read[np.append(True, np.diff(read) > 0)]
    near = np.append(_covered(read), False)
    covered = near[np.searchsorted(read, times, side="right") - 1]
    covered[:-1] &= stretch[:-1] == stretch[1:]
    settled = [life.settled for life in lives if life.settled is not None]
    return Accepted(
        times,
        stored,
        stretch,
        covered,
        (settled[0][0], settled[-1][1]) if settled else None,
        findings,
    )


def _by_ratio(
    life: Life,
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]":
    """Times, stored values and beginnings, cut where the ratio changes."""
    times, register, stored, begins = life.times_ms, life.register, life.stored, life.begins
    for (_, before), (moment, after) in pairwise(life.device.ratios):
        later = int(np.searchsorted(times, moment))  # the first reading with the new ratio
        if later == 0 or later == len(times) or begins[later]:
            continue
        share = (moment - times[later - 1]) / (times[later] - times[later - 1])
        shown = register[later - 1] + (register[later] - register[later - 1]) * share
        where = [later] if moment == times[later] else [later, later]
        begins = begins.copy()
        begins[later] = moment == times[later]
        times = np.insert(times, where, moment)
        register = np.insert(register, where, shown)
        stored = np.insert(stored, where, [shown * before, shown * after][: len(where)])
        begins = np.insert(begins, where, [False, True][: len(where)])
    return times, stored, begins


def _covered(times: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Of each distance between two readings, whether it is usual there (law 3)."""
    distances = np.diff(times).astype(np.float64)
    long = np.flatnonzero(distances > _GAP_AT_LEAST_MS)
    covered = np.ones(len(distances), dtype=np.bool_)
    if len(long):
        mirrored = np.pad(distances, _NEIGHBOURS, mode="reflect")
        around = mirrored[long[:, None] + np.arange(2 * _NEIGHBOURS + 1)]
        usual = _USUAL_TIMES * np.median(around, axis=1)
        covered[long] = distances[long] <= np.clip(usual, _GAP_AT_LEAST_MS, _GAP_AT_MOST_MS)
    return covered
