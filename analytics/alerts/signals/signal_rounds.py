"""Evaluate a signal of readings in rounds. Each subject is evaluated up to its newest reading.

Pure: no clock, no store.

Laws:

1. A subject is evaluated up to the step of its newest reading, and never again for the same step.
   A reading that comes in after its step was evaluated counts for the next step.
2. While a subject has no new reading it is not evaluated. When it returns, the steps in between are
   evaluated: steps with the last value as long as it holds, then one step with an unknown value for
   the rest of the gap.
3. If readings come in ordered by time, several rounds give the same values as one evaluation of all
   readings.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.alerts.signals.sampling import Readings, SignalInput, joined, steps_of
from analytics.alerts.signals.signal_table import SampledSignal

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Function of times, shape (n,), that returns a mask, shape (n,) or (m, n): True at times at which
#: subjects are watched.
Mask = Callable[["NDArray[np.int64]"], "NDArray[np.bool_]"]

_NEVER: Final = -(2**62)


class SignalRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of readings from which a signal is computed.

    Attributes:
        hold_ms: time for which a reading of each row holds, shape (rows,) [ms].
        subjects: number of the subject of each row, shape (rows,).
        count: number of subjects, m.
        step_ms: length of a step [ms].
        is_above: True if the rule alerts above its limit.
        is_counter: True if the values are those of a counter.
    """

    hold_ms: "NDArray[np.int64]"
    subjects: "NDArray[np.int64]"
    count: int
    step_ms: int
    is_above: bool = True
    is_counter: bool = False


class RoundValues(msgspec.Struct, frozen=True):
    """The values of a round.

    Attributes:
        subjects: numbers of the subjects with new readings, shape (k,).
        times_ms: ends of the steps, ascending, shape (n,) [UTC, ms].
        values: values, shape (k, n).
    """

    subjects: "NDArray[np.int64]"
    times_ms: "NDArray[np.int64]"
    values: "NDArray[np.float64]"


class SignalRounds:
    """The evaluation of a signal for all subjects of a rule.

    Args:
        signal: the signal.
        rows: rows of readings.
        mask: times at which the rule is evaluated.
        seen_ms: time up to which each subject was evaluated before, shape (m,) [UTC, ms]; 0 if the
            subject was never evaluated.
    """

    def __init__(
        self,
        signal: SampledSignal,
        rows: SignalRows,
        mask: Mask,
        seen_ms: "NDArray[np.int64] | None" = None,
    ) -> None:
        self._signal = signal
        self._rows = rows
        self._mask = mask
        self._kept: Readings | None = None
        self._new: list[Readings] = []
        seen = np.zeros(rows.count, dtype=np.int64) if seen_ms is None else seen_ms
        self._done = np.where(seen > 0, seen // rows.step_ms, _NEVER)
        self._is_gap = np.zeros(rows.count, dtype=np.bool_)

    @property
    def is_behind(self) -> bool:
        """True if readings are left that did not fit into the last round."""
        return bool(self._new)

    def set_hold(self, hold_ms: "NDArray[np.int64]") -> None:
        """Set the time for which a reading of each row holds, shape (rows,) [ms]."""
        self._rows = msgspec.structs.replace(self._rows, hold_ms=hold_ms)

    def add(self, readings: Readings) -> None:
        """Add readings, each newer than all earlier readings of its row."""
        if len(readings.rows):
            self._new.append(readings)

    def add_rows(self, readings: Readings, own_rows: "NDArray[np.int64]") -> None:
        """Add readings of other rows: `own_rows` has the row of this signal for each, -1 for none.

        The steps of the readings are computed here.
        """
        rows = own_rows[readings.rows]
        is_own = rows >= 0
        times_ms = readings.times_ms[is_own]
        columns = tuple(column[is_own] for column in readings.columns)
        self.add(Readings(rows[is_own], times_ms, steps_of(times_ms, self._rows.step_ms), columns))

    def next_values(self, max_steps: int) -> RoundValues | None:
        """Return the values of the steps with new readings; None if there are no new readings.

        Args:
            max_steps: greatest number of steps; the rest is left for the next call.
        """
        if not self._new:
            return None
        new = self._counted_for_later(joined(self._new))
        newest = self._newest_steps(new)
        history = new if self._kept is None else joined([self._kept, new])
        steps = self._steps(history, newest)
        if len(steps) > max_steps:
            steps = steps[:max_steps]
            has_begun = self._done != _NEVER
            has_begun[self._rows.subjects[new.rows[new.steps <= steps[-1]]]] = True
            newest = np.where(has_begun, np.minimum(newest, steps[-1]), _NEVER)
        gaps = self._done[self._is_gap & (newest > self._done)]
        steps = np.union1d(steps, gaps) if len(gaps) else steps
        is_taken = new.steps <= newest[self._rows.subjects[new.rows]]
        self._new = [new.chosen(~is_taken)] if not is_taken.all() else []
        if self._new:
            taken = new.chosen(is_taken)
            history = taken if self._kept is None else joined([self._kept, taken])
        self._kept = self._trimmed(history)
        return self._evaluated(history, steps, newest)

    def _counted_for_later(self, new: Readings) -> Readings:
        """Return readings whose steps are not evaluated yet (law 1)."""
        steps = np.maximum(new.steps, self._done[self._rows.subjects[new.rows]] + 1)
        return Readings(new.rows, new.times_ms, steps, new.columns)

    def _newest_steps(self, new: Readings) -> "NDArray[np.int64]":
        """Return the step of each subject's newest new reading, shape (m,)."""
        found = np.full(self._rows.count, _NEVER)
        np.maximum.at(found, self._rows.subjects[new.rows], new.steps)
        return found

    def _steps(self, history: Readings, newest: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return the steps to evaluate: while a reading holds, and one step after (law 2)."""
        subject = self._rows.subjects[history.rows]
        following = np.append(history.steps[1:], -_NEVER)
        following[:-1][np.diff(history.rows) != 0] = -_NEVER
        held = self._rows.hold_ms[history.rows] // self._rows.step_ms + 1
        start = np.maximum(history.steps, self._done[subject] + 1)
        end = np.minimum(np.minimum(history.steps + held, following), newest[subject])
        is_wanted = start <= end
        start, end = start[is_wanted], end[is_wanted]
        first = int(start.min())
        changes = np.zeros(int(end.max()) - first + 2, dtype=np.int64)
        np.add.at(changes, start - first, 1)
        np.add.at(changes, end - first + 1, -1)
        steps: NDArray[np.int64] = first + np.flatnonzero(np.cumsum(changes) > 0)
        return steps

    def _evaluated(
        self, history: Readings, steps: "NDArray[np.int64]", newest: "NDArray[np.int64]"
    ) -> RoundValues:
        rows = self._rows
        given = SignalInput(
            history,
            steps,
            rows.step_ms,
            rows.hold_ms,
            rows.subjects,
            rows.count,
            is_above=rows.is_above,
            is_counter=rows.is_counter,
        )
        is_own = (steps > self._done[:, None]) & (steps <= newest[:, None])
        is_wanted = is_own & self._mask(given.times_ms)
        values = np.where(is_wanted, self._signal.function(given), np.nan)
        subjects = np.flatnonzero(newest > self._done)
        last = np.searchsorted(steps, newest[subjects])
        self._is_gap[subjects] = np.isnan(values[subjects, last])
        self._done[subjects] = newest[subjects]
        return RoundValues(subjects, given.times_ms, values[subjects])

    def _trimmed(self, history: Readings) -> Readings:
        """Return the readings of the lookback, and the last earlier reading of each row."""
        count = len(self._rows.hold_ms)
        newest_ms = np.zeros(count, dtype=np.int64)
        np.maximum.at(newest_ms, history.rows, history.times_ms)
        is_recent = history.times_ms > newest_ms[history.rows] - self._signal.lookback_ms
        is_before = np.zeros(len(is_recent), dtype=np.bool_)
        is_before[:-1] = is_recent[1:] & (np.diff(history.rows) == 0)
        is_last = np.append(np.diff(history.rows) != 0, True)
        return history.chosen(is_recent | is_before | is_last)
