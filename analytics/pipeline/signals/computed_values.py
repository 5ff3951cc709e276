"""Turn computed signals into values by subject and time. Pure: no clock, no store.

Laws:

1. An hour, a night or a day has a value at its end, and an indicator at the start of the day for
   which it was computed.
2. If a rule has `when`, only hours that lie wholly in these hours are evaluated.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytics.alerts.alert import SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.signals.signal_rounds import Mask
from analytics.alerts.signals.signal_table import ComputedSignal
from analytics.calendar.hour_grid import HourConsumption
from analytics.calendar.working_calendar import WorkingCalendar

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ComputedRule:
    """A rule of a computed signal.

    Args:
        rule: the rule.
        signal: its signal.
        subjects: ids of its subjects.
        calendar: the working calendar.
        mask: times at which its subjects are in place.
    """

    def __init__(
        self,
        rule: AlertRule,
        signal: ComputedSignal,
        subjects: tuple[str, ...],
        calendar: WorkingCalendar,
        mask: Mask,
    ) -> None:
        self.rule = rule
        self.signal = signal
        self.subjects = subjects
        self._calendar = calendar
        self._mask = mask

    def of_hours(
        self, hours: HourConsumption, rows: Sequence[int], first_day: int, now_ms: int
    ) -> SignalValues:
        """Return the values of the hours that are over, from a given day on.

        Args:
            hours: consumption by hour.
            rows: row of each subject.
            first_day: number of the first wanted day.
            now_ms: the time [UTC, ms].
        """
        own = HourConsumption(hours.grid, hours.amounts[rows], hours.coverage[rows])
        grid = hours.grid
        if self.signal.source == "nights":
            ends = np.array([self._calendar.night_of(day)[1] for day in grid.days], dtype=np.int64)
            is_wanted = np.arange(len(grid.days)) >= first_day
            return self._values(ends, self.signal.function(own), is_wanted & (ends <= now_ms))
        values = (
            self.signal.function(own, first_day)
            if self.signal.source == "hours"
            else self.signal.function(own)
        )
        is_watched = self._calendar.is_watched(self.rule.when, grid.edges_ms[:-1])
        is_watched &= self._calendar.is_watched(self.rule.when, grid.ends_ms - 1)
        is_wanted = (grid.day_numbers >= first_day) & (grid.ends_ms <= now_ms)
        return self._values(grid.ends_ms, np.where(is_watched, values, np.nan), is_wanted)

    def of_days(
        self, ends_ms: "NDArray[np.int64]", values: "NDArray[np.float64]", now_ms: int, first: int
    ) -> SignalValues:
        """Return the values of the days that are over, from number `first` on.

        Args:
            ends_ms: times of the values, shape (d,) [UTC, ms].
            values: values of the subjects, shape (m, d).
            now_ms: the time [UTC, ms].
            first: number of the first wanted day.
        """
        is_wanted = (np.arange(len(ends_ms)) >= first) & (ends_ms <= now_ms)
        return self._values(ends_ms, values, is_wanted)

    def _values(
        self,
        times_ms: "NDArray[np.int64]",
        values: "NDArray[np.float64]",
        is_wanted: "NDArray[np.bool_]",
    ) -> SignalValues:
        times = times_ms[is_wanted]
        wanted = np.where(self._mask(times), values[:, is_wanted], np.nan)
        return SignalValues(self.subjects, times, wanted, is_replacement=True)
