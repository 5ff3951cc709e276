"""What was seen of a file so far: series, steps between values, problems. Pure, and small.

Law: intervals must not overlap, or energy is counted twice; so no step between two values of a
series may be shorter than its interval.
"""

from collections import Counter
from typing import Final

import msgspec

from ingest.table import ImportOptions, Reading, Target
from jieneng.metering.errors import Problem

#: Problems that are kept; the rest are counted.
KEPT: Final = 100
#: Different steps that are told apart; a regular series has a few.
_STEPS: Final = 1000


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
        self._before_ms = 0
        self._steps: Counter[int] = Counter()

    def add(self, line: int, time_ms: int) -> bool:
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
        self._before_ms = time_ms
        self.values += 1
        return True

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

    def add(self, line: int, reading: Reading) -> None:
        """One more reading."""
        target, time_ms, value = reading
        series = self.series.get(target)
        if series is None:
            series = self.series[target] = SeriesTally()
        if value is None:
            series.missing += 1
        elif not series.add(line, time_ms):
            self._problems.add(
                Problem(
                    text="the time of this line stands in the line before too, for meter {meter}.",
                    mend="Remove one of them, or write both with their offset.",
                    values={"meter": target.meter},
                    line=line,
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


def _unknown(target: Target) -> Problem:
    return Problem(
        text="the length of the intervals of meter {meter} can't be told from one value.",
        mend="Give it in seconds.",
        values={"meter": target.meter},
    )


def _overlapping(target: Target, series: SeriesTally, interval_s: float) -> Problem:
    return Problem(
        text="values of meter {meter} are {step_s:g} s apart here, but their intervals are "
        "{interval_s:g} s long: they overlap.",
        mend="Give the length of the intervals in seconds, or correct the time.",
        values={
            "meter": target.meter,
            "step_s": series.shortest_ms / 1000,
            "interval_s": interval_s,
        },
        line=series.shortest_line,
    )
