"""Recognise a meter whose readings are all believed, without a search for the best path.

Most meters have no wrong readings in most windows. For them the rules of `believed_register` have
only one possible result, which this module finds with a few passes over the readings.

Laws:

1. The test is sufficient, not necessary. If it accepts the readings, `believed_register` believes
   each of them, without a finding. All other readings are left to `believed_register`.
2. Accepted readings are positive, rise in time, never fall, and grow by no more than the nameplate
   allows since the reading before (less a billionth, for rounding). So there is one run, no reading
   is a stray zero, and the path is this run.
3. A number that means "no value" is kept between readings that do not fall. So only the first and
   the last reading are compared with such numbers. For the numbers of a meter's own model, the
   whole range of the readings is compared.
4. All readings are of one device with one transformer ratio, and no recorded initial or final value
   is in the window.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analytics.counters.intervals.register_line import RegisterLine, plain_line
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.reading_runs import CERTAIN, evidence_of, stable_span
from analytics.counters.register_segments import gaps
from analytics.counters.sentinels import is_sentinel

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Share of the nameplate that is not used, so that rounding can't matter (law 2).
_LEFT_FOR_ROUNDING: Final = 1e-9


class PlainRegister(NamedTuple):
    """A register whose readings are all believed.

    Attributes:
        line: line of all readings.
        stable_ms: as in `BelievedRegister`.
        device: the device that was read.
        ratio: its transformer ratio.
    """

    line: RegisterLine
    stable_ms: tuple[int, int] | None
    device: Device
    ratio: float


def plain_register(
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
    devices: MeterDevices,
    window: tuple[int, int],
) -> PlainRegister | None:
    """Return the register of a meter whose readings are all believed; None if one may not be.

    Args:
        times_ms: shape (n,), times of the readings [UTC, ms].
        values: shape (n,), the stored register [kWh, m3 or GJ]; NaN if unknown.
        devices: devices of the meter.
        window: time span from which the readings were read [UTC, ms].
    """
    if len(times_ms) < 2 or not values.min() > 0 or not np.isfinite(values[-1]):
        return None
    distances_ms = times_ms[1:] - times_ms[:-1]
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        steps = values[1:] - values[:-1]
    shortest_ms = int(distances_ms.min())
    if shortest_ms <= 0 or not steps.min() >= 0:
        return None
    most = devices.rate_max_per_h / HOUR_MS * (1 - _LEFT_FOR_ROUNDING)
    if steps.max() > most * shortest_ms:
        large = np.flatnonzero(steps > most * shortest_ms)
        if (steps[large] > most * distances_ms[large]).any():
            return None
    span = int(times_ms[0]), int(times_ms[-1])
    device = _only_device(devices, span, window)
    if device is None:
        return None
    ratio = device.ratio_in_force(span[0])
    if _may_mean_no_value(device, float(values[0]) / ratio, float(values[-1]) / ratio):
        return None
    is_certain = evidence_of(span[1] - span[0], len(times_ms) - 1) >= CERTAIN
    return PlainRegister(
        plain_line(times_ms, values, gaps(distances_ms)),
        stable_span(times_ms, 0, len(times_ms)) if is_certain else None,
        device,
        ratio,
    )


def _only_device(
    devices: MeterDevices, span: tuple[int, int], window: tuple[int, int]
) -> Device | None:
    """Return the only device of all readings, with one ratio; None if there are several."""
    if devices.resets is not None:
        return None
    for device in devices.devices:
        if (np.isfinite(device.initial) and window[0] <= device.from_ms < window[1]) or (
            np.isfinite(device.final) and window[0] <= device.until_ms < window[1]
        ):
            return None
    for device in devices.devices:
        if device.from_ms <= span[0] and span[1] < device.until_ms:
            return device if device.has_one_ratio(*span) else None
    return None


def _may_mean_no_value(device: Device, first: float, last: float) -> bool:
    """Return True if a reading may be a number that means "no value" (law 3).

    Args:
        device: the device.
        first: first value of the register.
        last: last value.
    """
    return (
        is_sentinel(first)
        or is_sentinel(last)
        or any(
            first - tolerance < value < last + tolerance
            for value, tolerance in device.no_value_tolerances()
        )
    )
