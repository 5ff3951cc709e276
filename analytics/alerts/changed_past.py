"""Correct known alerts after late data changed values that were already evaluated.

Pure: no clock, no store. The signals of hours and days are computed from figures that late readings
and imports change. These signals are evaluated again over some weeks. An alert keeps its episode as
long as the new values confirm the episode.

Laws:

1. A firing alert is withdrawn if all its values are known and were never beyond the limit for
   `for_s`. If values are missing, the alert goes on firing.
2. An episode keeps its start, because the start identifies the episode. The new values do not
   change it.
3. An episode that ended before it became known is returned once. An episode before the last known
   episode is not returned. For a subject without a state, only episodes since the last evaluation
   are returned, because the store has no states of alerts that never fired.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from analytics.alerts.alert import Alert, Evaluation, SignalValues


def states_before(states: Mapping[str, Alert], start_ms: int, limit: float) -> dict[str, Alert]:
    """Return the alerts that have fired since before `start_ms`, to evaluate them again from there.

    Args:
        states: the known alerts, by subject.
        start_ms: time of the first step [UTC, ms].
        limit: the rule's limit.
    """
    return {
        subject: replace(alert, seen_ms=start_ms - 1, back_ms=0, missing_ms=0, limit=limit)
        for subject, alert in states.items()
        if alert.phase == "firing" and alert.fired_ms < start_ms
    }


def compare(
    known: Mapping[str, Alert], new: Evaluation, values: SignalValues, since_ms: int
) -> Evaluation:
    """Return the known alerts, corrected by the new evaluation.

    Args:
        known: the known alerts, by subject.
        new: the new evaluation.
        values: the values of the new evaluation.
        since_ms: time of the last evaluation [UTC, ms]; 0 if there was none.
    """
    found: dict[str, list[Alert]] = {}
    for episode in new.episodes:
        found.setdefault(episode.subject, []).append(episode)
    alerts, episodes = dict(known), list[Alert]()
    for row, subject in enumerate(values.subjects):
        alert = new.alerts[subject]
        if subject not in known or not known[subject].seen_ms:
            alerts[subject] = alert
            missed = [one for one in found.get(subject, ()) if 0 < since_ms < one.ended_ms]
            episodes += missed
            continue
        if not alert.seen_ms:  # no value of the subject is known
            continue
        before, over = known[subject], found.get(subject, [])
        if before.phase == "firing":
            alert, over = _go_on_firing(before, alert, over, values, row)
        else:
            alert, over = _begin_after(before.ended_ms, alert, over)
        alerts[subject] = _with_notices_of(before, alert)
        episodes += [_with_notices_of(before, episode) for episode in over]
    return Evaluation(alerts, tuple(episodes))


def _go_on_firing(
    before: Alert, alert: Alert, over: Sequence[Alert], values: SignalValues, row: int
) -> tuple[Alert, list[Alert]]:
    """Return the corrected alert and its ended episodes, for a known alert that fires."""
    over = [episode for episode in over if episode.ended_ms > before.since_ms]
    if over:
        return alert, [_same_episode(before, over[0]), *over[1:]]
    if alert.phase == "firing":
        return _same_episode(before, alert), []
    within = (values.times_ms >= before.since_ms) & (values.times_ms <= before.fired_ms)
    if not within.any() or np.isnan(values.values[row, within]).any():
        return before, []
    ended = replace(before, phase="inactive", ended_ms=before.seen_ms, end="withdrawn")
    return replace(alert, ended_ms=before.seen_ms, end="withdrawn"), [ended]


def _begin_after(ended_ms: int, alert: Alert, over: Sequence[Alert]) -> tuple[Alert, list[Alert]]:
    """Return the alert, and its ended episodes that are later than the last known episode."""
    over = [episode for episode in over if episode.since_ms >= ended_ms]
    if not over:
        alert = replace(alert, ended_ms=ended_ms)
    if alert.phase == "firing" and alert.since_ms < ended_ms:
        alert = replace(alert, since_ms=ended_ms, fired_ms=max(alert.fired_ms, ended_ms))
    return alert, over


def _same_episode(before: Alert, alert: Alert) -> Alert:
    """Return an alert or an episode with the start of the known alert."""
    return replace(
        alert,
        since_ms=before.since_ms,
        fired_ms=before.fired_ms,
        acknowledged_by=before.acknowledged_by,
    )


def _with_notices_of(before: Alert, alert: Alert) -> Alert:
    """Return the new state of an alert with the notice record and the marks of the known alert."""
    return replace(
        before,
        severity=alert.severity,
        phase=alert.phase,
        value=alert.value,
        limit=alert.limit,
        peak=alert.peak,
        since_ms=alert.since_ms,
        fired_ms=alert.fired_ms,
        ended_ms=alert.ended_ms,
        end="" if alert.phase == "firing" else alert.end or before.end,
        seen_ms=alert.seen_ms,
        back_ms=alert.back_ms,
        missing_ms=alert.missing_ms,
        acknowledged_by=alert.acknowledged_by,
    )
