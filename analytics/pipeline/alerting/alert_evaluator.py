"""Evaluate the rules of a site on stored readings, and plan the notices.

Laws:

1. A step that fails changes nothing: the alerts stay as they were, and the next step reads from the
   time at which the last successful step ended.
2. The states of alerts are in memory between the steps. The caller stores `alerts`.
"""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from analytics.alerts.alert import Alert, AlertMark, Notice, SignalValues
from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.evaluation import advance
from analytics.alerts.intake import Intake, without_unknown_ages
from analytics.alerts.planning.notice_plan import NoticePlanner
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.alerting.intake_reader import IntakeReader
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store


class AlertEvaluator:
    """Evaluates the rules of a site; has its alerts and the reader of their signals.

    Args:
        folder: the site.
        store: the store, prepared.
        rules: the rules.
        calendar: the working calendar.
        intake: state of the path by which readings reach the store.
        alerts: the alerts so far, by key.
        since_ms: time of the last evaluation by any copy [UTC, ms]; 0 if there was none.

    Attributes:
        alerts: the alerts after the last step, by key.
        episodes: episodes that ended; the caller stores them and then empties the list.
    """

    def __init__(
        self,
        folder: SiteFolder,
        store: Store,
        rules: AlertRules,
        calendar: WorkingCalendar,
        intake: Intake,
        alerts: Mapping[str, Alert],
        since_ms: int,
    ) -> None:
        self._folder = folder
        self._rules = rules
        self._by_id = {rule.id: rule for rule in rules.rules}
        self._planner = NoticePlanner(rules, folder.site, calendar)
        self._since_ms = since_ms
        self._intake = intake
        self._intake_reader = IntakeReader(folder.site, store)
        self._signals = SignalReader(folder, store, rules, calendar, since_ms)
        self.alerts: dict[str, Alert] = dict(alerts)
        self.episodes: list[Alert] = []

    @property
    def is_behind(self) -> bool:
        """True if a backlog of readings did not fit into the last step."""
        return self._signals.is_behind

    @property
    def waits_until_ms(self) -> int:
        """Time at which the next notice will have waited long enough [UTC, ms]; 0 if none waits."""
        return self._planner.waits_until_ms

    async def step(self, marks: Sequence[AlertMark], now_ms: int) -> tuple[Notice, ...]:
        """Evaluate the readings stored since the last step, and return the notices that are due.

        Args:
            marks: acknowledgements and silences.
            now_ms: the time [UTC, ms].
        """
        values = await self._known_values(await self._signals.read(now_ms), now_ms)
        return self._advance(values, marks, now_ms)

    def step_blind(self, marks: Sequence[AlertMark], now_ms: int) -> tuple[Notice, ...]:
        """Return the notices that are due while the store can't be read.

        Only one signal is known: the time since the last report of the ingest.

        Args:
            marks: acknowledgements and silences that were last read.
            now_ms: the time [UTC, ms].
        """
        newest_ms = self._intake_reader.newest_ms
        if newest_ms is None:
            return ()
        age_s = max(now_ms - newest_ms, 0) / 1000
        values = SignalValues((self._folder.site.id,), np.array([now_ms]), np.array([[age_s]]))
        rules = [rule.id for rule in self._rules.rules if rule.signal == "ingest_age"]
        return self._advance(dict.fromkeys(rules, values), marks, now_ms)

    def _advance(
        self, values: Mapping[str, SignalValues], marks: Sequence[AlertMark], now_ms: int
    ) -> tuple[Notice, ...]:
        """Advance the alerts by new values of some rules, and return the notices that are due."""
        states: dict[str, dict[str, Alert]] = {}
        for alert in self.alerts.values():
            states.setdefault(alert.rule, {})[alert.subject] = alert
        after, episodes = dict(self.alerts), list[Alert]()
        for rule_id, of_rule in values.items():
            evaluation = advance(
                self._by_id[rule_id], states.get(rule_id, {}), of_rule, self._since_ms
            )
            after.update((alert.key, alert) for alert in evaluation.alerts.values())
            episodes += evaluation.episodes
        notices, self.alerts = self._planner.plan(self.alerts, after, marks, now_ms, episodes)
        self.episodes += episodes
        return notices

    async def _known_values(
        self, values: Mapping[str, SignalValues], now_ms: int
    ) -> Mapping[str, SignalValues]:
        """Return the values without ages that grew only because the intake was down."""
        now_s = asyncio.get_running_loop().time()  # reports of the ingest have real times
        self._intake.note(await self._intake_reader.newest_report_ms(now_ms), now_s)
        knows_ages = self._intake.knows_ages(now_s)
        backlog_s = await self._intake_reader.backlog_s(now_ms)
        return {
            rule_id: without_unknown_ages(
                self._by_id[rule_id].signal, one, knows_ages=knows_ages, backlog_s=backlog_s
            )
            for rule_id, one in values.items()
        }
