"""Summarise the alerts that a rule would have given, and the data that were available. Pure.

Law: a summary contains the share of the time for which the signal is known. If a rule did not fire
in a month without readings, the summary must not suggest that the rule never fires.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.alerts.alert import Alert, Event, SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.replay.rule_replay import Replayed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HOURS: Final = 24


class SubjectSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of the alerts that a rule would have given about a subject.

    Attributes:
        subject: id of the subject.
        fires: number of times that the alert fired.
        firing_s: time for which it fired [s].
        longest_s: longest time for which it fired without interruption [s].
        peak: value farthest beyond the limit, or nearest to the limit if the alert never fired.
            None if no value is known.
        known: share of the watched time for which the signal is known, 0 to 1; None if no time is
            watched.
    """

    subject: str
    fires: int
    firing_s: float
    longest_s: float
    peak: float | None
    known: float | None


class ReplaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of the alerts that a rule would have given in a time.

    Attributes:
        rule: the rule.
        start_ms: start of the time [UTC, ms].
        end_ms: end of the time [UTC, ms].
        fires: number of times that an alert fired.
        firing: share of the time for which at least one alert fired, 0 to 1.
        known: share of the watched time for which the signal is known, all subjects together.
        known_from_ms: time of the first known value [UTC, ms]; None without any.
        known_to_ms: time of the last known value [UTC, ms]; None without any.
        notices: number of notices by event.
        is_cut: True if there would have been more notices than were counted.
        busiest_day: local day with most notices; None without any.
        busiest: number of notices on that day.
        by_hour: number of firings in each local hour of the day.
        subjects: the subjects, ordered by the number of firings, greatest first.
    """

    rule: AlertRule
    start_ms: int
    end_ms: int
    fires: int
    firing: float
    known: float | None
    known_from_ms: int | None
    known_to_ms: int | None
    notices: Mapping[Event, int]
    is_cut: bool
    busiest_day: str | None
    busiest: int
    by_hour: tuple[int, ...]
    subjects: tuple[SubjectSummary, ...]

    @property
    def messages(self) -> int:
        """Number of notices."""
        return sum(self.notices.values())


class KnownValues:
    """Counter of the known values of a signal over a replay, and its extreme values.

    Args:
        subjects: subjects of the rule.
        is_above: True to keep the greatest values, False for the least.
        steps: number of steps of the replayed time at which the rule is evaluated; None for signals
            of hours, days and indicators, whose values are counted.
    """

    def __init__(
        self, subjects: Sequence[str], *, is_above: bool, steps: int | None = None
    ) -> None:
        self._is_above = is_above
        self._steps = steps
        self._seen: Counter[str] = Counter()
        self.known: Counter[str] = Counter(dict.fromkeys(subjects, 0))
        self.extremes: dict[str, float] = {}
        self.first_ms: int | None = None
        self.last_ms: int | None = None

    def take(self, values: SignalValues, is_watched: "NDArray[np.bool_]") -> None:
        """Count the steps of a chunk.

        Args:
            values: the values.
            is_watched: True for the steps at which the rule is evaluated, shape (n,).
        """
        is_known = ~np.isnan(values.values)
        farthest = np.fmax.reduce if self._is_above else np.fmin.reduce
        blank = -np.inf if self._is_above else np.inf
        found = farthest(values.values, axis=1, initial=blank)
        for row, subject in enumerate(values.subjects):
            self.known[subject] += int(is_known[row].sum())
            self._seen[subject] += int((is_watched | is_known[row]).sum())
            if np.isfinite(found[row]):
                other = self.extremes.get(subject, float(found[row]))
                self.extremes[subject] = (max if self._is_above else min)(other, float(found[row]))
        times_ms = values.times_ms[is_known.any(axis=0)]
        if times_ms.size:
            self.first_ms = min(self.first_ms or int(times_ms[0]), int(times_ms[0]))
            self.last_ms = max(self.last_ms or 0, int(times_ms[-1]))

    def share(self, subject: str) -> float | None:
        """Return the known share of the watched time of a subject; None if none is watched."""
        return _share(self.known[subject], self._watched(subject))

    def total_share(self) -> float | None:
        """Return the known share of the watched time of all subjects."""
        return _share(self.known.total(), sum(map(self._watched, self.known)))

    def _watched(self, subject: str) -> int:
        return self._seen[subject] if self._steps is None else self._steps


def summarise(
    replayed: Replayed, known: KnownValues, start_ms: int, end_ms: int, zone: tzinfo
) -> ReplaySummary:
    """Return the summary of a replay.

    Args:
        replayed: the replay.
        known: how much of the signal is known.
        start_ms: start of the replayed time [UTC, ms].
        end_ms: end of the replayed time [UTC, ms].
        zone: time zone of the site.
    """
    spans = [(one.fired_ms, one.ended_ms or end_ms) for one in replayed.episodes]
    days = Counter(
        f"{datetime.fromtimestamp(one.at_ms / 1000, zone):%Y-%m-%d}" for one in replayed.notices
    )
    busiest_day, busiest = max(days.items(), key=lambda item: item[1], default=(None, 0))
    hours = Counter(datetime.fromtimestamp(start / 1000, zone).hour for start, _ in spans)
    return ReplaySummary(
        rule=replayed.rule,
        start_ms=start_ms,
        end_ms=end_ms,
        fires=len(spans),
        firing=_union_ms(spans) / max(1, end_ms - start_ms),
        known=known.total_share(),
        known_from_ms=known.first_ms,
        known_to_ms=known.last_ms,
        notices=Counter(one.event for one in replayed.notices),
        is_cut=replayed.is_cut,
        busiest_day=busiest_day,
        busiest=busiest,
        by_hour=tuple(hours[hour] for hour in range(_HOURS)),
        subjects=_subjects(replayed.episodes, known, end_ms),
    )


def _subjects(
    episodes: Sequence[Alert], known: KnownValues, end_ms: int
) -> tuple[SubjectSummary, ...]:
    lengths_s: dict[str, list[float]] = {subject: [] for subject in known.known}
    for one in episodes:
        length_s = ((one.ended_ms or end_ms) - one.fired_ms) / 1000
        lengths_s.setdefault(one.subject, []).append(length_s)
    found = [
        SubjectSummary(
            subject=subject,
            fires=len(lengths),
            firing_s=sum(lengths),
            longest_s=max(lengths, default=0.0),
            peak=known.extremes.get(subject),
            known=known.share(subject),
        )
        for subject, lengths in lengths_s.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.fires, -one.firing_s, one.subject)))


def _share(part: int, whole: int) -> float | None:
    return min(1.0, part / whole) if whole else None


def _union_ms(spans: Sequence[tuple[int, int]]) -> int:
    """Return the length of the time that at least one span covers [ms]."""
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
