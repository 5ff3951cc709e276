"""Advance the alerts of a rule over the values of its signal.

Pure: no clock, no store. The service calls `advance` with a few new steps in each round; a replay
calls it with months of steps. The result does not depend on how the steps are divided into calls,
because the alerts contain everything that the next call needs.

Laws:

1. An alert fires at the step at which the signal has been beyond the limit for `for_s`, and
   recovers at the step at which the signal has been at or inside `clear_limit` for
   `keep_firing_for_s`.
2. A missing value (NaN) neither fires an alert nor ends it. After a missing value, `for_s` and
   `keep_firing_for_s` are counted from 0 again.
3. Steps after a subject's last known value are not evaluated yet, because readings for them may
   still arrive.
4. Each step is evaluated only once: steps up to `seen_ms` are skipped.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec.structs import replace

from analytics.alerts.alert import Alert, Evaluation, Phase, SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.changed_past import compare, states_before
from analytics.alerts.step_phases import StepPhases, new_steps, step_phases

if TYPE_CHECKING:
    pass

_NAN: Final = float("nan")


def new_alert(rule: AlertRule, subject: str) -> Alert:
    """Return the alert of a subject that was never evaluated."""
    return Alert(
        rule=rule.id,
        signal=rule.signal,
        subject=subject,
        severity=rule.severity,
        phase="inactive",
        value=_NAN,
        limit=rule.limit,
        peak=_NAN,
        since_ms=0,
        fired_ms=0,
    )


def advance(
    rule: AlertRule, states: Mapping[str, Alert], values: SignalValues, since_ms: int = 0
) -> Evaluation:
    """Return the alerts of a rule after some steps, and the episodes that ended within them.

    Args:
        rule: the rule.
        states: the alerts before the steps, by subject.
        values: the signal's values. If `values.is_replacement` is True, steps that were evaluated
            before are evaluated again, and the result is compared with `states`.
        since_ms: time of the last evaluation before the service was started [UTC, ms]; 0 if there
            was none. Episodes of subjects without a state, which ended since then, are returned.
    """
    if not values.is_replacement or not values.times_ms.size:
        return _go_on(rule, states, values)
    start = states_before(states, int(values.times_ms[0]), rule.limit)
    return compare(states, _go_on(rule, start, values), values, since_ms)


def _go_on(rule: AlertRule, states: Mapping[str, Alert], values: SignalValues) -> Evaluation:
    """Return the alerts of a rule after further steps."""
    alerts = {
        subject: alert
        if (alert.severity, alert.signal) == (rule.severity, rule.signal)
        else replace(alert, severity=rule.severity, signal=rule.signal)
        for subject, alert in states.items()
    }
    before = [alerts.get(subject) or new_alert(rule, subject) for subject in values.subjects]
    alerts.update(zip(values.subjects, before, strict=True))
    if not values.subjects or not values.times_ms.size:
        return Evaluation(alerts, ())
    if _is_idle(rule, before, values):
        alerts.update(_idle_states(rule, before, values))
        return Evaluation(alerts, ())
    steps = step_phases(rule, before, values)
    episodes = _episodes(rule, before, steps)
    last_ends = {episode.subject: episode.ended_ms for episode in episodes}
    alerts.update(_states(rule, before, steps, last_ends))
    return Evaluation(alerts, tuple(episodes))


def _is_idle(rule: AlertRule, before: Sequence[Alert], given: SignalValues) -> bool:
    """Return True if no alert is active and no value is beyond the limit, as in most rounds."""
    if any(alert.phase != "inactive" for alert in before):
        return False
    beyond = given.values > rule.limit if rule.is_above else given.values < rule.limit
    return not beyond.any()


def _idle_states(rule: AlertRule, before: Sequence[Alert], given: SignalValues) -> dict[str, Alert]:
    """Return the alerts of subjects with new steps, none of which changes a phase."""
    first, last, _ = new_steps(before, given)
    times = [*given.times_ms.tolist(), 0]
    values = given.values[np.arange(len(before)), last].tolist()
    changed = {}
    for alert, begin, end, value in zip(before, first.tolist(), last.tolist(), values, strict=True):
        if end >= 0:
            changed[alert.subject] = replace(
                alert,
                value=value,
                limit=rule.limit,
                seen_ms=times[end],
                missing_ms=times[end + 1],
            )
        elif times[begin] and not 0 < alert.missing_ms <= times[begin]:
            changed[alert.subject] = replace(alert, missing_ms=times[begin])
    return changed


def _episodes(rule: AlertRule, before: Sequence[Alert], steps: StepPhases) -> list[Alert]:
    """Return the episodes that ended within the steps."""
    ends = steps.firing[:, :-1] & ~steps.firing[:, 1:]
    if not ends.any():
        return []
    starts = ~steps.firing[:, :-1] & steps.firing[:, 1:]
    found = []
    for row in np.flatnonzero(ends.any(axis=1)).tolist():
        begun = np.flatnonzero(starts[row]).tolist()
        if steps.firing[row, 0]:
            begun.insert(0, -1)
        for start, end in zip(begun, np.flatnonzero(ends[row]).tolist(), strict=False):
            found.append(_episode(rule, before[row], steps, row, start, end))
    return found


def _episode(
    rule: AlertRule, before: Alert, steps: StepPhases, row: int, start: int, end: int
) -> Alert:
    """Return the episode that fired at step `start` (-1: earlier) and ended at step `end`."""
    was = start < 0
    since = before.since_ms if was else int(steps.beyond_since_ms[row, start])
    return replace(
        before,
        phase="inactive",
        value=float(steps.values[row, end]),
        limit=rule.limit,
        peak=_peak(rule, before, steps, row, since, end),
        since_ms=since,
        fired_ms=before.fired_ms if was else int(steps.times_ms[start]),
        ended_ms=int(steps.times_ms[end]),
        seen_ms=int(steps.times_ms[end]),
        back_ms=0,
        end="recovered",
        acknowledged_by=before.acknowledged_by if was else "",
    )


def _peak(
    rule: AlertRule, before: Alert, steps: StepPhases, row: int, since_ms: int, last: int
) -> float:
    """Return the value farthest beyond the limit, from `since_ms` to the step `last`."""
    first = int(steps.first[row])
    goes_on = since_ms < steps.times_ms[first]
    start = first if goes_on else int(np.searchsorted(steps.times_ms, since_ms))
    farthest = np.fmax if rule.is_above else np.fmin
    return float(
        farthest.reduce(
            steps.values[row, start : last + 1], initial=before.peak if goes_on else _NAN
        )
    )


def _states(
    rule: AlertRule, before: Sequence[Alert], steps: StepPhases, last_ends: Mapping[str, int]
) -> dict[str, Alert]:
    """Return the alerts of subjects with new steps, after these steps."""
    count = steps.times_ms.size
    changed = {}
    for row, (alert, first, last) in enumerate(
        zip(before, steps.first.tolist(), steps.last.tolist(), strict=True)
    ):
        if last >= 0:
            changed[alert.subject] = _state(
                rule, alert, steps, row, last, last_ends.get(alert.subject, 0)
            )
        elif first < count and not 0 < alert.missing_ms <= steps.times_ms[first]:
            changed[alert.subject] = replace(alert, missing_ms=int(steps.times_ms[first]))
    return changed


def _state(
    rule: AlertRule, before: Alert, steps: StepPhases, row: int, last: int, ended_ms: int
) -> Alert:
    """Return an alert after its last known value, at the step `last`.

    Args:
        rule: rule of the alert.
        before: the alert before the steps.
        steps: the evaluated steps.
        row: row of the alert's subject in the arrays of `steps`.
        last: index of the last step with a known value.
        ended_ms: end of the last episode that ended within the steps [UTC, ms]; 0 without one.
    """
    firing, beyond = steps.firing[row, last + 1], steps.is_beyond[row, last]
    phase: Phase = "firing" if firing else "pending" if beyond else "inactive"
    since_ms = fired_ms = 0
    if firing and before.phase == "firing" and not ended_ms:
        since_ms, fired_ms = before.since_ms, before.fired_ms
    elif firing:
        fired = last + 1 - int(np.argmin(steps.firing[row, last + 1 :: -1]))
        since_ms, fired_ms = int(steps.beyond_since_ms[row, fired]), int(steps.times_ms[fired])
    elif beyond:
        since_ms = int(steps.beyond_since_ms[row, last])
    is_back = firing and steps.is_back[row, last]
    return replace(
        before,
        phase=phase,
        value=float(steps.values[row, last]),
        limit=rule.limit,
        peak=_peak(rule, before, steps, row, since_ms, last) if since_ms else _NAN,
        since_ms=since_ms,
        fired_ms=fired_ms,
        ended_ms=ended_ms or before.ended_ms,
        end="" if firing else "recovered" if ended_ms else before.end,
        seen_ms=int(steps.times_ms[last]),
        back_ms=int(steps.back_since_ms[row, last]) if is_back else 0,
        missing_ms=int(steps.times_ms[last + 1]) if last + 1 < steps.times_ms.size else 0,
        acknowledged_by=before.acknowledged_by if since_ms == before.since_ms else "",
    )
