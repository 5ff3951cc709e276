"""What was seen of a file so far: series, steps between values, problems. Pure, and small.

Laws:

1. Intervals must not overlap, or energy is counted twice; so no step between two values of a series
   may be shorter than its interval.
2. A moment has one value: a time that stands twice is a problem that names both lines.
3. What falls again and again is no register.
"""

from collections import Counter
from typing import Final

import msgspec

from ingest.importing.row_parser import ImportOptions, Reading, Target
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import QUANTITIES

#: Problems that are kept; the rest are counted.
KEPT: Final = 100
#: Different steps that are told apart; a regular series has a few.
_STEPS: Final = 1000
#: Readings out of their order that are kept for comparison; a file with more is to be sorted.
_LATE: Final = 100_000
#: A register falls at a replacement or a misreading; more often, and so often, it is none.
_FALLS: Final = 3
_FALLING: Final = 0.05


class Problems:
    """Counts all, keeps the first ones, with the name of the file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.kept: list[Problem] = []
        self.count = 0

    def add(self, problem: Problem) -> None:
        """One more."""
        self.count += 1
        if len(self.kept) < KEPT:
            self.kept.append(msgspec.structs.replace(problem, file=self._file))


class SeriesTally:
    """What was seen of one quantity of one meter."""

    def __init__(self) -> None:
        self.values = 0
        self.missing = 0
        self.first_ms = 0
        self.last_ms = 0
        self.shortest_ms = 0  # 0: none seen
        self.shortest_line = 0
        self.falls = 0
        self.before_line = 0
        self._before_ms = 0
        self._before = 0.0
        self._steps: Counter[int] = Counter()

    def add(self, line: int, time_ms: int, value: float) -> bool:
        """One more value. False where its time is that of the value before it."""
        step_ms = abs(time_ms - self._before_ms) if self.values else None
        if step_ms == 0:
            return False
        if step_ms is not None:
            if step_ms in self._steps or len(self._steps) < _STEPS:
                self._steps[step_ms] += 1
            if not self.shortest_ms or step_ms < self.shortest_ms:
                self.shortest_ms, self.shortest_line = step_ms, line
        self.first_ms = min(time_ms, self.first_ms) if self.values else time_ms
        self.last_ms = max(time_ms, self.last_ms) if self.values else time_ms
        if self.values and (value < self._before) is (time_ms > self._before_ms):
            self.falls += value != self._before
        self._before_ms, self._before, self.before_line = time_ms, value, line
        self.values += 1
        return True

    def inside(self, time_ms: int) -> bool:
        """Whether a time lies among those seen, so that it may be one of them."""
        return self.values > 0 and self.first_ms <= time_ms <= self.last_ms

    @property
    def common_s(self) -> float | None:
        """The most common step [s]."""
        return self._steps.most_common(1)[0][0] / 1000 if self._steps else None


class Tally:
    """What was seen of a whole file."""

    def __init__(self, options: ImportOptions, problems: Problems) -> None:
        self._options = options
        self._problems = problems
        self.series: dict[Target, SeriesTally] = {}
        self._late: dict[tuple[Target, int], int] = {}

    def add(self, line: int, reading: Reading) -> None:
        """One more reading."""
        target, time_ms, value = reading
        series = self.series.get(target)
        if series is None:
            series = self.series[target] = SeriesTally()
        if value is None:
            series.missing += 1
            return
        late = series.inside(time_ms)
        if not series.add(line, time_ms, value):
            self._problems.add(_repeated(target, line, series.before_line))
        elif late:
            self._late_one(target, time_ms, line)

    def _late_one(self, target: Target, time_ms: int, line: int) -> None:
        earlier = self._late.setdefault((target, time_ms), line)
        if earlier != line:
            self._problems.add(_repeated(target, line, earlier))
        elif len(self._late) == _LATE:
            self._problems.add(_unsorted(target, line))

    @property
    def doubtful(self) -> bool:
        """Whether the file must be gone through again, with `compare`, for repeated times."""
        return bool(self._late)

    def compare(self, line: int, reading: Reading) -> None:
        """A reading of the second time through: whether a later line has its time again."""
        target, time_ms, value = reading
        late = self._late.get((target, time_ms))
        if late is not None and value is not None and line < late:
            self._problems.add(_repeated(target, late, line))

    def judge_registers(self) -> None:
        """Say which series can't be a register's, because they fall and fall."""
        for target, series in self.series.items():
            often = series.falls > max(_FALLS, _FALLING * series.values)
            if often and QUANTITIES[target.quantity].kind == "counter":
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

    def intervals(self) -> dict[Target, float]:
        """The length of each series' intervals [s]; what has none that holds is said."""
        found: dict[Target, float] = {}
        for target, series in self.series.items():
            if not series.values:
                continue
            interval_s = self._options.interval_s or series.common_s
            if interval_s is None:
                self._problems.add(_unknown(target))
            elif series.shortest_ms and series.shortest_ms < interval_s * 1000:
                self._problems.add(_overlapping(target, series, interval_s))
            else:
                found[target] = interval_s
        return found


def _repeated(target: Target, line: int, earlier: int) -> Problem:
    return Problem(
        text="the time of this line stands in line {earlier} too, for meter {meter}.",
        fix="Remove one of them, or write both with their offset.",
        values={"meter": target.meter, "earlier": earlier},
        line=line,
    )


def _unsorted(target: Target, line: int) -> Problem:
    return Problem(
        text="too many lines of meter {meter} are not in the order of time.",
        fix="Sort the file by time.",
        values={"meter": target.meter},
        line=line,
    )


def _unknown(target: Target) -> Problem:
    return Problem(
        text="the length of the intervals of meter {meter} can't be told from one value.",
        fix="Give it in seconds.",
        values={"meter": target.meter},
    )


def _overlapping(target: Target, series: SeriesTally, interval_s: float) -> Problem:
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
