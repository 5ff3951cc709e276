"""Sample readings on steps of time: the worst reading of each step, held until it is too old.

Pure: no clock, no store.

Laws:

1. Step `k` of a grid of steps contains the times in `((k - 1) * step_ms, k * step_ms]`.
2. The value of a step is the worst of its readings: the greatest if the rule alerts above its
   limit, the least if it alerts below its limit.
3. A step without a reading has the value of the last step with a reading, if that step ended at
   most `hold_ms` before. A later reading never changes an earlier step.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Time for which a value holds, as a multiple of the interval at which it is read.
HELD_INTERVALS: Final = 2.5
#: Number of bits for the time in a key of row number and time. A time in ms since 1970 stays below
#: 2 ** 42 until 2109.
_TIME_BITS: Final = 42


class Readings(msgspec.Struct, frozen=True):
    """Readings of several subjects in one sequence, sorted by row, then by time.

    Attributes:
        rows: number of the subject of each reading, shape (r,).
        times_ms: times of the readings, shape (r,) [UTC, ms].
        steps: number of the step for which each reading counts, shape (r,).
        columns: values of each field, shape (r,) each; never NaN.
    """

    rows: "NDArray[np.int64]"
    times_ms: "NDArray[np.int64]"
    steps: "NDArray[np.int64]"
    columns: "tuple[NDArray[np.float64], ...]"

    @property
    def values(self) -> "NDArray[np.float64]":
        """Values of the first field, shape (r,)."""
        return self.columns[0]

    @property
    def keys(self) -> "NDArray[np.int64]":
        """Numbers that ascend by row, then by time, shape (r,)."""
        return row_time_keys(self.rows, self.times_ms)

    def chosen(self, which: "NDArray[np.bool_] | NDArray[np.int64]") -> "Readings":
        """Return the readings that a mask or an array of indices chooses."""
        return Readings(
            self.rows[which],
            self.times_ms[which],
            self.steps[which],
            tuple(column[which] for column in self.columns),
        )

    def with_values(self, values: "NDArray[np.float64]") -> "Readings":
        """Return the same readings with other values."""
        return Readings(self.rows, self.times_ms, self.steps, (values,))


class SignalInput(msgspec.Struct, frozen=True):
    """Input of a signal of readings, polls or statuses.

    Attributes:
        readings: readings of the steps, and of the signal's lookback before them.
        steps: numbers of the wanted steps, ascending, shape (n,).
        step_ms: length of a step [ms].
        hold_ms: time for which a reading of each row holds, shape (rows,) [ms].
        subjects: number of the subject of each row, shape (rows,).
        count: number of subjects, m.
        is_above: True if the rule alerts above its limit.
        is_counter: True if the values are those of a counter.
    """

    readings: Readings
    steps: "NDArray[np.int64]"
    step_ms: int
    hold_ms: "NDArray[np.int64]"
    subjects: "NDArray[np.int64]"
    count: int
    is_above: bool = True
    is_counter: bool = False

    @property
    def times_ms(self) -> "NDArray[np.int64]":
        """Ends of the steps, shape (n,) [UTC, ms]."""
        return self.steps * self.step_ms


def row_time_keys(rows: "NDArray[np.int64]", times_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return numbers that sort by row, then by time, shape (r,)."""
    keys: NDArray[np.int64] = (rows << _TIME_BITS) + times_ms
    return keys


def steps_of(times_ms: "NDArray[np.int64]", step_ms: int) -> "NDArray[np.int64]":
    """Return the number of the step that contains each time (law 1)."""
    steps: NDArray[np.int64] = -(-times_ms // step_ms)
    return steps


def joined(parts: "Sequence[Readings]") -> Readings:
    """Return the readings of several parts, sorted by row and time; parts may overlap in time."""
    rows = np.concatenate([part.rows for part in parts])
    times = np.concatenate([part.times_ms for part in parts])
    steps = np.concatenate([part.steps for part in parts])
    fields = zip(*(part.columns for part in parts), strict=True)
    columns = tuple(np.concatenate(of_field) for of_field in fields)
    order = np.argsort(row_time_keys(rows, times), kind="stable")
    return Readings(rows, times, steps, columns).chosen(order)


def sampled(given: SignalInput, readings: Readings) -> "NDArray[np.float64]":
    """Return the value of each row at each step.

    Args:
        given: the steps, and how long a value holds.
        readings: readings with the values to sample.

    Returns:
        Shape (rows, n), in the unit of the readings; NaN where no value is known.
    """
    shape = len(given.hold_ms), len(given.steps)
    if not len(readings.rows) or not shape[1]:
        return np.full(shape, np.nan)
    of_steps = _worst_of_steps(readings, is_above=given.is_above)
    column = np.searchsorted(given.steps, of_steps.steps, side="left")
    of_steps = of_steps.chosen(column < shape[1])
    # If several steps map to one column, the assignment of the last step stays.
    place = of_steps.rows, column[column < shape[1]]
    reading = np.full(shape, -1, dtype=np.int64)
    reading[place] = np.arange(len(of_steps.rows))
    np.maximum.accumulate(reading, axis=1, out=reading)
    if not len(of_steps.rows):
        return np.full(shape, np.nan)
    age_ms = (given.steps - of_steps.steps[reading]) * given.step_ms
    is_known = (reading >= 0) & (age_ms <= given.hold_ms[:, None])
    found: NDArray[np.float64] = np.where(is_known, of_steps.values[reading], np.nan)
    return found


def _worst_of_steps(readings: Readings, *, is_above: bool) -> Readings:
    """Return the worst reading of each row and step (law 2)."""
    is_first = np.ones(len(readings.rows), dtype=np.bool_)
    is_first[1:] = (np.diff(readings.rows) != 0) | (np.diff(readings.steps) != 0)
    starts = np.flatnonzero(is_first)
    if len(starts) == len(readings.rows):
        return readings
    reduce = np.maximum if is_above else np.minimum
    return readings.chosen(starts).with_values(reduce.reduceat(readings.values, starts))
