"""Evaluate a rule on past values of its signal, and plan its notices like the service.

Pure: no clock, no store.

Laws:

1. The service plans notices every 10 s. A replay plans them only at the times at which a notice can
   be due: after an alert fires or ends, when the waiting time of a group is over, and when a
   reminder is due. At other times the service would plan no notice.
2. If a rule fires more than `MAX_FIRES` times, its firings are still counted, but no more notices
   are planned.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from analytics.alerts.alert import Alert, Notice, SignalValues
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.evaluation import advance
from analytics.alerts.planning.due_events import RECOVERY_WAIT_MS
from analytics.alerts.planning.notice_plan import plan_notices
from analytics.alerts.planning.notice_state import is_open
from analytics.calendar.working_calendar import WorkingCalendar
from jieneng.metering.site import Site

#: Number of firings beyond which a rule is of no use to anybody.
MAX_FIRES: Final = 2000
#: While notices wait for the end of quiet hours, they are planned at this interval [ms].
_HELD_MS: Final = 900_000


class ReplayContext(msgspec.Struct, frozen=True):
    """Parts of a site that a replay needs.

    Attributes:
        rules: rules of the site, for grouping, routes and maintenance.
        site: the site.
        calendar: the working calendar.
    """

    rules: AlertRules
    site: Site
    calendar: WorkingCalendar


class Replayed(msgspec.Struct, frozen=True):
    """The result of a replay.

    Attributes:
        rule: the rule.
        episodes: the episodes, in the order in which they fired; `ended_ms` is 0 if an episode did
            not end.
        notices: the notices in the order of their events.
        is_cut: True if not all notices were planned, because the rule fired too often.
    """

    rule: AlertRule
    episodes: tuple[Alert, ...]
    notices: tuple[Notice, ...]
    is_cut: bool


class RuleReplay:
    """The replay of a rule.

    Args:
        rule: the rule.
        context: the parts of the site that the replay needs.
        max_fires: number of firings after which no more notices are planned.
    """

    def __init__(
        self, rule: AlertRule, context: ReplayContext, *, max_fires: int = MAX_FIRES
    ) -> None:
        self._rule = rule
        self._context = context
        self._max_fires = max_fires
        self._rules = replace(context.rules, rules=(rule,), disabled=())
        self._states: Mapping[str, Alert] = {}
        self._episodes: list[Alert] = []
        self._notices: list[Notice] = []
        self._due_ms = math.inf
        self._now_ms = 0

    def take(self, values: SignalValues) -> None:
        """Evaluate the rule on the next values."""
        values = replace(values, is_replacement=False)
        end_ms = int(values.times_ms[-1]) if values.times_ms.size else 0
        ahead = advance(self._rule, self._states, values)
        times = {time for one in ahead.episodes for time in (one.fired_ms, one.ended_ms)}
        times |= {one.fired_ms for one in ahead.alerts.values() if one.phase == "firing"}
        for time_ms in sorted(times):
            if self._is_cut:
                break
            if values.times_ms.size and time_ms >= values.times_ms[0]:
                values = self._go_to(time_ms, values)
        self._plan_until(end_ms + 1)
        if values.times_ms.size:
            self._advance(values)

    def result(self) -> Replayed:
        """Return the episodes and notices so far."""
        still = [one for one in self._states.values() if one.phase == "firing"]
        episodes = sorted((*self._episodes, *still), key=lambda one: (one.fired_ms, one.key))
        return Replayed(self._rule, tuple(episodes), tuple(self._notices), self._is_cut)

    @property
    def _is_cut(self) -> bool:
        return len(self._episodes) > self._max_fires

    def _go_to(self, time_ms: int, values: SignalValues) -> SignalValues:
        """Advance to the time of an event and plan; return the values after it."""
        self._plan_until(time_ms)
        count = int(np.searchsorted(values.times_ms, time_ms, side="right"))
        before = self._states
        episodes = self._advance(_columns(values, 0, count))
        self._plan(before, episodes, time_ms)
        return _columns(values, count, values.times_ms.size)

    def _advance(self, values: SignalValues) -> tuple[Alert, ...]:
        done = advance(self._rule, self._states, values)
        self._states = done.alerts
        self._episodes += done.episodes
        return done.episodes

    def _plan_until(self, end_ms: int) -> None:
        """Plan at each time before `end_ms` at which a notice can be due."""
        while self._due_ms < end_ms:
            self._plan(self._states, (), int(self._due_ms))

    def _plan(self, before: Mapping[str, Alert], episodes: tuple[Alert, ...], now_ms: int) -> None:
        """Plan the notices of a time, and find the next time at which one can be due."""
        if self._is_cut:
            self._due_ms = math.inf
            return
        self._now_ms = now_ms = max(now_ms, self._now_ms)  # subjects have their own times
        context = self._context
        notices, alerts = plan_notices(
            self._rules,
            context.site,
            context.calendar,
            {one.key: one for one in before.values()},
            {one.key: one for one in self._states.values()},
            (),
            now_ms,
            episodes,
        )
        self._notices += notices
        self._states = {one.subject: one for one in alerts.values()}
        waits = (self._next_ms(one, now_ms) for one in self._states.values() if is_open(one))
        self._due_ms = min(waits, default=math.inf)

    def _next_ms(self, alert: Alert, now_ms: int) -> float:
        """Return the next time at which a notice about an open alert can be due."""
        grouping = self._rules.grouping
        times = [now_ms + _HELD_MS] if alert.held or not alert.told else []
        if alert.known_ms:
            times += [alert.known_ms + round(1000 * grouping.wait_s)]
            times += [alert.known_ms + RECOVERY_WAIT_MS]
        if alert.told and self._rule.remind_s:
            times.append(abs(alert.reminded_ms) + round(1000 * self._rule.remind_s))
        if alert.flapping_ms and alert.fires:
            times.append(alert.fires[-1] + round(1000 * grouping.flap_s))
        return min((time for time in times if time > now_ms), default=math.inf)


def _columns(values: SignalValues, start: int, end: int) -> SignalValues:
    """Return some steps of the values of a signal."""
    return SignalValues(values.subjects, values.times_ms[start:end], values.values[:, start:end])
