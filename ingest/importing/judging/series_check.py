"""Collect the values of a file by series, and judge them as a whole. Pure.

Laws:

1. A series has only one value for each time. If two rows have the same time, both lines are
   reported and neither row is written, because it is unknown which one is right. If one value of a
   row has a problem, the whole row is left out. Rows are left out before kind, intervals and side
   are checked.
2. A file is refused if a series looks like a register but is imported as intervals, or the other
   way round. It is also refused if day and month of its dates look swapped. `--sure` overrides
   both refusals.
3. Display values are multiplied by the ratio of the meter's transformers. If the options do not say
   whether the values are display values or primary values, that is reported as a problem.
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

#: Takes times [UTC, ms], readings and the time zone of a register. Returns how often the register
#: is reset to 0: "daily", "monthly" or "yearly"; None if it is not reset.
ResetRecognizer: TypeAlias = Callable[["array[int]", "array[float]", ZoneInfo], str | None]


class SeriesCheck:
    """Collects the values of a file by series, and judges them.

    Attributes:
        series: values by series. `judge` sorts them by time and removes those that are left out.
        ratios: transformer ratios of each series whose side is unknown: display or primary.
        of_other_kind: registers that look like intervals, and intervals that look like a register.

    Args:
        site: the site.
        models: meter models by id.
        zone: time zone of the file.
        problems: list to which problems are added.
        recognize_resets: recognises a register that is reset to 0 each day, month or year; None to
            recognise none.
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
        """Add a value of the file. A value of None is counted as missing."""
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
                    text="meter {meter}: the time goes backwards {jumps} times, first in lines "
                    "{lines}. Day and month look swapped: {written} probably means {meant}.",
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
        """Report intervals that look like a register, or a register that looks like intervals."""
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
        """Convert display values to primary values; report registers whose side is unknown."""
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
        text="meter {meter} has the same time in line {earlier} and in this line.",
        fix="Remove one of the two lines, or write both times with their UTC offset.",
        values={"meter": series.meter, "earlier": earlier},
        line=line,
    )


def _looks_like_register(series: ImportSeries, movement: Movement) -> Problem:
    return Problem(
        text="the {values} values of meter {meter} rise {rises} times and fall {falls} times: "
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
        text="the {values} values of meter {meter} fall {falls} times: they look like the "
        "consumption of intervals, not like a register.",
        fix="Add --kind interval, or correct the values; if it is a register, --sure.",
        values={"meter": series.meter, "falls": movement.falls, "values": movement.count},
    )


def _resets(series: ImportSeries, movement: Movement, resets: str) -> Problem:
    texts: Mapping[str, Msgid] = {
        "daily": "the register of meter {meter} is reset to 0 each day: it falls {falls} times in"
        " {values} values.",
        "monthly": "the register of meter {meter} is reset to 0 each month: it falls {falls} times"
        " in {values} values.",
        "yearly": "the register of meter {meter} is reset to 0 each year: it falls {falls} times"
        " in {values} values.",
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
        text="meter {meter} has transformers (ratio {ratios}), and its display may show"
        " values that are not multiplied by this ratio.",
        fix="Add --side display if the file contains the displayed values, or --side primary if"
        " they are already multiplied by the ratio.",
        values={"meter": series.meter, "ratios": f"{first:g}{changes}"},
    )
