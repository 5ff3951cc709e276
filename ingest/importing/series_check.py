"""Check the series of a file: steps between values, repeated times, falling registers. Pure.

Laws:

1. Intervals must not overlap, or energy is counted twice. So no step between two values of a series
   may be shorter than its interval.
2. A time has one value in a series. A repeated time is a problem that names both lines.
3. A series that falls again and again is no register.
4. Memory does not grow with the file.
"""

from collections import Counter
from typing import Final

import msgspec

from ingest.importing.row_parser import ImportOptions, ImportSeries, ParsedValue
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import QUANTITIES

#: Problems that are listed; the others are only counted.
MAX_LISTED: Final = 100
#: Different steps that are counted; a regular series has a few.
_MAX_STEPS: Final = 1000
#: Values out of order that are remembered; a file with more must be sorted.
_MAX_OUT_OF_ORDER: Final = 100_000
#: A register falls at a replacement or a misreading. A series that falls more often than both
#: this number of times and this share of its values is no register.
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
        shortest_ms: shortest step between two values in a row; 0 if there is none.
        shortest_line: line at its end.
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
        """Add a value. Return False, and leave it out, if its time is that of the value before."""
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
        """Return True if a time lies within those added, so that it may repeat one of them."""
        return self.values > 0 and self.first_ms <= time_ms <= self.last_ms

    @property
    def most_common_step_s(self) -> float | None:
        """The most common step [s]; None without two values."""
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
        target, time_ms, value = parsed
        series = self.series.get(target)
        if series is None:
            series = self.series[target] = SeriesStatistics()
        if value is None:
            series.missing += 1
            return
        out_of_order = series.contains(time_ms)
        if not series.add(line, time_ms, value):
            self._problems.add(_repeated(target, line, series.previous_line))
        elif out_of_order:
            self._add_out_of_order(target, time_ms, line)

    def _add_out_of_order(self, target: ImportSeries, time_ms: int, line: int) -> None:
        earlier = self._out_of_order.setdefault((target, time_ms), line)
        if earlier != line:
            self._problems.add(_repeated(target, line, earlier))
        elif len(self._out_of_order) == _MAX_OUT_OF_ORDER:
            self._problems.add(_unsorted(target, line))

    @property
    def needs_second_pass(self) -> bool:
        """True if the file must be read again, with `check_repeated`, to find repeated times."""
        return bool(self._out_of_order)

    def check_repeated(self, line: int, parsed: ParsedValue) -> None:
        """Report a value of the second pass whose time a later line repeats."""
        target, time_ms, value = parsed
        later_line = self._out_of_order.get((target, time_ms))
        if later_line is not None and value is not None and line < later_line:
            self._problems.add(_repeated(target, later_line, line))

    def check_registers(self) -> None:
        """Report counters whose values fall too often for a register."""
        for target, series in self.series.items():
            falls_often = series.falls > max(_MAX_FALLS, _MAX_FALLING_SHARE * series.values)
            if falls_often and QUANTITIES[target.quantity].kind == "counter":
                self._problems.add(
                    Problem(
                        text="the values of meter {meter} fall {falls} times in {values}: they "
                        "look like the consumption of intervals, not like a register.",
                        fix="Add --kind interval, or correct the values.",
                        values={
                            "meter": target.meter,
                            "falls": series.falls,
                            "values": series.values,
                        },
                    )
                )

    def intervals(self) -> dict[ImportSeries, float]:
        """Return the length of each series' intervals [s]; report series without a known length."""
        found: dict[ImportSeries, float] = {}
        for target, series in self.series.items():
            if not series.values:
                continue
            interval_s = self._options.interval_s or series.most_common_step_s
            if interval_s is None:
                self._problems.add(_unknown_length(target))
            elif series.shortest_ms and series.shortest_ms < interval_s * 1000:
                self._problems.add(_overlapping(target, series, interval_s))
            else:
                found[target] = interval_s
        return found


def _repeated(target: ImportSeries, line: int, earlier: int) -> Problem:
    return Problem(
        text="the time of this line stands in line {earlier} too, for meter {meter}.",
        fix="Remove one of them, or write both with their offset.",
        values={"meter": target.meter, "earlier": earlier},
        line=line,
    )


def _unsorted(target: ImportSeries, line: int) -> Problem:
    return Problem(
        text="too many lines of meter {meter} are not in the order of time.",
        fix="Sort the file by time.",
        values={"meter": target.meter},
        line=line,
    )


def _unknown_length(target: ImportSeries) -> Problem:
    return Problem(
        text="the length of the intervals of meter {meter} can't be told from one value.",
        fix="Give it in seconds.",
        values={"meter": target.meter},
    )


def _overlapping(target: ImportSeries, series: SeriesStatistics, interval_s: float) -> Problem:
    return Problem(
        text="values of meter {meter} are {step_s:g} s apart here, but their intervals are "
        "{interval_s:g} s long: they overlap.",
        fix="Give the length of the intervals in seconds, or correct the time.",
        values={
            "meter": target.meter,
            "step_s": series.shortest_ms / 1000,
            "interval_s": interval_s,
        },
        line=series.shortest_line,
    )
