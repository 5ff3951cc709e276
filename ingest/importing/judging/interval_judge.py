"""Judge the intervals of a series: their lengths, overlaps, stamps and zeros. Pure.

Laws:

1. Intervals that overlap are reported and left out: their consumption would be counted twice.
2. An overlap of at most a minute, and of at most a tenth of the interval, is clock jitter. The
   earlier interval is cut where the later one begins.
3. If rows give the first and the last day of an interval, the last day is part of the interval.
   Such intervals look one day too short, and are lengthened.
4. Times such as 23:59:59 and 23:59 are the ends of intervals, a second or a minute early.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median_low
from typing import Final
from zoneinfo import ZoneInfo

from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries
from ingest.importing.judging.calendar_steps import DAY_MS, Step
from ingest.importing.judging.end_stamps import are_month_ends, before_end_ms, look_like_ends
from ingest.importing.judging.interval_lengths import interval_lengths
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.judging.series_values import SeriesValues
from ingest.importing.judging.zero_stretches import doubtful_zeros
from jieneng.metering.errors import Problem

#: Largest overlap that is taken for clock jitter [ms].
_JITTER_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
#: Law 3 applies if at least this share of the intervals is one day shorter than the time to the
#: next interval.
_LAST_DAYS: Final = 0.5
#: Interval lengths by their name in `--interval`.
_NAMED: Final = {
    "hour": Step("ms", _HOUR_MS),
    "day": Step("day", 1),
    "week": Step("day", 7),
    "month": Step("month", 1),
    "quarter": Step("month", 3),
    "year": Step("month", 12),
}


class IntervalJudge:
    """Judges the intervals of the series of a file.

    Args:
        options: options of the import.
        zone: time zone of the file.
        problems: list to which problems are added.
    """

    def __init__(self, options: ImportOptions, zone: ZoneInfo, problems: ProblemList) -> None:
        self._options = options
        self._zone = zone
        self._problems = problems

    def judge(self, series: ImportSeries, values: SeriesValues) -> None:
        """Set the lengths of the intervals of a series.

        Intervals that overlap, or whose length is unknown, are reported and left out.

        Args:
            series: the series.
            values: its values in order of time, at least one; changed in place.
        """
        at_end = self._options.stamp == "end" or self._has_last_instants(values)
        self._check_month_ends(series, values)
        if all(values.lengths_ms):
            _include_last_days(values)
        else:
            self._set_lengths(values, at_end=at_end)
        unknown = [place for place, length_ms in enumerate(values.lengths_ms) if not length_ms]
        if unknown:
            self._problems.add(_unknown_length(series, values.lines[unknown[0]]))
        values.leave_out([*unknown, *self._overlapping(series, values)])
        if len(values):
            self._doubt_stamps(series, values)
            self._doubt_zeros(series, values)

    def _has_last_instants(self, values: SeriesValues) -> bool:
        """Move times like 23:59:59 to the ends of their intervals; return True if it did."""
        if self._options.stamp == "start" or any(values.lengths_ms):
            return False
        early_ms = before_end_ms([*values.times_ms, *values.missing_ms])
        if early_ms:
            for times_ms in (values.times_ms, values.missing_ms):
                times_ms[:] = array("q", [time_ms + early_ms for time_ms in times_ms])
        return early_ms > 0

    def _set_lengths(self, values: SeriesValues, *, at_end: bool) -> None:
        rows_ms = _rows(values)
        found = interval_lengths(rows_ms, self._zone, at_end=at_end, given=self._given_step())
        length_at = dict(zip(rows_ms, found.lengths_ms, strict=True))
        for place, told_ms in enumerate(values.lengths_ms):
            length_ms = told_ms or length_at[values.times_ms[place]]
            values.lengths_ms[place] = length_ms
            if at_end and not told_ms:
                values.times_ms[place] -= length_ms

    def _check_month_ends(self, series: ImportSeries, values: SeriesValues) -> None:
        """Include the last days of months with `--stamp end`; without `--stamp`, ask for it."""
        if self._options.stamp == "start" or any(values.lengths_ms):
            return
        if not are_month_ends(values, self._zone):
            return
        if self._options.stamp == "end":
            for times_ms in (values.times_ms, values.missing_ms):
                times_ms[:] = array("q", [time_ms + DAY_MS for time_ms in times_ms])
            return
        self._problems.add(
            Problem(
                text="meter {meter}: the times are the last days of months.",
                fix="If each is the end of its month, add --stamp end; if its interval begins on"
                " this day, add --stamp start.",
                values={"meter": series.meter},
                line=values.lines[0],
            )
        )

    def _given_step(self) -> Step | None:
        if self._options.interval is not None:
            return _NAMED[self._options.interval]
        length_s = self._options.interval_s
        return None if length_s is None else Step("ms", round(length_s * 1000))

    def _overlapping(self, series: ImportSeries, values: SeriesValues) -> Iterator[int]:
        """Report overlaps and yield the places of both intervals; cut clock jitter (law 2)."""
        for place, after in pairwise(range(len(values))):
            length_ms = values.lengths_ms[place]
            free_ms = values.times_ms[after] - values.times_ms[place]
            if length_ms - free_ms > min(_JITTER_MS, length_ms // 10):
                self._problems.add(_overlapping(series, values, place, after))
                yield place
                yield after
            elif length_ms > free_ms:
                values.lengths_ms[place] = free_ms

    def _doubt_stamps(self, series: ImportSeries, values: SeriesValues) -> None:
        if self._options.stamp is None and look_like_ends(values, self._zone):
            self._problems.doubt(
                Problem(
                    text="meter {meter}: the times look like the ends of the intervals, not like "
                    "their starts.",
                    fix="If they are, add --stamp end; if not, --stamp start.",
                    values={"meter": series.meter},
                    line=values.lines[0],
                )
            )

    def _doubt_zeros(self, series: ImportSeries, values: SeriesValues) -> None:
        zeros = doubtful_zeros(values, self._zone)
        if zeros is not None:
            self._problems.doubt(
                Problem(
                    text="meter {meter}: the values are 0 for {hours:.0f} hours in a row, which "
                    "does not occur in any other year.",
                    fix="If nothing was read then, add --missing 0.",
                    values={"meter": series.meter, "hours": zeros.hours},
                    line=zeros.line,
                )
            )


def _rows(values: SeriesValues) -> Sequence[int]:
    """Return the times at which intervals of a series begin or, with end stamps, end.

    The time of a missing value is one of them: the interval before it must not reach past it. There
    is one exception: a file may have rows every 15 minutes, and a series with a value every hour.
    The empty cells between its values are no missing values, so they are left out.
    """
    own = values.times_ms
    rows = sorted({*own, *values.missing_ms})
    if len(own) < 2 or len(rows) == len(own):
        return own
    is_coarser = _usual_step(own) > _usual_step(rows)
    return own if is_coarser else rows


def _usual_step(times_ms: Sequence[int]) -> int:
    return median_low(after - before for before, after in pairwise(times_ms))


def _include_last_days(values: SeriesValues) -> None:
    """Add the last day to each interval if the rows give first and last days (law 3)."""
    gaps = [
        values.times_ms[after] - values.times_ms[place] - values.lengths_ms[place]
        for place, after in pairwise(range(len(values)))
    ]
    days = sum(abs(gap_ms - DAY_MS) <= _HOUR_MS for gap_ms in gaps)
    if not days or days < _LAST_DAYS * len(gaps) or min(values.lengths_ms) < DAY_MS:
        return
    for place in range(len(values)):
        free_ms = gaps[place] if place < len(gaps) else DAY_MS
        if free_ms >= DAY_MS - _HOUR_MS:
            values.lengths_ms[place] += min(free_ms, DAY_MS)


def _unknown_length(series: ImportSeries, line: int) -> Problem:
    return Problem(
        text="the interval length of meter {meter} can't be derived from the times.",
        fix="Add the interval length: --interval month, or --interval-s with seconds.",
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
