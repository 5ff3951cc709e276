"""Run the alerts: evaluate, store, send, until cancelled. A task of the analytics service.

Laws:

1. A notice goes to the outbox first; then the states of its alerts go to the store; then the
   notice is sent. A process that is killed between two of these steps plans the same notices with
   the same ids after its restart, and the outbox adds each notice only once.
2. One copy of the service has the lead (`analytics.alerts.lead`). Only the copy with the lead
   evaluates rules, writes states and plans notices. Every copy sends the notices of its own outbox.
3. A round is one pass over all rules. A round that fails is repeated. Notices that were not queued
   and states that were not stored stay in memory.
4. `alerts.toml` is read again when it changes. If the new file has mistakes, they are logged once,
   and the previous rules stay in force.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry

from analytics.alert_metrics import AlertMetrics
from analytics.alerts.alert import Alert, AlertMark, Notice
from analytics.alerts.alert_files import ALERTS_FILE, load_alert_rules
from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.delivery.notice_dispatch import NoticeDispatch
from analytics.alerts.delivery.notice_outbox import NoticeOutbox
from analytics.alerts.delivery.notice_routes import NoticeRoutes
from analytics.alerts.delivery.outbox_entry import QueuedNotice
from analytics.alerts.intake import Intake
from analytics.alerts.lead import STALE_MS, Claim, Lead
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.alerting.alert_evaluator import AlertEvaluator
from analytics.pipeline.alerting.alert_store import AlertStore, Round
from analytics.pipeline.alerting.state_writes import StateWrites
from analytics.settings import AlertSettings
from jieneng.clock import Clock
from jieneng.metering.errors import ConfigError, OutboxUnavailable, StoreUnavailable
from jieneng.observe import SevereFault, log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Steps of a round that catches up with a backlog of readings.
_MAX_STEPS: Final = 20


class AlertService:
    """The alerts of a site.

    Args:
        folder: the site.
        settings: table `[alerts]` of `analytics.toml`.
        clock: clock of the service.
        store: the store; the service prepares it.
        registry: registry to which the metrics are added.
        intake: state of the path by which readings reach the store.

    Raises:
        ConfigError: `alerts.toml` has mistakes.
    """

    def __init__(
        self,
        folder: SiteFolder,
        settings: AlertSettings,
        clock: Clock,
        store: Store,
        registry: CollectorRegistry,
        intake: Intake | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._store = store
        self._metrics = AlertMetrics(registry)
        self._log = log("analytics")
        self._intake = Intake() if intake is None else intake
        self._alerts = AlertStore(folder.site.id, store)
        self._outbox = NoticeOutbox(folder.path / settings.outbox)
        self._dispatch = NoticeDispatch(
            self._outbox,
            folder.site,
            folder.path,
            clock,
            self._log,
            self._metrics.count_notices,
        )
        self._store_fault = SevereFault(self._log, "alerts can't be evaluated")
        self._outbox_fault = SevereFault(self._log, "notices can't be queued")
        self._round_fault = SevereFault(self._log, "alert round failed")
        self._rules_fault = SevereFault(self._log, "alerts.toml has mistakes, old rules stay")
        self._file_id = self._identity_of_rules()
        self._use(load_alert_rules(folder.path, folder.site))
        self._is_prepared = False
        self._lead: Lead | None = None
        self._evaluator: AlertEvaluator | None = None
        self._marks: tuple[AlertMark, ...] = ()
        self._writes = StateWrites({})
        self._unqueued: list[QueuedNotice] = []

    async def run(self) -> None:
        """Evaluate rules and send notices until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._dispatch.run(), name="notices")
                tasks.create_task(self._run_rounds(), name="alert rounds")
        finally:
            self._outbox.close()

    async def _run_rounds(self) -> None:
        while True:
            begun_s = self._clock.monotonic()
            await self.attempt_round()
            spent_s = self._clock.monotonic() - begun_s
            self._metrics.seconds.observe(spent_s)
            await self._clock.sleep(self._pause_s(spent_s))

    def _pause_s(self, spent_s: float) -> float:
        """Return the time to the next round [s]: shorter if a waiting notice is due earlier."""
        pause_s = max(self._settings.every_s - spent_s, 0.0)
        waits_until_ms = 0 if self._evaluator is None else self._evaluator.waits_until_ms
        if not waits_until_ms:
            return pause_s
        return min(pause_s, max((waits_until_ms - self._clock.now_ms()) / 1000, 0.0))

    async def attempt_round(self) -> None:
        """Run a round. Log a failure once; the next round repeats the work."""
        outcome = "ok"
        try:
            await self._round()
        except StoreUnavailable as error:
            outcome = "store_unavailable"
            self._store_fault.report(error)
            await self._evaluate_blind()
        except Exception as error:  # noqa: BLE001 - the outermost loop
            outcome = "failed"
            self._round_fault.report(repr(error), exc_info=True)
            self._evaluator = None
        else:
            self._store_fault.clear()
            self._round_fault.clear()
            self._metrics.success.set(self._clock.now_ms() / 1000)
        self._metrics.rounds.labels(outcome).inc()

    async def _round(self) -> None:
        begun_s, now_ms = self._clock.monotonic(), self._clock.now_ms()
        if not self._is_prepared:
            await self._store.prepare()
            self._is_prepared = True
        self._reload_rules()
        lead = await self._look(now_ms)
        if lead.is_holder:
            await self._evaluate()
        else:
            self._evaluator = None
        alerts: Sequence[Alert] = list(self._evaluator.alerts.values()) if self._evaluator else []
        await self._alerts.write_round(
            Round(
                copy=lead.copy,
                at_ms=now_ms,
                is_holder=lead.has_claim,
                watched=len(alerts),
                firing=sum(alert.phase == "firing" for alert in alerts),
                duration_s=self._clock.monotonic() - begun_s,
            )
        )
        self._metrics.holder.set(lead.is_holder)
        self._metrics.show_alerts(alerts)
        self._metrics.show_outbox(await asyncio.to_thread(self._outbox.counts))

    async def _look(self, now_ms: int) -> Lead:
        """Read the rounds of all copies, and decide which copy has the lead."""
        if self._lead is None:
            self._lead = Lead(await self._copy())
        rounds = await self._alerts.rounds(now_ms - 2 * STALE_MS, now_ms + STALE_MS)
        claims = {key: Claim(one.at_ms, one.is_holder) for key, one in rounds.items()}
        was_holder = self._lead.is_holder
        self._lead.look(claims, now_ms)
        if was_holder != self._lead.is_holder:
            self._log.info("alert lead", copy=self._lead.copy, holder=self._lead.is_holder)
        return self._lead

    async def _copy(self) -> str:
        """Return the id of this copy: the id in its outbox, or a new id if the outbox fails."""
        try:
            return await asyncio.to_thread(self._outbox.copy)
        except OutboxUnavailable as error:
            self._outbox_fault.report(error)
            return secrets.token_hex(4)

    async def _evaluate(self) -> None:
        """Advance all alerts to now, and hand over the notices that are due.

        The states are read from the store if there is no evaluator: at the start, after this copy
        took the lead, after the rules changed, and after a failure.
        """
        now_ms = self._clock.now_ms()
        if self._evaluator is None:
            stored = await self._alerts.states(now_ms)
            self._writes = StateWrites(stored)
            self._unqueued.clear()
            since_ms = await self._alerts.last_evaluation_ms()
            self._evaluator = self._new_evaluator(stored, since_ms)
        self._marks = await self._alerts.marks(now_ms)
        for _ in range(_MAX_STEPS):
            now_ms = self._clock.now_ms()
            notices = await self._evaluator.step(self._marks, now_ms)
            await self._hand_over(notices, now_ms)
            if not self._evaluator.is_behind:
                return

    async def _evaluate_blind(self) -> None:
        """Evaluate the silence of the ingest while the store can't be read; see `step_blind`."""
        if self._evaluator is not None:
            now_ms = self._clock.now_ms()
            with suppress(StoreUnavailable):
                await self._hand_over(self._evaluator.step_blind(self._marks, now_ms), now_ms)

    async def _hand_over(self, notices: Sequence[Notice], now_ms: int) -> None:
        """Put notices into the outbox, then the states of their alerts into the store."""
        self._unqueued += [
            QueuedNotice(
                notice=notice,
                receiver=one.receiver,
                due_ms=one.due_ms,
                is_digest=one.is_digest,
            )
            for notice in notices
            for one in self._routes.assign(notice, now_ms)
        ]
        for notice in notices:
            self._log.info("notice", id=notice.id, severity=notice.severity, group=notice.group)
        if self._unqueued:
            try:
                await asyncio.to_thread(self._outbox.add, tuple(self._unqueued), now_ms)
            except OutboxUnavailable as error:
                # The states mark these notices as announced, so they must not be stored either.
                self._outbox_fault.report(error)
                return
            self._unqueued.clear()
        self._outbox_fault.clear()
        assert self._evaluator is not None  # noqa: S101 - the evaluator made these notices
        alerts = self._evaluator.alerts
        due = self._writes.due(alerts, now_ms)
        try:
            if due:
                await self._alerts.write_states(due, now_ms)
                self._writes.note(due, alerts, now_ms)
            await self._alerts.write_episodes(self._evaluator.episodes)
            self._evaluator.episodes.clear()
        finally:
            if notices:
                self._dispatch.wake()

    def _reload_rules(self) -> None:
        found = self._identity_of_rules()
        if found == self._file_id:
            return
        self._file_id = found
        try:
            rules = load_alert_rules(self._folder.path, self._folder.site)
        except ConfigError as error:
            self._rules_fault.report("; ".join(map(str, error.problems)))
            return
        self._rules_fault.clear()
        self._use(rules)
        self._evaluator = None
        self._log.info("alert rules are read again", rules=len(rules.rules))

    def _use(self, rules: AlertRules) -> None:
        site = self._folder.site
        self._rules = rules
        self._calendar = WorkingCalendar(rules.hours, site.zone)
        self._routes = NoticeRoutes(rules, site, self._calendar)
        self._dispatch.use(rules)

    def _new_evaluator(self, alerts: dict[str, Alert], since_ms: int) -> AlertEvaluator:
        return AlertEvaluator(
            self._folder,
            self._store,
            self._rules,
            self._calendar,
            self._intake,
            alerts,
            since_ms,
        )

    def _identity_of_rules(self) -> tuple[int, int] | None:
        """Return time and size of `alerts.toml`; None if there is none."""
        try:
            found = (self._folder.path / ALERTS_FILE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
