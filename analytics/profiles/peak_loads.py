"""Find peak loads, and the mean load of the same time. Pure.

Suppliers bill the demand for electricity by its largest mean over 15 minutes.

Law: if a time was not measured, but its consumption is known, the true peak is at least the mean
load of this time. If this mean load is above the measured peak, the peak lies in this time and is
unknown.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.calendar.hour_grid import HOUR_MS
from analytics.figures.site_consumption import contiguous_ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Relative difference of two loads that may come from rounding.
_ROUNDING: Final = 1e-6


class PeakLoads(msgspec.Struct, frozen=True):
    """The peak loads of several series in a span of time, in arrays of shape (m,).

    Attributes:
        load: largest mean load of a measured interval [kW or m3/h]; NaN if none is measured.
        start_ms: start of the first interval with this load [UTC, ms]; 0 if none is measured.
        amount: consumption in the measured intervals [kWh or m3].
        measured_h: length of the measured intervals [h].
        unmeasured: largest mean load of a time that was not measured [kW or m3/h]; NaN if there is
            none whose consumption is known.
        total_h: length of the span [h].
    """

    load: "NDArray[np.float64]"
    start_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    measured_h: "NDArray[np.float64]"
    unmeasured: "NDArray[np.float64]"
    total_h: float

    @property
    def coverage(self) -> "NDArray[np.float64]":
        """Share of the span that was measured, 0 to 1."""
        return self.measured_h / self.total_h if self.total_h else np.zeros_like(self.measured_h)

    @property
    def is_hidden(self) -> "NDArray[np.bool_]":
        """True if the peak lies in a time that was not measured."""
        hidden: NDArray[np.bool_] = self.unmeasured > self.load * (1 + _ROUNDING)
        return hidden

    @property
    def load_factor(self) -> "NDArray[np.float64]":
        """Mean load of the measured intervals, divided by the peak; NaN if the peak is not > 0."""
        is_known = (self.measured_h > 0) & (self.load > 0)
        peak = np.where(is_known, self.load, np.nan)
        return self.amount / np.where(is_known, self.measured_h, np.nan) / peak


def peak_loads(
    edges_ms: "NDArray[np.int64]",
    measured: "NDArray[np.float64]",
    spread: "NDArray[np.float64] | None" = None,
) -> PeakLoads:
    """Return the peaks of the intervals between edges.

    Args:
        edges_ms: edges of the intervals, shape (n + 1,) [UTC, ms].
        measured: consumption of each interval, shape (m, n) [kWh or m3]; NaN if not measured.
        spread: known consumption of the intervals that were not measured, shape (m, n), NaN for
            others; None for none.
    """
    length_h = np.diff(edges_ms) / HOUR_MS
    is_measured = np.isfinite(measured)
    load = np.where(is_measured, measured / length_h, -np.inf)
    peak = load.max(axis=1, initial=-np.inf)
    is_known = np.isfinite(peak)
    first = load.argmax(axis=1) if len(length_h) else np.zeros(len(measured), dtype=np.int64)
    return PeakLoads(
        np.where(is_known, peak, np.nan),
        np.where(is_known, edges_ms[first], 0),
        np.where(is_measured, measured, 0.0).sum(axis=1),
        is_measured @ length_h,
        _unmeasured_load(length_h, np.full_like(measured, np.nan) if spread is None else spread),
        float(length_h.sum()),
    )


def _unmeasured_load(
    length_h: "NDArray[np.float64]", spread: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the largest mean load of a run of intervals that were not measured, shape (m,).

    The mean is that of the whole run, because the distribution within it is estimated.

    Args:
        length_h: length of the intervals, shape (n,) [h].
        spread: their known consumption, shape (m, n); NaN for others.
    """
    greatest = np.full(len(spread), np.nan)
    hours = np.concatenate([np.zeros(1), np.cumsum(length_h)])
    for row, amounts in enumerate(spread):
        runs = np.array(contiguous_ranges(np.isfinite(amounts)), dtype=np.int64).reshape(-1, 2)
        if len(runs):
            sums = np.concatenate([np.zeros(1), np.cumsum(np.nan_to_num(amounts))])
            first, end = runs.T
            greatest[row] = ((sums[end] - sums[first]) / (hours[end] - hours[first])).max()
    return greatest


def of_whole_span(parts: Sequence[PeakLoads]) -> PeakLoads:
    """Return the peaks of successive spans together; there must be at least one."""
    loads = np.array([part.load for part in parts])
    first = np.where(np.isnan(loads), -np.inf, loads).argmax(axis=0)
    rows = np.arange(loads.shape[1])
    return PeakLoads(
        loads[first, rows],
        np.array([part.start_ms for part in parts])[first, rows],
        np.sum([part.amount for part in parts], axis=0),
        np.sum([part.measured_h for part in parts], axis=0),
        np.fmax.reduce([part.unmeasured for part in parts]),
        sum(part.total_h for part in parts),
    )
