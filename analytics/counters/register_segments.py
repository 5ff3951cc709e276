"""Divide the believed readings of a meter into segments in which consumption is known.

Laws:

1. In a segment the stored register never falls, and there is only one transformer ratio. If CT or
   PT change, the register is interpolated at that time, and a new segment starts with the new
   ratio.
2. Between two segments consumption is unknown. There is one exception: if the second segment starts
   at the time at which the first ends (a replacement, a rollover, a new ratio), nothing is unknown.
3. The distance of two readings is a gap if it is longer than 15 minutes and longer than three times
   the median of the eleven nearest distances. A distance of more than 35 days is always a gap. In a
   gap the meter is not covered: the total consumption of the gap is known, but not its distribution
   over time. A meter that is read by hand regularly, each day or month, is covered.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_finding import RegisterFinding

#: Longest usual distance, as a multiple of the median of the distances around it.
_USUAL_FACTOR: Final = 3
#: Number of distances on each side that are used for the median.
_NEIGHBOURS: Final = 5
_AROUND: Final = np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)
#: Distance up to which there is never a gap [ms]: each interval of 15 min contains a reading.
_SHORTEST_GAP_MS: Final = HOUR_MS // 4
#: Longest distance that can be usual [ms]: a month that is read some days late.
_LONGEST_USUAL_MS: Final = 35 * 24 * HOUR_MS


class DeviceRegister(msgspec.Struct, frozen=True):
    """The believed readings of one device.

    Attributes:
        device: the device that was read.
        times_ms: shape (n,), UTC ms, ascending; a rollover has the same time twice.
        register: shape (n,), value in the device, before the ratio.
        stored: shape (n,), register times the ratio valid at the time.
        starts_segment: shape (n,), True if the consumption before a reading is unknown.
        stable_ms: (first, last time) of the span in which readings outside the window can't change
            the result; None if there is no such span.
        is_end_estimated: True if the last value was not read, but estimated.
    """

    device: Device
    times_ms: "NDArray[np.int64]"
    register: "NDArray[np.float64]"
    stored: "NDArray[np.float64]"
    starts_segment: "NDArray[np.bool_]"
    stable_ms: tuple[int, int] | None
    is_end_estimated: bool = False


class BelievedRegister(msgspec.Struct, frozen=True):
    """The believed register of a meter, through all its devices.

    Attributes:
        times_ms: shape (n,), UTC ms, ascending; if a segment starts when the one before it ends,
            this time occurs twice.
        stored: shape (n,), the stored register [kWh, m3 or GJ]; never falls in a segment.
        segment: shape (n,), number of the segment.
        covered: shape (n,), True if the time from this reading to the next is covered.
        estimated: shape (n,), True if the next value was not read, but estimated.
        is_read: shape (n,), False for a value that was interpolated at a change of CT or PT.
        stable_ms: (first, last time) of the span in which readings outside the window can't change
            the result; None if there is no such span.
        findings: findings about the readings, with times and doubts.
    """

    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    segment: "NDArray[np.int64]"
    covered: "NDArray[np.bool_]"
    estimated: "NDArray[np.bool_]"
    is_read: "NDArray[np.bool_]"
    stable_ms: tuple[int, int] | None = None
    findings: "tuple[RegisterFinding, ...]" = ()

    def cumulative(self) -> "NDArray[np.float64]":
        """Return the sum of the consumption in all segments up to each reading, shape (n,)."""
        steps = np.diff(self.stored)
        steps[np.diff(self.segment) != 0] = 0.0
        total: NDArray[np.float64] = np.concatenate([np.zeros(1), np.cumsum(steps)])
        return total[: len(self.stored)]


def join_devices(
    registers: Sequence[DeviceRegister], findings: "tuple[RegisterFinding, ...]" = ()
) -> BelievedRegister:
    """Join the registers of a meter's devices, given in order of time."""
    if not registers:
        none = np.zeros(0)
        return BelievedRegister(
            none.astype(np.int64),
            none,
            none.astype(np.int64),
            none.astype(np.bool_),
            none.astype(np.bool_),
            none.astype(np.bool_),
            findings=findings,
        )
    parts = [_split_at_ratio_changes(register) for register in registers]
    times = np.concatenate([part[0] for part in parts])
    stored = np.concatenate([part[1] for part in parts])
    bounds = np.flatnonzero(np.concatenate([part[2] for part in parts]))
    lengths = np.diff(bounds, prepend=0, append=len(times))
    segment = np.repeat(np.arange(len(lengths)), lengths)
    for first, end in pairwise([0, *bounds.tolist(), len(times)]):
        part_stored = stored[first:end]
        if (part_stored[1:] < part_stored[:-1]).any():  # jitter
            part_stored[:] = np.maximum.accumulate(part_stored)
    read = np.concatenate([register.times_ms for register in registers])
    is_later = np.append(True, read[1:] > read[:-1])
    if not is_later.all():
        read = read[is_later]
    is_usual = np.ones(len(read), dtype=np.bool_)
    is_usual[gaps(np.diff(read))] = False
    is_usual[-1:] = False
    covered = is_usual
    if len(read) < len(times):
        covered = is_usual[np.searchsorted(read, times, side="right") - 1]
    covered[:-1] &= segment[:-1] == segment[1:]
    stable = [register.stable_ms for register in registers if register.stable_ms is not None]
    return BelievedRegister(
        times,
        stored,
        segment,
        covered,
        np.concatenate(
            [
                _before_end(len(part[0]), is_estimated=register.is_end_estimated)
                for part, register in zip(parts, registers, strict=True)
            ]
        ),
        np.concatenate([part[3] for part in parts]),
        (stable[0][0], stable[-1][1]) if stable else None,
        findings,
    )


def _before_end(count: int, *, is_estimated: bool) -> "NDArray[np.bool_]":
    """Return a mask of `count` values: True for the last but one if the last one is estimated."""
    mask = np.zeros(count, dtype=np.bool_)
    mask[-2:-1] = is_estimated
    return mask


def _split_at_ratio_changes(
    device_register: DeviceRegister,
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]":
    """Split a device's readings at ratio changes (law 1).

    Returns:
        Times [UTC, ms], stored values, True where a segment starts, True where a value was read;
        each of shape (n,).
    """
    times, register = device_register.times_ms, device_register.register
    stored, starts = device_register.stored, device_register.starts_segment
    is_read = np.ones(len(times), dtype=np.bool_)
    for (_, old_ratio), (moment, new_ratio) in pairwise(device_register.device.ratios):
        later = int(np.searchsorted(times, moment))  # the first reading with the new ratio
        if later == 0 or later == len(times) or starts[later]:
            continue
        share = (moment - times[later - 1]) / (times[later] - times[later - 1])
        shown = register[later - 1] + (register[later] - register[later - 1]) * share
        inserted = [later] if moment == times[later] else [later, later]
        starts = starts.copy()
        starts[later] = moment == times[later]
        times = np.insert(times, inserted, moment)
        register = np.insert(register, inserted, shown)
        values = [shown * old_ratio, shown * new_ratio][: len(inserted)]
        stored = np.insert(stored, inserted, values)
        starts = np.insert(starts, inserted, [False, True][: len(inserted)])
        is_read = np.insert(is_read, inserted, False)
    return times, stored, starts, is_read


def gaps(distances_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the indexes of the distances between readings that are gaps (law 3).

    Args:
        distances_ms: shape (n,), time from each reading to the next one [ms].
    """
    if not len(distances_ms):
        return np.zeros(0, dtype=np.int64)
    # The median is computed only for distances that even the shortest one does not make usual.
    shortest_ms = int(distances_ms.min())
    surely_usual_ms = min(max(_USUAL_FACTOR * shortest_ms, _SHORTEST_GAP_MS), _LONGEST_USUAL_MS)
    long = np.flatnonzero(distances_ms > surely_usual_ms)
    if not len(long):
        return long
    # At the beginning and the end, the distances are mirrored.
    period = max(2 * (len(distances_ms) - 1), 1)
    around = (long[:, None] + _AROUND) % period
    around = distances_ms[np.minimum(around, period - around)]
    around.sort(axis=1)
    longest = np.maximum(_USUAL_FACTOR * around[:, _NEIGHBOURS], _SHORTEST_GAP_MS)
    is_gap: NDArray[np.bool_] = distances_ms[long] > np.minimum(longest, _LONGEST_USUAL_MS)
    return long[is_gap]
