"""Compute the yearly consumption from the values of a file, before anything is written.

It is computed as the analytics would after the import, but from the file alone. If the values can
be read in several ways (as readings of a register or as consumption), there is a row for each
meaning.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import msgspec

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    import numpy as np
    from numpy.typing import NDArray

    from analytics.counters.consumption import Consumption
    from analytics.counters.meter_devices import MeterDevices
    from analytics.counters.register_finding import RegisterFinding
    from ingest.importing.import_report import ImportReport, ReadSeries
    from jieneng.metering.findings import Finding
    from jieneng.site_folder import SiteFolder

#: Meaning of the values: readings of a register; consumption of intervals; readings as displayed,
#: which still have to be multiplied by the transformer ratio.
ValueMeaning = Literal["register", "interval", "display"]


class YearOfFile(msgspec.Struct, frozen=True):
    """Consumption of a year.

    Attributes:
        year: the year.
        amount: consumption of the year; None if nothing is known.
        coverage: share of the year for which consumption is known, 0 to 1.
    """

    year: int
    amount: float | None
    coverage: float


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The yearly consumption from a series of a file, for one meaning of its values.

    Attributes:
        meter: id of the meter.
        quantity: the quantity.
        unit: unit of the amounts.
        meaning: meaning of the values.
        is_chosen: True if the values are imported with this meaning.
        years: consumption by year.
        findings: findings that the analytics would report.
    """

    meter: str
    quantity: str
    unit: str
    meaning: ValueMeaning
    is_chosen: bool
    years: tuple[YearOfFile, ...]
    findings: tuple["Finding", ...] = ()


def previews(report: "ImportReport", folder: "SiteFolder") -> Iterator[Preview]:
    """Yield the yearly consumption of each series whose quantity is the meter's consumption."""
    from jieneng.metering.quantities import CONSUMPTION

    for series in report.read:
        if series.quantity == CONSUMPTION[folder.site.meters[series.meter].medium]:
            for meaning in _meanings(series, report.kind):
                yield _preview(series, meaning, report.kind, folder)


def _meanings(series: "ReadSeries", kind: str) -> Sequence[ValueMeaning]:
    """Return the possible meanings of a series' values, the chosen one first."""
    chosen: ValueMeaning = "interval" if kind == "interval" else "register"
    other: ValueMeaning = "register" if kind == "interval" else "interval"
    return (
        chosen,
        *(("display",) if series.ratios else ()),
        *((other,) if series.is_of_other_kind else ()),
    )


def _preview(
    series: "ReadSeries", meaning: ValueMeaning, kind: str, folder: "SiteFolder"
) -> Preview:
    from jieneng.metering.quantities import QUANTITIES

    years, findings = (_of_intervals if meaning == "interval" else _of_register)(
        series, meaning, folder
    )
    return Preview(
        meter=series.meter,
        quantity=series.quantity,
        unit=QUANTITIES[series.quantity].unit,
        meaning=meaning,
        is_chosen=meaning == kind,
        years=years,
        findings=findings,
    )


def _of_register(
    series: "ReadSeries", meaning: ValueMeaning, folder: "SiteFolder"
) -> tuple[tuple[YearOfFile, ...], tuple["Finding", ...]]:
    """Return consumption by year and findings of a register."""
    import numpy as np

    from analytics.counters.believed_register import believed_register
    from analytics.counters.consumption import consumption_between

    values = series.of_display() if meaning == "display" else series.values
    register = believed_register(
        np.frombuffer(series.times_ms, dtype=np.int64),
        np.frombuffer(values, dtype=np.float64),
        _devices(series, folder),
    )
    zone = folder.site.zone
    years, edges = _year_edges(series, folder)
    found = consumption_between(register, edges, zone=zone)
    unusual = _unusual(series, folder, lambda days: consumption_between(register, days, zone=zone))
    return _by_year(years, found.amount, found.bounded), _findings(
        series, (*register.findings, *unusual)
    )


def _of_intervals(
    series: "ReadSeries", _: ValueMeaning, folder: "SiteFolder"
) -> tuple[tuple[YearOfFile, ...], tuple["Finding", ...]]:
    """Return consumption by year and findings of intervals."""
    import numpy as np

    from analytics.counters.believed_register import believed_register
    from analytics.counters.consumption import consumption_between
    from analytics.counters.imported_consumption import ImportedConsumption
    from analytics.counters.interval_check import judge_intervals
    from ingest.importing.judging.interval_lengths import interval_lengths

    zone = folder.site.zone
    has_lengths = any(series.lengths_ms)  # readings of a register have no lengths
    lengths_ms = (
        series.lengths_ms if has_lengths else interval_lengths(series.times_ms, zone).lengths_ms
    )
    starts = np.frombuffer(series.times_ms, dtype=np.int64)
    lengths = np.frombuffer(lengths_ms, dtype=np.int64)
    values = np.frombuffer(series.values, dtype=np.float64)
    known = lengths > 0
    imported = ImportedConsumption(
        starts[known],
        (starts + lengths)[known],
        values[known],
        np.zeros(int(known.sum()), dtype=np.bool_),
    )
    devices = _devices(series, folder)
    judged = judge_intervals(imported.without_overlaps(), devices)
    nothing = believed_register(np.zeros(0, dtype=np.int64), np.zeros(0), devices)
    years, edges = _year_edges(series, folder)
    found = consumption_between(nothing, edges, judged.believed)
    unusual = _unusual(
        series, folder, lambda days: consumption_between(nothing, days, judged.believed)
    )
    return _by_year(years, found.amount, found.bounded), _findings(
        series, (*judged.findings, *unusual)
    )


def _unusual(
    series: "ReadSeries",
    folder: "SiteFolder",
    by_day: "Callable[[NDArray[np.int64]], Consumption]",
) -> "list[RegisterFinding]":
    """Return the findings about unusual days, by comparison with the other days of the file."""
    from analytics.counters.own_past.day_history import DayHistory
    from analytics.counters.own_past.past_comparison import compare_with_past
    from analytics.periods import edges_ms, local_day

    zone = folder.site.zone
    first, last = (local_day(series.times_ms[end], zone) for end in (0, -1))
    edges = edges_ms(first, last + timedelta(days=1), "day", zone)
    days = by_day(edges)
    history = DayHistory(edges, days.amount, days.coverage, days.spread_start)
    return compare_with_past(folder.site.meters[series.meter], history)


def _devices(series: "ReadSeries", folder: "SiteFolder") -> "MeterDevices":
    from analytics.counters.meter_devices import devices_of

    return devices_of(folder.site.meters[series.meter], folder.models, folder.site.zone)


def _findings(series: "ReadSeries", found: "Sequence[RegisterFinding]") -> "tuple[Finding, ...]":
    from analytics.counters.register_finding import merged_by_code
    from jieneng.metering.quantities import QUANTITIES

    unit = QUANTITIES[series.quantity].unit
    return tuple(one.shown(unit=unit) for one in merged_by_code(found))


def _year_edges(series: "ReadSeries", folder: "SiteFolder") -> "tuple[range, NDArray[np.int64]]":
    """Return (years of a series, edges).

    The edges are the starts of the years, and the end of the last [ms].
    """
    import numpy as np

    from analytics.periods import local_day, midnight_ms

    zone = folder.site.zone
    last_ms = max(series.times_ms[0], series.times_ms[-1] + series.lengths_ms[-1] - 1)
    years = range(local_day(series.times_ms[0], zone).year, local_day(last_ms, zone).year + 1)
    edges = [midnight_ms(date(year, 1, 1), zone) for year in (*years, years[-1] + 1)]
    return years, np.array(edges, dtype=np.int64)


def _by_year(
    years: range, amounts: "NDArray[np.float64]", coverage: "NDArray[np.float64]"
) -> tuple[YearOfFile, ...]:
    return tuple(
        YearOfFile(year, None if math.isnan(amount) else amount, share)
        for year, amount, share in zip(years, amounts.tolist(), coverage.tolist(), strict=True)
        if share > 0
    )


def reset_recognizer(times_ms: "array[int]", values: "array[float]", zone: ZoneInfo) -> str | None:
    """Return how often a register is reset to 0: daily, monthly or yearly; None if never.

    Args:
        times_ms: times of the readings [UTC, ms], ascending.
        values: the readings.
        zone: time zone of the register's days.
    """
    import numpy as np

    from analytics.counters.resets.reset_pattern import recognize_resets

    pattern = recognize_resets(
        np.frombuffer(times_ms, dtype=np.int64), np.frombuffer(values, dtype=np.float64), zone
    )
    return pattern.resets if pattern else None
