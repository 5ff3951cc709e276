"""Replay a rule on stored history: the notices it would have given, also with other limits.

In: the store, a rule, a span of time. Out: summaries. The history is read once for all limits.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from analytics.alerts import rule_subjects
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.replay.limit_ladder import ladder
from analytics.alerts.replay.replay_summary import KnownValues, ReplaySummary, summarise
from analytics.alerts.replay.rule_replay import ReplayContext, RuleReplay
from analytics.alerts.signals.signal_table import FUNCTIONS, ComputedSignal
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.signal_replay import SignalReplay
from jieneng.metering.errors import NoData
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Length of a step of readings [s]; the value farthest beyond the limit counts for the step.
_STEP_S: Final = 60.0
#: Shortest step [s], for rules that fire within a minute.
_SHORTEST_STEP_S: Final = 10.0


class Trial(msgspec.Struct, frozen=True):
    """The result of a trial.

    Attributes:
        summary: the notices that the rule would have given.
        ladder: the notices with other limits, and with the rule's own limit; the limit with the
            most firings comes first.
    """

    summary: ReplaySummary
    ladder: tuple[ReplaySummary, ...]


async def try_rule(
    folder: SiteFolder,
    store: Store,
    rules: AlertRules,
    rule: AlertRule,
    span_ms: tuple[int, int],
    progress: Callable[[float], None],
) -> Trial:
    """Replay a rule over a time span.

    Args:
        folder: the site.
        store: the store, prepared.
        rules: rules of the site, for grouping, routes, hours and maintenance.
        rule: the rule.
        span_ms: start and end of the time span [UTC, ms].
        progress: function that is called with the completed share, 0 to 1.

    Raises:
        NoData: no value of the signal is known in the time span.
    """
    start_ms, end_ms = span_ms
    zone = folder.site.zone
    calendar = WorkingCalendar(rules.hours, zone)
    context = ReplayContext(rules, folder.site, calendar)
    replays = [RuleReplay(one, context) for one in ladder(rule)]
    step_ms = round(1000 * _step_s(rule))
    known = KnownValues(
        rule_subjects.subjects(rule, folder.site),
        is_above=rule.is_above,
        steps=_watched_steps(rule, calendar, span_ms, step_ms),
    )
    reader = SignalReplay(folder, store, calendar)
    async for values in reader.values(rule, start_ms, end_ms, step_ms):
        known.take(values, calendar.is_watched(rule.when, values.times_ms))
        for replay in replays:
            replay.take(values)
        if values.times_ms.size:
            progress((int(values.times_ms[-1]) - start_ms) / max(1, end_ms - start_ms))
    progress(1.0)
    if known.first_ms is None:
        raise NoData(
            "no data for a trial of rule {rule} are stored in this time span. Choose a longer time "
            "span with --since, or import readings.",
            rule=rule.id,
        )
    found = [summarise(one.result(), known, start_ms, end_ms, zone) for one in replays]
    own = next(one for one in found if one.rule == rule)
    return Trial(own, tuple(found))


def _step_s(rule: AlertRule) -> float:
    """Return the step length: 60 s, or half of the rule's shortest time if that is less."""
    times_s = [time_s for time_s in (rule.for_s, rule.keep_firing_for_s) if time_s]
    return max(_SHORTEST_STEP_S, min([_STEP_S, *(time_s / 2 for time_s in times_s)]))


def _watched_steps(
    rule: AlertRule, calendar: WorkingCalendar, span_ms: tuple[int, int], step_ms: int
) -> int | None:
    """Return the number of steps in the rule's hours; None for a signal with its own times."""
    if isinstance(FUNCTIONS[rule.signal], ComputedSignal):
        return None
    first, last = (time_ms // step_ms for time_ms in span_ms)
    times_ms = np.arange(first + 1, last + 1, dtype=np.int64) * step_ms
    return int(calendar.is_watched(rule.when, times_ms).sum())
