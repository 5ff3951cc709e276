"""Find readings that were stored with the transformer ratio before a change. Pure.

The stored value is the register times CT and PT (`meter_devices`). If a change of CT is entered in
`site.toml` weeks after it happened, the readings of these weeks were multiplied by the ratio of
before. An example: CT was changed from 40 to 60 on 15 June, and entered on 3 September.

    reading      14 June   15 June   2 September   3 September
    register     1440      1450      2240          2250
    stored with  40        40        40            60
    stored       57,600    58,000    89,600        135,000

Laws:

1. Readings after a change are late, and are multiplied by new / old ratio, if two conditions hold
   at the change: with the old ratio, the step from the last reading before it to the first one
   after it is plausible; with the new ratio, it is not. So readings that were stored with the right
   ratio are never changed.
2. They are late until the first step that is plausible only from the old ratio to the new one, or
   else until the next change or the end of the device.
3. A step is plausible if it is not negative, and possible by the nameplate. If the nameplate is
   unknown, a step is implausible that is far larger than the step by the other ratio.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.meter_devices import HOUR_MS, MeterDevices
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Step by one ratio that is implausible without a nameplate, as a multiple of that by the other.
_FAR_LARGER: Final = 20.0
#: Relative rounding error of stored registers; imported ones may have few decimals.
_ROUNDING: Final = 1e-6


class RatioChange(msgspec.Struct, frozen=True):
    """A change of the product of CT and PT in the life of a device.

    Attributes:
        from_ms: time of the change [UTC, ms].
        until_ms: time of the next change, or of the end of the device [UTC, ms].
        old: ratio before the change.
        new: ratio from the change on.
    """

    from_ms: int
    until_ms: int
    old: float
    new: float


class LateRatio(msgspec.Struct, frozen=True):
    """A time in which readings were stored with the ratio of before.

    Attributes:
        from_ms: start of this time [UTC, ms].
        until_ms: end of this time [UTC, ms].
        applied: ratio by which the readings were multiplied.
        right: ratio that was in force.
    """

    from_ms: int
    until_ms: int
    applied: float
    right: float

    def corrected(
        self, times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
    ) -> "NDArray[np.float64]":
        """Return stored values as they would be with the right ratio, shape (n,)."""
        is_late = (times_ms >= self.from_ms) & (times_ms < self.until_ms)
        found: NDArray[np.float64] = np.where(is_late, values * (self.right / self.applied), values)
        return found

    def finding(self, meter: str) -> RegisterFinding:
        """Return the finding that says so. It has no doubt: the consumption is corrected."""
        of_kind = Finding.of("late_ratio", meter, applied=self.applied, right=self.right)
        return RegisterFinding(of_kind, self.from_ms, self.until_ms, 0.0)


def ratio_changes(devices: MeterDevices) -> Iterator[RatioChange]:
    """Yield the changes of the ratio of each device, in order of time."""
    for device in devices.devices:
        ends = [*(since for since, _ in device.ratios[1:]), device.until_ms]
        for ((_, old), (since, new)), until in zip(pairwise(device.ratios), ends[1:], strict=True):
            if device.from_ms < since < device.until_ms and old != new:
                yield RatioChange(since, min(until, device.until_ms), old, new)


def is_late(
    change: RatioChange,
    devices: MeterDevices,
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
) -> bool:
    """Return True if readings after a change were stored with the ratio of before (law 1).

    Args:
        change: the change; `old` is the ratio by which readings before it were multiplied.
        devices: devices of the meter.
        times_ms: shape (2,), times of the last reading before and the first one after it [UTC, ms].
        values: shape (2,), the stored values.
    """
    return bool(_only_first(devices, times_ms, values, (change.old, change.old, change.new))[0])


def late_until_ms(
    change: RatioChange,
    devices: MeterDevices,
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
) -> int | None:
    """Return the time of the first reading stored with the new ratio; None for none (law 2).

    Args:
        change: the change.
        devices: devices of the meter.
        times_ms: shape (n,), times of readings from the change on [UTC, ms], ascending.
        values: shape (n,), the stored values.
    """
    has_changed = _only_first(devices, times_ms, values, (change.old, change.new, change.old))
    return int(times_ms[1:][has_changed][0]) if has_changed.any() else None


def _only_first(
    devices: MeterDevices,
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
    ratios: tuple[float, float, float],
) -> "NDArray[np.bool_]":
    """Return True for each step that is plausible with one ratio, and not with another.

    Args:
        devices: devices of the meter.
        times_ms: shape (n,) [UTC, ms], ascending.
        values: shape (n,), the stored values.
        ratios: ratio of the reading before a step; of the reading after it; and the other ratio of
            the reading after it.
    """
    before, after, other = ratios
    shown = values[:-1] / before
    step, other_step = values[1:] / after - shown, values[1:] / other - shown
    tolerance = _ROUNDING * shown
    most = devices.rate_max_per_h / min(ratios) * (np.diff(times_ms) / HOUR_MS) + tolerance
    is_plausible = (values[:-1] > 0) & (step >= -tolerance) & (step <= most)
    limit = np.minimum(most, _FAR_LARGER * np.maximum(step, 0.0) + tolerance)
    found: NDArray[np.bool_] = is_plausible & ((other_step < -tolerance) | (other_step > limit))
    return found
