"""Collect the values of a file by series, and judge them as a whole. Pure.

Laws:

1. A series has one value at a time. A repeated time is reported with both lines, and neither row is
   written: which of them is right is not known. Rows with problems are left out whole, before
   anything else is judged.
2. A series that looks like another kind than the one it is read as is refused, and so are dates
   that look swapped, unless a person says that the file is right.
3. Values of a display are multiplied by the ratio of the meter's transformers. Which side a file
   has is asked for.
"""

from array import array
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import TypeAlias
from zoneinfo import ZoneInfo

from ingest.importing.cells.local_days import local_time
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries, ParsedValue
from ingest.importing.judging.display_side import Ratios, ratios_of, to_primary
from ingest.importing.judging.interval_judge import IntervalJudge
from ingest.importing.judging.kind_check import Movement
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.judging.series_values import SeriesValues
from ingest.importing.judging.swapped_dates import find_swapped_dates
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import Site

#: Times [UTC, ms] and readings of a register, and the zone of its days -> daily, monthly or yearly;
#: None if it does not begin again at 0.
ResetRecognizer: TypeAlias = Callable[["array[int]", "array[float]", ZoneInfo], str | None]


class SeriesCheck:
    """Collects the values of a file by series, and judges them.

    Attributes:
        series: values by series; after `judge` in the order of time, without those left out.
        ratios: ratios of each series of which nobody said whether it is that of a display.
        of_other_kind: series that look like another kind than they are read as.

    Args:
        site: the site.
        models: meter models by id.
        zone: time zone of the file.
        problems: list for what is wrong.
        recognize_resets: recognises a register that begins again at 0 each day, month or year;
            None to recognise none.
    """

    def __init__(
        self,
        site: Site,
        models: Mapping[str, Model],
        zone: ZoneInfo,
        problems: ProblemList,
        recognize_resets: ResetRecognizer | None,
    ) -> None:
        self._site = site
        self._models = models
        self._zone = zone
        self._problems = problems
        self._recognize = recognize_resets
        self.series: dict[ImportSeries, SeriesValues] = {}
        self.ratios: dict[ImportSeries, Ratios] = {}
        self.of_other_kind: set[ImportSeries] = set()

    def add(self, line: int, parsed: ParsedValue) -> None:
        """Add a value, or a missing one."""
        series, time_ms, value, length_ms, is_estimated = parsed
        values = self.series.get(series)
        if values is None:
            values = self.series[series] = SeriesValues()
        if value is None:
            values.missing_ms.append(time_ms)
        else:
            values.add(line, time_ms, value, length_ms, estimated=is_estimated)

    def judge(self, options: ImportOptions) -> None:
        """Judge the series, when all values were added.

        Args:
            options: options of the import, with the kind of the values.
        """
        self._check_dates(options)
        for series, values in self.series.items():
            values.sort()
            self._report_repeated(series, values)
        bad_lines = self._problems.lines
        intervals = IntervalJudge(options, self._zone, self._problems)
        for series, values in self.series.items():
            if bad_lines:
                lines = enumerate(values.lines)
                values.leave_out(place for place, line in lines if line in bad_lines)
            if len(values):
                self._check_kind(series, values, options)
            if len(values) and options.kind == "interval":
                intervals.judge(series, values)
            if len(values):
                self._check_side(series, values, options)

    def _check_dates(self, options: ImportOptions) -> None:
        """Report dates whose day and month look swapped, once for the file."""
        if options.swap_days or options.date_order is not None:
            return
        for series, values in self.series.items():
            swapped = find_swapped_dates(values.times_ms, values.lines, self._zone)
            if swapped is None:
                continue
            self._problems.judge(
                Problem(
                    text="meter {meter}: {jumps} times the time jumps against the order of the "
                    "lines, first in lines {lines}. Day and month look swapped: {written} is "
                    "meant to be {meant}.",
                    fix="Add --date-order ydm to swap them where the day is 12 or less; if the "
                    "dates are right, --date-order ymd.",
                    values={
                        "meter": series.meter,
                        "jumps": swapped.jumps,
                        "lines": ", ".join(map(str, swapped.lines)),
                        "written": swapped.written,
                        "meant": swapped.meant,
                    },
                    line=swapped.lines[0],
                ),
                is_sure=options.sure,
            )
            return

    def _report_repeated(self, series: ImportSeries, values: SeriesValues) -> None:
        """Report the values whose time is repeated."""
        for _, places in groupby(range(len(values)), values.times_ms.__getitem__):
            first, *others = places
            for other in others:
                lines = values.lines[other], values.lines[first]
                self._problems.add_of_rows(_repeated(series, *lines), *lines)

    def _check_kind(
        self, series: ImportSeries, values: SeriesValues, options: ImportOptions
    ) -> None:
        """Report a counter's values that look like another kind than they are read as."""
        if QUANTITIES[series.quantity].kind != "counter":
            return
        movement = Movement.of(values.values)
        if options.kind == "interval":
            if movement.is_register:
                self.of_other_kind.add(series)
                self._problems.judge(
                    _looks_like_register(series, movement),
                    is_sure=options.sure or not movement.is_certain,
                )
            return
        problem = self._problem_of_register(series, values, movement)
        if problem is not None:
            self._problems.judge(problem, is_sure=options.sure)

    def _problem_of_register(
        self, series: ImportSeries, values: SeriesValues, movement: Movement
    ) -> Problem | None:
        """Return what is wrong with the values of a register; None if nothing is."""
        if self._site.meters[series.meter].resets is not None:
            return None
        if movement.falls and self._recognize is not None:
            resets = self._recognize(values.times_ms, values.values, self._site.zone)
            if resets is not None:
                return _resets(series, movement, resets)
        if not movement.is_no_register:
            return None
        self.of_other_kind.add(series)
        return _looks_like_intervals(series, movement)

    def _check_side(
        self, series: ImportSeries, values: SeriesValues, options: ImportOptions
    ) -> None:
        """Convert values of a display; report registers of which nobody said the side."""
        meter = self._site.meters[series.meter]
        ratios = ratios_of(meter, series.quantity, self._models, self._site.zone)
        if not ratios or options.side == "primary":
            return
        if options.side == "display":
            values.values = to_primary(values.times_ms, values.values, ratios)
        elif options.kind != "interval":
            self.ratios[series] = ratios
            self._problems.add(_unknown_side(series, ratios, self._site.zone))


def _repeated(series: ImportSeries, line: int, earlier: int) -> Problem:
    return Problem(
        text="the time of this line stands in line {earlier} too, for meter {meter}.",
        fix="Remove one of them, or write both with their offset.",
        values={"meter": series.meter, "earlier": earlier},
        line=line,
    )


def _looks_like_register(series: ImportSeries, movement: Movement) -> Problem:
    return Problem(
        text="the values of meter {meter} rise {rises} times in {values} and fall {falls} times: "
        "they look like a register, not like the consumption of intervals.",
        fix="Add --kind register; if they are amounts, --sure.",
        values={
            "meter": series.meter,
            "rises": movement.rises,
            "falls": movement.falls,
            "values": movement.count,
        },
    )


def _looks_like_intervals(series: ImportSeries, movement: Movement) -> Problem:
    return Problem(
        text="the values of meter {meter} fall {falls} times in {values}: they look like the "
        "consumption of intervals, not like a register.",
        fix="Add --kind interval, or correct the values; if it is a register, --sure.",
        values={"meter": series.meter, "falls": movement.falls, "values": movement.count},
    )


def _resets(series: ImportSeries, movement: Movement, resets: str) -> Problem:
    texts: Mapping[str, Msgid] = {
        "daily": "the register of meter {meter} begins again at 0 each day: it falls {falls} times "
        "in {values} values.",
        "monthly": "the register of meter {meter} begins again at 0 each month: it falls {falls} "
        "times in {values} values.",
        "yearly": "the register of meter {meter} begins again at 0 each year: it falls {falls} "
        "times in {values} values.",
    }
    return Problem(
        text=texts[resets],
        fix='Write resets = "{resets}" at this meter in site.toml, and import the file again.',
        values={
            "meter": series.meter,
            "resets": resets,
            "falls": movement.falls,
            "values": movement.count,
        },
    )


def _unknown_side(series: ImportSeries, ratios: Ratios, zone: ZoneInfo) -> Problem:
    (_, first), *others = ratios
    changes = "".join(
        f", {local_time(since_ms, zone):%Y-%m-%d}: {ratio:g}" for since_ms, ratio in others
    )
    return Problem(
        text="meter {meter} has transformers (ratio {ratios}): what its display shows is less than "
        "what flows.",
        fix="Say which the file has: --side display for what the meter showed, --side primary for "
        "values that were multiplied by the ratio.",
        values={"meter": series.meter, "ratios": f"{first:g}{changes}"},
    )
