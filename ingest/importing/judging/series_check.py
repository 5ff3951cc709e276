"""Judge the series of a file: repeated times, lengths of intervals, falling registers. Pure.

Laws:

1. A series has one value at a time. A repeated time is reported with both lines, and neither row is
   written: which of them is right is not known. Rows with problems are left out whole, before
   anything else is judged.
2. Intervals must not overlap, or consumption would be counted twice.
3. A counter that falls repeatedly is no register.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Final
from zoneinfo import ZoneInfo

from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries, ParsedValue
from ingest.importing.judging.calendar_steps import Step
from ingest.importing.judging.interval_lengths import interval_lengths
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.judging.series_values import SeriesValues
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import QUANTITIES

#: Greatest number of falls of a register, and greatest share of its values. A register falls at a
#: replacement or a misreading. A series that exceeds both is no register.
_MAX_FALLS: Final = 3
_MAX_FALLING_SHARE: Final = 0.05
#: Greatest overlap of intervals whose rows say both their ends [ms]: clocks jitter by seconds.
_JITTER_MS: Final = 60_000


class SeriesCheck:
    """Collects the values of a file by series, and judges them.

    Attributes:
        series: values by series; after `judge` in the order of time, without those left out.

    Args:
        zone: time zone of the file.
        problems: list for what is wrong.
    """

    def __init__(self, zone: ZoneInfo, problems: ProblemList) -> None:
        self._zone = zone
        self._problems = problems
        self.series: dict[ImportSeries, SeriesValues] = {}

    def add(self, line: int, parsed: ParsedValue) -> None:
        """Add a value, or a missing one."""
        series, time_ms, value, length_ms, is_estimated = parsed
        values = self.series.get(series)
        if values is None:
            values = self.series[series] = SeriesValues()
        if value is None:
            values.missing += 1
        else:
            values.add(line, time_ms, value, length_ms, estimated=is_estimated)

    def judge(self, options: ImportOptions) -> None:
        """Judge the series, when all values were added.

        Args:
            options: options of the import, with the kind of the values.
        """
        for series, values in self.series.items():
            values.sort()
            self._report_repeated(series, values)
        bad_lines = self._problems.lines
        for series, values in self.series.items():
            if bad_lines:
                lines = enumerate(values.lines)
                values.leave_out(place for place, line in lines if line in bad_lines)
            if not len(values):
                continue
            if options.kind == "interval":
                values.leave_out(self._set_lengths(series, values, options))
            else:
                self._check_register(series, values)

    def _report_repeated(self, series: ImportSeries, values: SeriesValues) -> None:
        """Report the values whose time is repeated."""
        for _, places in groupby(range(len(values)), values.times_ms.__getitem__):
            first, *others = places
            for other in others:
                lines = values.lines[other], values.lines[first]
                self._problems.add_of_rows(_repeated(series, *lines), *lines)

    def _set_lengths(
        self, series: ImportSeries, values: SeriesValues, options: ImportOptions
    ) -> list[int]:
        """Set the lengths of the intervals. Return the places of those without a right one."""
        at_end = options.stamp == "end"
        given = options.interval_s
        if not all(values.lengths_ms):
            found = interval_lengths(
                values.times_ms,
                self._zone,
                at_end=at_end,
                given=None if given is None else Step("ms", round(given * 1000)),
            )
            for place, told_ms in enumerate(values.lengths_ms):
                length_ms = told_ms or found.lengths_ms[place]
                values.lengths_ms[place] = length_ms
                if at_end and not told_ms:
                    values.times_ms[place] -= length_ms
        unknown = [place for place, length_ms in enumerate(values.lengths_ms) if not length_ms]
        if unknown:
            self._problems.add(_unknown_length(series, values.lines[unknown[0]]))
        return [*unknown, *self._overlapping(series, values)]

    def _overlapping(self, series: ImportSeries, values: SeriesValues) -> Iterator[int]:
        """Yield the places of intervals that overlap the next one; cut a jitter of clocks."""
        for place, after in pairwise(range(len(values))):
            length_ms = values.lengths_ms[place]
            free_ms = values.times_ms[after] - values.times_ms[place]
            if length_ms - free_ms > min(_JITTER_MS, length_ms // 10):
                self._problems.add(_overlapping(series, values, place, after))
                yield place
                yield after
            elif length_ms > free_ms:
                values.lengths_ms[place] = free_ms

    def _check_register(self, series: ImportSeries, values: SeriesValues) -> None:
        """Report a counter whose values fall too often for a register."""
        if QUANTITIES[series.quantity].kind != "counter":
            return
        falls = sum(later < earlier for earlier, later in pairwise(values.values))
        if falls > max(_MAX_FALLS, _MAX_FALLING_SHARE * len(values)):
            self._problems.add(
                Problem(
                    text="the values of meter {meter} fall {falls} times in {values}: they "
                    "look like the consumption of intervals, not like a register.",
                    fix="Add --kind interval, or correct the values.",
                    values={"meter": series.meter, "falls": falls, "values": len(values)},
                )
            )


def _repeated(series: ImportSeries, line: int, earlier: int) -> Problem:
    return Problem(
        text="the time of this line stands in line {earlier} too, for meter {meter}.",
        fix="Remove one of them, or write both with their offset.",
        values={"meter": series.meter, "earlier": earlier},
        line=line,
    )


def _unknown_length(series: ImportSeries, line: int) -> Problem:
    return Problem(
        text="the length of the intervals of meter {meter} can't be told from one value.",
        fix="Give it in seconds.",
        values={"meter": series.meter},
        line=line,
    )


def _overlapping(series: ImportSeries, values: SeriesValues, place: int, after: int) -> Problem:
    return Problem(
        text="values of meter {meter} are {step_s:g} s apart here, but their intervals are "
        "{interval_s:g} s long: they overlap.",
        fix="Give the length of the intervals in seconds, or correct the time.",
        values={
            "meter": series.meter,
            "step_s": (values.times_ms[after] - values.times_ms[place]) / 1000,
            "interval_s": values.lengths_ms[place] / 1000,
        },
        line=values.lines[after],
    )
