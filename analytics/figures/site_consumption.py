"""Arrange stored consumption in arrays by meter and day.

Laws:

1. Unknown consumption is NaN, with coverage 0.
2. On days on which a meter or its area does not exist, consumption is 0 with coverage 1
   (`lifetime`).
3. Days stored by earlier versions have no `bounded`, `spread_start` and `spread_end`. For them,
   `bounded` is set to the coverage, and the spreads are NaN.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from analytics.counters.consumption import Consumption, zero_where_unknown
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow, flows_of
from analytics.figures.boundary.lifetime import Begins, lifetime
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from analytics.figures.roll_up import stacked
from analytics.periods import Period, days
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, MEDIA, Medium
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Stored values, by (meter id, field).
StoredRows: TypeAlias = "Mapping[tuple[str, str], NDArray[np.float64]]"


class MeterConsumption(msgspec.Struct, frozen=True):
    """Consumption of one medium by meter and interval, in arrays of shape (meters, intervals).

    Attributes:
        meters: ids of the meters.
        amount: consumption [kWh, m3 or GJ]; NaN if unknown.
        coverage: share of the time without gaps, 0 to 1; 0 if unknown.
        estimated: absolute part of `amount` that was distributed over gaps; 0 if unknown.
        bounded: share of the time for which consumption is known, 0 to 1; 0 if unknown.
        spread_start: estimated consumption at the interval's start; NaN if not stored.
        spread_end: estimated consumption at the interval's end; NaN if not stored.
        left_out: consumption stored for times after the removal of the meter; it is not counted.
        exports: number of rows for export registers; these are the last rows.
    """

    meters: tuple[str, ...]
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    bounded: "NDArray[np.float64]"
    spread_start: "NDArray[np.float64]"
    spread_end: "NDArray[np.float64]"
    left_out: "NDArray[np.float64]"
    exports: int = 0

    @property
    def consumption(self) -> Consumption:
        """The consumption, without meter ids and `left_out`."""
        return Consumption(*msgspec.structs.astuple(self)[1:-2])

    def flows(self, site: Site) -> list[Flow]:
        """Return the flow of each row."""
        registers = len(self.meters) - self.exports
        meters = [site.meters[meter] for meter in self.meters]
        return flows_of(meters[:registers], meters[registers:])

    def without_exports(self) -> "MeterConsumption":
        """Return only the rows of consumption registers."""
        if not self.exports:
            return self
        registers = slice(len(self.meters) - self.exports)
        meters, *columns, _ = msgspec.structs.astuple(self)
        return MeterConsumption(meters[registers], *(column[registers] for column in columns))

    def rows(self, numbers: Sequence[int]) -> "MeterConsumption":
        """Return the rows of the given numbers, which must ascend."""
        meters, *columns, exports = msgspec.structs.astuple(self)
        registers = len(meters) - exports
        chosen = [column[list(numbers)] for column in columns]
        part = MeterConsumption(tuple(meters[number] for number in numbers), *chosen)
        of_exports = sum(number >= registers for number in numbers)
        return msgspec.structs.replace(part, exports=of_exports)

    def between(self, first: int, end: int) -> "MeterConsumption":
        """Return the intervals from index `first` up to, not including, `end`."""
        meters, *columns, exports = msgspec.structs.astuple(self)
        part = MeterConsumption(meters, *(column[:, first:end] for column in columns))
        return msgspec.structs.replace(part, exports=exports)


class SiteConsumption(msgspec.Struct, frozen=True):
    """Consumption of all meters of a site by day.

    Attributes:
        start: the first local day.
        media: consumption of all meters by day, by medium.
        series: consumption by interval, by need and scope id, for indicators that need more than
            daily sums.
        findings: findings about the meters in this time, in order of time.
    """

    start: date
    media: Mapping[Medium, MeterConsumption]
    series: Mapping[SeriesNeed, Mapping[str, IntervalSeries]] = {}
    findings: tuple[RegisterFinding, ...] = ()

    def days_of(self, period: Period) -> Mapping[Medium, MeterConsumption]:
        """Return the consumption on the days of a period; all these days must be present."""
        first = (period.start - self.start).days
        return {
            medium: all_days.between(first, first + period.days)
            for medium, all_days in self.media.items()
        }


def align_to_grid(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]", edges_ms: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the stored value of each interval.

    A point whose time is not the start of an interval is left out: it was computed with another
    time zone.

    Args:
        times_ms: shape (n,), times of the points [UTC, ms], before the last edge.
        values: shape (n,), values of the points.
        edges_ms: shape (intervals + 1,), ascending starts of the intervals and the end of the last
            one [UTC, ms].

    Returns:
        Shape (intervals,); NaN where there is no point.
    """
    numbers, is_start = grid_numbers(times_ms, edges_ms)
    aligned = np.full(len(edges_ms) - 1, np.nan)
    aligned[numbers] = values[is_start]
    return aligned


def grid_numbers(
    times_ms: "NDArray[np.int64]", edges_ms: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """Return the interval of each point that starts an interval, and a mask of these points.

    Args:
        times_ms: shape (n,), times of the points [UTC, ms], before the last edge.
        edges_ms: shape (intervals + 1,), edges of the intervals [UTC, ms].
    """
    interval = np.searchsorted(edges_ms, times_ms)
    is_start = edges_ms[interval] == times_ms
    return interval[is_start], is_start


def site_consumption(
    structure: SiteStructure,
    start: date,
    end: date,
    rows: StoredRows,
    exports: StoredRows,
    begins: Begins,
) -> SiteConsumption:
    """Return the stored consumption of all media on the days from `start` to before `end`.

    Args:
        structure: the site, for its meters.
        start: the first local day.
        end: the local day after the last one.
        rows: stored values by day; NaN if none is stored.
        exports: stored values of the export registers by day.
        begins: first days of generation and export.
    """
    period_days = days(start, end)
    media = {
        medium: meter_consumption(structure, medium, period_days, rows, exports, begins)
        for medium in MEDIA
        if any(meter.medium == medium for meter in structure.site.meter)
    }
    return SiteConsumption(start, media)


def meter_consumption(
    structure: SiteStructure,
    medium: Medium,
    interval_days: Sequence[date],
    rows: StoredRows,
    exports: StoredRows,
    begins: Begins,
) -> MeterConsumption:
    """Return the stored consumption of a medium by meter and interval.

    Args:
        structure: the site, for its meters.
        medium: medium of the meters.
        interval_days: local day of each interval.
        rows: stored values by interval; NaN if none is stored.
        exports: stored values of the export registers, for the meters that have one.
        begins: first days of generation and export.
    """
    meters = [meter for meter in structure.site.meter if meter.medium == medium]
    exporting = [meter for meter in meters if (meter.id, CONSUMPTION[medium]) in exports]
    lived, left_out = [], []
    for flow in flows_of(meters, exporting):
        stored = stored_amounts(
            flow, medium, exports if flow.is_export else rows, len(interval_days)
        )
        life = lifetime(structure, flow, interval_days, begins)
        lived.append(life.applied_to(stored))
        is_left_out = life.is_removed & (not flow.is_export)
        left_out.append(np.where(is_left_out, zero_where_unknown(stored.amount), 0.0))
    columns = stacked(lived)
    return MeterConsumption(
        (*(meter.id for meter in meters), *(meter.id for meter in exporting)),
        columns.amount,
        columns.coverage,
        columns.estimated,
        columns.bounded,
        columns.spread_start,
        columns.spread_end,
        np.array(left_out),
        len(exporting),
    )


def stored_amounts(flow: Flow, medium: Medium, rows: StoredRows, size: int) -> Consumption:
    """Return the stored consumption of a flow."""
    unknown = np.full(size, np.nan)
    amount, coverage, estimated_share, bounded, spread_start, spread_end = (
        rows.get((flow.meter.id, field), unknown) for field in consumption_fields(medium)
    )
    return Consumption(
        amount,
        zero_where_unknown(coverage),
        zero_where_unknown(np.abs(amount) * estimated_share),
        zero_where_unknown(np.where(np.isnan(bounded), coverage, bounded)),
        spread_start,
        spread_end,
    )


def consumption_fields(medium: Medium) -> tuple[str, ...]:
    """Return the stored fields of a medium's consumption, in the order of `MeterConsumption`."""
    return (
        CONSUMPTION[medium],
        schema.COVERAGE,
        schema.ESTIMATED,
        schema.BOUNDED,
        schema.SPREAD_START,
        schema.SPREAD_END,
    )


def contiguous_ranges(mask: "NDArray[np.bool_]") -> list[tuple[int, int]]:
    """Return (first index, index after the last) of each run of True in a mask."""
    steps = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return list(
        zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist(), strict=True)
    )
