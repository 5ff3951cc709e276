"""Decide which imported intervals are believed, because exports of loggers contain wrong values.

An example, hourly values [kWh] of a meter with a nameplate of 100 kW:

    time   00    01    02    03    04    05    06    07    08
    value  20    21    -999  22    99    -57   20    1003  20

-999 at 02 is the logger's number for "no value". -57 at 05 corrects the value at 04, which was too
large. Together they are 42 kWh, as usual, so both are kept. 1003 kWh in an hour at 07 is
impossible. So 02 and 07 are set aside, and all other values count.

Laws:

1. An interval that is set aside counts as unknown: it adds no consumption and is not covered. It
   leaves no doubt, because the consumption of the other intervals is not affected.
2. A number that means "no value" (`sentinels`) is set aside. There is one exception: a negative
   number is kept if it occurs only once and cancels an equal positive value within a day.
3. A negative value is a correction in three cases: it cancels an equal positive value within a day,
   it takes back the excess of an earlier value within a day, or it is as small as a rounding error.
   A correction and the value that it corrects are kept if their sum is plausible. Any other
   negative value is set aside.
4. A value is plausible up to the rated maximum x time, with a tolerance of one resolution. The time
   is counted from the end of the last positive value, up to a week, because some loggers write the
   consumption of an outage into the first interval after it.
5. The decision about a value depends only on values within `context_ms` around it. So a window
   gives the same result as the whole history.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.meter_devices import HOUR_MS, MeterDevices
from analytics.counters.register_finding import RegisterFinding
from analytics.counters.sentinels import (
    LONG_SENTINELS,
    NEGATIVE_SENTINELS,
    SHORT_SENTINELS,
    is_one_of,
)
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY_MS: Final = 24 * HOUR_MS
#: Distance of a correction from the corrected value: in time [ms] and in intervals, whichever is
#: longer.
_REACH_MS: Final = _DAY_MS
_REACH_INTERVALS: Final = 3
#: Longest sequence of negative values that may be corrections. A longer sequence has another
#: meaning, such as exported energy.
_CORRECTIONS_MAX: Final = 8
#: Number of values on each side whose median is the usual value.
_USUAL_VALUES: Final = 8
#: A value has an excess to correct if it exceeds the usual value by this share of the correction.
_EXCESS: Final = 0.9
#: Largest negative value that is a rounding error, as a share of the usual value.
_ROUNDING: Final = 0.01
#: Relative difference up to which two values are equal.
_EQUAL: Final = 1e-9
#: 65535 means "no value" if it is more than this multiple of its neighbours.
_STANDS_OUT: Final = 3.0
#: Longest outage whose consumption a logger may write into the next interval [ms] (law 4).
_CATCH_UP_MS: Final = 7 * _DAY_MS
#: Context [ms] (law 5): `_CONTEXT_MS` if no interval is longer than `_SHORT_MS`, otherwise
#: `_LONG_CONTEXT_MS`.
_SHORT_MS: Final = 2 * _DAY_MS
_CONTEXT_MS: Final = 8 * _DAY_MS
_LONG_CONTEXT_MS: Final = 100 * _DAY_MS


class JudgedIntervals(msgspec.Struct, frozen=True):
    """The result of `judge_intervals`.

    Attributes:
        believed: the intervals that are believed.
        findings: findings about the others, at most one for each code and UTC day.
    """

    believed: ImportedConsumption
    findings: tuple[RegisterFinding, ...] = ()


def context_ms(longest_ms: int) -> int:
    """Return the length of the context before and after a window that can affect its result [ms].

    Args:
        longest_ms: length of the meter's longest interval.
    """
    return _CONTEXT_MS if longest_ms <= _SHORT_MS else _LONG_CONTEXT_MS


def judge_intervals(imported: ImportedConsumption, devices: MeterDevices) -> JudgedIntervals:
    """Return the believed intervals of a meter, and findings about the others.

    Args:
        imported: imported intervals by start, without overlaps.
        devices: devices of the meter.
    """
    amount = imported.amount
    if not len(amount):
        return JudgedIntervals(imported)
    corrected = _corrected_by(imported)
    is_correction = corrected >= 0
    no_value = _is_no_value(amount) & ~is_correction
    negative = (amount < 0) & ~is_correction & ~no_value
    reasons = {
        "no_value": no_value,
        "negative_interval": negative,
        "above_nameplate": _is_too_much(imported, devices, corrected, ~no_value & ~negative),
    }
    findings = [
        finding
        for code, is_aside in reasons.items()
        for finding in _set_aside(code, devices.meter, imported, is_aside)
    ]
    kept = ~np.logical_or.reduce(list(reasons.values()))
    believed = imported if kept.all() else _select(imported, kept)
    return JudgedIntervals(believed, tuple(findings))


def _select(imported: ImportedConsumption, kept: "NDArray[np.bool_]") -> ImportedConsumption:
    return ImportedConsumption(*(column[kept] for column in msgspec.structs.astuple(imported)))


def _is_no_value(amount: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Return True for each number that means "no value" (law 2).

    65535 and its fractions may be real consumption. They count as "no value" only if they are far
    above both neighbours.
    """
    found = is_one_of(amount, LONG_SENTINELS) | is_one_of(amount, NEGATIVE_SENTINELS)
    short = is_one_of(amount, SHORT_SENTINELS)
    others = np.flatnonzero(~found & ~short)
    if short.any() and len(others):
        following = np.searchsorted(others, np.flatnonzero(short))
        beside = np.maximum(
            amount[others[following.clip(max=len(others) - 1)]],
            amount[others[(following - 1).clip(min=0)]],
        )
        found[short] = amount[short] > _STANDS_OUT * beside
    return found


def _corrected_by(imported: ImportedConsumption) -> "NDArray[np.int64]":
    """Return the index of the value that each value corrects (law 3).

    Returns:
        Shape (n,); -1 for a value that is not a correction; a value's own index for a rounding
        error.
    """
    amount, start_ms = imported.amount, imported.start_ms
    corrected = np.full(len(amount), -1, dtype=np.int64)
    possible = _possible_corrections(amount).tolist()
    if not possible:
        return corrected
    reach_ms = np.maximum(_REACH_MS, _REACH_INTERVALS * (imported.end_ms - start_ms))
    lows = np.searchsorted(start_ms, start_ms - reach_ms)
    ends = np.searchsorted(start_ms, start_ms + reach_ms, side="right")
    is_sentinel = is_one_of(amount, NEGATIVE_SENTINELS)
    is_free = amount > 0
    for index in possible:
        low, end = int(lows[index]), int(ends[index])
        if is_sentinel[index] and np.count_nonzero(amount[low:end] == amount[index]) > 1:
            continue
        could_be = np.abs(amount[low:end] + amount[index]) <= -amount[index] * _EQUAL
        if not is_sentinel[index]:
            usual = _usual(amount, index)
            if -amount[index] <= usual * _ROUNDING:
                corrected[index] = index
                continue
            could_be[: index - low] |= amount[low:index] - usual >= -amount[index] * _EXCESS
        found = low + np.flatnonzero(could_be & is_free[low:end])
        if len(found):
            corrected[index] = found[np.argmin(np.abs(found - index))]
            is_free[corrected[index]] = False
    return corrected


def _possible_corrections(amount: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """Return the indexes of the negative values, without long sequences of negative values."""
    edges = np.flatnonzero(np.diff((amount < 0).astype(np.int8), prepend=0, append=0))
    firsts, ends = edges[::2], edges[1::2]
    negative = np.flatnonzero(amount < 0)
    row = np.searchsorted(firsts, negative, side="right") - 1
    return negative[(ends - firsts)[row] <= _CORRECTIONS_MAX]


def _usual(amount: "NDArray[np.float64]", index: int) -> float:
    """Return the median of the non-negative values near an index; 0 if there is none."""
    around = amount[max(index - _USUAL_VALUES, 0) : index + _USUAL_VALUES + 1]
    known = around[around >= 0]
    return float(np.median(known)) if len(known) else 0.0


def _is_too_much(
    imported: ImportedConsumption,
    devices: MeterDevices,
    corrected: "NDArray[np.int64]",
    is_known: "NDArray[np.bool_]",
) -> "NDArray[np.bool_]":
    """Return True for each value that is above what the nameplate allows (law 4).

    A value and its correction are judged together.
    """
    rate = devices.rate_max_per_h / HOUR_MS
    if not np.isfinite(rate):
        return np.zeros(len(corrected), dtype=np.bool_)
    start_ms, end_ms = imported.start_ms, imported.end_ms
    flowed_until = np.where(is_known & (imported.amount > 0), end_ms, start_ms[0])
    before_ms = np.append(start_ms[0], np.maximum.accumulate(flowed_until)[:-1])
    since_ms = np.minimum(np.maximum(before_ms, start_ms - _CATCH_UP_MS), start_ms)
    length, amount = end_ms - since_ms, imported.amount.copy()
    correction = np.flatnonzero((corrected >= 0) & (corrected != np.arange(len(corrected))))
    value = corrected[correction]
    amount[value] += amount[correction]
    length[value] += (end_ms - start_ms)[correction]
    step = max(device.step * max(ratio for _, ratio in device.ratios) for device in devices.devices)
    is_too_much: NDArray[np.bool_] = is_known & (amount > rate * length * (1 + _EQUAL) + step)
    is_too_much[correction] = is_too_much[value]
    return is_too_much


def _set_aside(
    code: str, meter: str, imported: ImportedConsumption, is_aside: "NDArray[np.bool_]"
) -> Iterator[RegisterFinding]:
    """Yield a finding for each UTC day that has intervals set aside for the reason `code`."""
    index = np.flatnonzero(is_aside)
    bounds = np.flatnonzero(np.diff(imported.start_ms[index] // _DAY_MS, prepend=-1))
    for low, end in pairwise([*bounds.tolist(), len(index)]):
        first, last = int(index[low]), int(index[end - 1])
        yield RegisterFinding(
            Finding.of(
                code,
                meter,
                value=float(imported.amount[first]),
                first_ms=int(imported.start_ms[first]),
            ),
            int(imported.start_ms[first]),
            int(imported.end_ms[last]),
            0.0,
            end - low,
        )
