"""Check the series of a file: steps between values, repeated times, falling registers. Pure.

Laws:

1. Intervals must not overlap, or consumption would be counted twice. So no step between two values
   of a series may be shorter than its interval.
2. A series has one value at a time. A repeated time is reported with both lines.
3. A series that falls repeatedly is no register.
4. Memory does not grow with the file.
"""

from collections import Counter
from typing import Final

import msgspec

from ingest.importing.forms.row_parser import ImportOptions, ImportSeries, ParsedValue
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import QUANTITIES

#: Number of problems that are listed. The others are only counted.
MAX_LISTED: Final = 100
#: Number of different steps that are counted. A regular series has a few.
_MAX_STEPS: Final = 1000
#: Number of values out of order that are remembered. A file with more must be sorted.
_MAX_OUT_OF_ORDER: Final = 100_000
#: Greatest number of falls of a register, and greatest share of its values. A register falls at a
#: replacement or a misreading. A series that exceeds both is no register.
_MAX_FALLS: Final = 3
_MAX_FALLING_SHARE: Final = 0.05


class ProblemList:
    """The first problems of a file, with its name, and the count of all.

    Attributes:
        listed: the first `MAX_LISTED` problems.
        count: number of all problems.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.listed: list[Problem] = []
        self.count = 0

    def add(self, problem: Problem) -> None:
        """Add a problem."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(msgspec.structs.replace(problem, file=self._file))


class SeriesStatistics:
    """Statistics of the values of one quantity of one meter.

    Attributes:
        values: number of values.
        missing: number of missing cells.
        first_ms: earliest time, UTC.
        last_ms: latest time, UTC.
        shortest_ms: shortest step between two consecutive values; 0 without a step.
        shortest_line: line at the end of the shortest step.
        falls: number of values below the one before.
        previous_line: line of the latest value.
    """

    def __init__(self) -> None:
        self.values = 0
        self.missing = 0
        self.first_ms = 0
        self.last_ms = 0
        self.shortest_ms = 0
        self.shortest_line = 0
        self.falls = 0
        self.previous_line = 0
        self._previous_ms = 0
        self._previous = 0.0
        self._steps: Counter[int] = Counter()

    def add(self, line: int, time_ms: int, value: float) -> bool:
        """Add a value. Leave it out and return False if its time is that of the value before."""
        step_ms = abs(time_ms - self._previous_ms) if self.values else None
        if step_ms == 0:
            return False
        if step_ms is not None:
            if step_ms in self._steps or len(self._steps) < _MAX_STEPS:
                self._steps[step_ms] += 1
            if not self.shortest_ms or step_ms < self.shortest_ms:
                self.shortest_ms, self.shortest_line = step_ms, line
        self.first_ms = min(time_ms, self.first_ms) if self.values else time_ms
        self.last_ms = max(time_ms, self.last_ms) if self.values else time_ms
        if self.values and (value < self._previous) is (time_ms > self._previous_ms):
            self.falls += value != self._previous
        self._previous_ms, self._previous, self.previous_line = time_ms, value, line
        self.values += 1
        return True

    def contains(self, time_ms: int) -> bool:
        """Return True if a time lies between the first and last one, so that it may be repeated."""
        return self.values > 0 and self.first_ms <= time_ms <= self.last_ms

    @property
    def most_common_step_s(self) -> float | None:
        """Most common step [s]; None without two values."""
        return self._steps.most_common(1)[0][0] / 1000 if self._steps else None


class SeriesCheck:
    """Checks all series of one file.

    Attributes:
        series: statistics by series.
    """

    def __init__(self, options: ImportOptions, problems: ProblemList) -> None:
        self._options = options
        self._problems = problems
        self.series: dict[ImportSeries, SeriesStatistics] = {}
        self._out_of_order: dict[tuple[ImportSeries, int], int] = {}

    def add(self, line: int, parsed: ParsedValue) -> None:
        """Add a value, or a missing one."""
        series, time_ms, value = parsed
        statistics = self.series.get(series)
        if statistics is None:
            statistics = self.series[series] = SeriesStatistics()
        if value is None:
            statistics.missing += 1
            return
        out_of_order = statistics.contains(time_ms)
        if not statistics.add(line, time_ms, value):
            self._problems.add(_repeated(series, line, statistics.previous_line))
        elif out_of_order:
            self._add_out_of_order(series, time_ms, line)

    def _add_out_of_order(self, series: ImportSeries, time_ms: int, line: int) -> None:
        earlier = self._out_of_order.setdefault((series, time_ms), line)
        if earlier != line:
            self._problems.add(_repeated(series, line, earlier))
        elif len(self._out_of_order) == _MAX_OUT_OF_ORDER:
            self._problems.add(_unsorted(series, line))

    @property
    def needs_second_pass(self) -> bool:
        """True if the file must be read again, with `check_repeated`, to find repeated times."""
        return bool(self._out_of_order)

    def check_repeated(self, line: int, parsed: ParsedValue) -> None:
        """Report a value of the second pass whose time a later line repeats."""
        series, time_ms, value = parsed
        later_line = self._out_of_order.get((series, time_ms))
        if later_line is not None and value is not None and line < later_line:
            self._problems.add(_repeated(series, later_line, line))

    def check_registers(self) -> None:
        """Report counters whose values fall too often for a register."""
        for series, statistics in self.series.items():
            falls_often = statistics.falls > max(_MAX_FALLS, _MAX_FALLING_SHARE * statistics.values)
            if falls_often and QUANTITIES[series.quantity].kind == "counter":
                self._problems.add(
                    Problem(
                        text="the values of meter {meter} fall {falls} times in {values}: they "
                        "look like the consumption of intervals, not like a register.",
                        fix="Add --kind interval, or correct the values.",
                        values={
                            "meter": series.meter,
                            "falls": statistics.falls,
                            "values": statistics.values,
                        },
                    )
                )

    def intervals(self) -> dict[ImportSeries, float]:
        """Return the interval length [s] of each series; report series whose length is unknown."""
        found: dict[ImportSeries, float] = {}
        for series, statistics in self.series.items():
            if not statistics.values:
                continue
            interval_s = self._options.interval_s or statistics.most_common_step_s
            if interval_s is None:
                self._problems.add(_unknown_length(series))
            elif statistics.shortest_ms and statistics.shortest_ms < interval_s * 1000:
                self._problems.add(_overlapping(series, statistics, interval_s))
            else:
                found[series] = interval_s
        return found


def _repeated(series: ImportSeries, line: int, earlier: int) -> Problem:
    return Problem(
        text="the time of this line stands in line {earlier} too, for meter {meter}.",
        fix="Remove one of them, or write both with their offset.",
        values={"meter": series.meter, "earlier": earlier},
        line=line,
    )


def _unsorted(series: ImportSeries, line: int) -> Problem:
    return Problem(
        text="too many lines of meter {meter} are not in the order of time.",
        fix="Sort the file by time.",
        values={"meter": series.meter},
        line=line,
    )


def _unknown_length(series: ImportSeries) -> Problem:
    return Problem(
        text="the length of the intervals of meter {meter} can't be told from one value.",
        fix="Give it in seconds.",
        values={"meter": series.meter},
    )


def _overlapping(series: ImportSeries, statistics: SeriesStatistics, interval_s: float) -> Problem:
    return Problem(
        text="values of meter {meter} are {step_s:g} s apart here, but their intervals are "
        "{interval_s:g} s long: they overlap.",
        fix="Give the length of the intervals in seconds, or correct the time.",
        values={
            "meter": series.meter,
            "step_s": statistics.shortest_ms / 1000,
            "interval_s": interval_s,
        },
        line=statistics.shortest_line,
    )
