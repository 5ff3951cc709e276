"""Find the phases of an alert at each step of its signal, for all subjects at once.

Pure: arrays in, arrays out. There is no loop over steps. A run of values begins after the last step
that broke it. An alert fires if the last step that set or reset it was a set.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.alerts.alert import Alert, SignalValues
from analytics.alerts.alert_rule import AlertRule

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StepPhases(msgspec.Struct, frozen=True):
    """The phases of subjects with new steps: m subjects, n steps.

    Attributes:
        times_ms: ends of the steps, shape (n,).
        values: float64, shape (m, n).
        first: index of each subject's first new step, shape (m,).
        last: index of each subject's last new step with a known value, shape (m,); -1 without one.
        is_beyond: True where the value is beyond the limit, shape (m, n).
        is_back: True where the value is at or inside the clear limit, shape (m, n).
        beyond_since_ms: start of the run of values beyond the limit that contains the step, (m, n).
        back_since_ms: start of the run of values at or inside the clear limit, (m, n).
        firing: True while the alert fires, shape (m, n + 1); column 0 is the state before the call.
    """

    times_ms: "NDArray[np.int64]"
    values: "NDArray[np.float64]"
    first: "NDArray[np.intp]"
    last: "NDArray[np.intp]"
    is_beyond: "NDArray[np.bool_]"
    is_back: "NDArray[np.bool_]"
    beyond_since_ms: "NDArray[np.int64]"
    back_since_ms: "NDArray[np.int64]"
    firing: "NDArray[np.bool_]"


def new_steps(
    before: Sequence[Alert], given: SignalValues
) -> "tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]":
    """Return `first` and `last` of `StepPhases`, and an array that is True for new steps."""
    count = given.times_ms.size
    seen = np.array([alert.seen_ms for alert in before], np.int64)
    first = given.times_ms.searchsorted(seen, side="right")
    is_new: NDArray[np.bool_] = np.arange(count) >= first[:, np.newaxis]
    known = is_new & (given.values == given.values)  # NaN is unequal to itself
    last = np.where(known.any(axis=1), count - 1 - known[:, ::-1].argmax(axis=1), -1)
    return first, last, is_new


def step_phases(rule: AlertRule, before: Sequence[Alert], given: SignalValues) -> StepPhases:
    """Return the phases of all steps."""
    times, values = given.times_ms, given.values
    count = times.size
    first, last, is_new = new_steps(before, given)
    if rule.is_above:
        is_beyond, is_back = values > rule.limit, values <= rule.clear_limit
    else:
        is_beyond, is_back = values < rule.limit, values >= rule.clear_limit
    is_beyond &= is_new
    is_back &= is_new

    was_firing = np.array([alert.phase == "firing" for alert in before], np.bool_)
    since = np.array([alert.since_ms for alert in before], np.int64)
    back = np.array([alert.back_ms for alert in before], np.int64)
    cut = _is_cut(rule, before, times[np.minimum(first, count - 1)])
    beyond_since = _run_starts(
        is_beyond, is_new, times, first, np.where(was_firing | cut, 0, since)
    )
    back_since = _run_starts(is_back, is_new, times, first, np.where(was_firing & ~cut, back, 0))
    fires = is_beyond & (times - beyond_since >= round(rule.for_s * 1000))
    recovers = is_back & (times - back_since >= round(rule.keep_firing_for_s * 1000))
    firing = np.empty((len(before), count + 1), np.bool_)
    firing[:, 0] = was_firing
    firing[:, 1:] = _latch(was_firing, fires, recovers)
    return StepPhases(
        times, values, first, last, is_beyond, is_back, beyond_since, back_since, firing
    )


def _is_cut(
    rule: AlertRule, before: Sequence[Alert], first_ms: "NDArray[np.int64]"
) -> "NDArray[np.bool_]":
    """Return True for each subject whose run of values does not continue from the earlier state.

    The run is cut if a value was missing in between, or if the limit in `alerts.toml` was changed.
    """
    missing = np.array([alert.missing_ms for alert in before], np.int64)
    limit = np.array([alert.limit for alert in before], np.float64)
    cut: NDArray[np.bool_] = ((missing > 0) & (first_ms > missing)) | (limit != rule.limit)
    return cut


def _run_starts(
    mask: "NDArray[np.bool_]",
    is_new: "NDArray[np.bool_]",
    times: "NDArray[np.int64]",
    first: "NDArray[np.intp]",
    before_ms: "NDArray[np.int64]",
) -> "NDArray[np.int64]":
    """Return for each step the start of the run of True values that contains the step.

    Args:
        mask: True where the condition of the run is met, shape (m, n).
        is_new: False for the steps that are skipped.
        times: ends of the steps.
        first: index of each row's first new step.
        before_ms: start of the run that continues from before the first new step; 0 if none does.
    """
    count = times.size
    break_index = np.where(mask | ~is_new, -1, np.arange(count))
    np.maximum.accumulate(break_index, axis=1, out=break_index)
    start = times[np.minimum(break_index + 1, count - 1)]
    goes_on = np.where(before_ms > 0, before_ms, times[np.minimum(first, count - 1)])
    return np.where(break_index < 0, goes_on[:, np.newaxis], start)


def _latch(
    before: "NDArray[np.bool_]", sets: "NDArray[np.bool_]", resets: "NDArray[np.bool_]"
) -> "NDArray[np.bool_]":
    """Return True for each step at which the last set or reset so far was a set."""
    index = np.arange(sets.shape[1])
    last_set = np.maximum.accumulate(np.where(sets, index, -1), axis=1)
    last_reset = np.maximum.accumulate(np.where(resets, index, -1), axis=1)
    return np.where(last_set == last_reset, before[:, np.newaxis], last_set > last_reset)
