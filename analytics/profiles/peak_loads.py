"""Find peak loads, and the mean load of the same time. Pure.

Suppliers bill the demand for electricity by its largest mean over 15 minutes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.calendar.hour_grid import HOUR_MS

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PeakLoads(msgspec.Struct, frozen=True):
    """The peak loads of several series in a span of time, in arrays of shape (m,).

    Attributes:
        load: largest mean load of a measured interval [kW or m3/h]; NaN if none is measured.
        start_ms: start of the first interval with this load [UTC, ms]; 0 if none is measured.
        amount: consumption in the measured intervals [kWh or m3].
        measured_h: length of the measured intervals [h].
        total_h: length of the span [h].
    """

    load: "NDArray[np.float64]"
    start_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    measured_h: "NDArray[np.float64]"
    total_h: float

    @property
    def coverage(self) -> "NDArray[np.float64]":
        """Share of the span that was measured, 0 to 1."""
        return self.measured_h / self.total_h if self.total_h else np.zeros_like(self.measured_h)

    @property
    def load_factor(self) -> "NDArray[np.float64]":
        """Mean load of the measured intervals, divided by the peak; NaN if the peak is not > 0."""
        is_known = (self.measured_h > 0) & (self.load > 0)
        peak = np.where(is_known, self.load, np.nan)
        return self.amount / np.where(is_known, self.measured_h, np.nan) / peak


def peak_loads(edges_ms: "NDArray[np.int64]", measured: "NDArray[np.float64]") -> PeakLoads:
    """Return the peaks of the intervals between edges.

    Args:
        edges_ms: edges of the intervals, shape (n + 1,) [UTC, ms].
        measured: consumption of each interval, shape (m, n) [kWh or m3]; NaN if not measured.
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
        float(length_h.sum()),
    )


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
        sum(part.total_h for part in parts),
    )
