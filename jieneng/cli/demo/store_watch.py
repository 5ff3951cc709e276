"""Read readings, counts and figures from the store while the demo runs."""

from collections.abc import Sequence
from typing import Final

import msgspec

from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.texts.alert_row import alert_rows
from analytics.pipeline import report_reader
from analytics.pipeline.alerting.current_alerts import CurrentAlerts, current_alerts
from analytics.pipeline.pipeline import Pipeline
from analytics.report import page
from analytics.report.report_data import PageData
from ingest import ledger
from jieneng.cli.demo.demo_folder import PAGE_FILE
from jieneng.cli.demo.demo_processes import Service
from jieneng.cli.demo.live_screen import DemoSnapshot
from jieneng.cli.options import tr
from jieneng.clock import Clock
from jieneng.locale import preferred
from jieneng.locale.finding_text import labels
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Interval at which the running year's figures and the page are renewed [s].
_FIGURES_S: Final = 20.0
#: The plan's last year. Its verdicts are final, and the page reports it.
_VERDICT: Final = "2025"
_LEDGER_MS: Final = 10 * 60 * 1000
#: Time for which an alert that is over is shown [ms].
_ENDED_MS: Final = 10 * 60 * 1000


class StoreWatch:
    """Reads the demo's store; computes the figures again only every `_FIGURES_S`."""

    def __init__(
        self,
        folder: SiteFolder,
        store: Store,
        pipeline: Pipeline,
        rules: AlertRules,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._store = store
        self._pipeline = pipeline
        self._rules = rules
        self._clock = clock
        self._page_file = folder.path / PAGE_FILE
        self._labels = labels(folder.site)
        self._began_s = clock.monotonic()
        self._renewed_s = float("-inf")
        self._verdict: PageData | None = None
        self._running: PageData | None = None
        self._shown_phases: frozenset[tuple[str, str]] = frozenset()

    async def snapshot(self, services: Sequence[Service]) -> DemoSnapshot:
        """Return the content of the screen now."""
        site, now_ms = self._folder.site, self._clock.now_ms()
        alerts = await current_alerts(site, self._rules, self._store, now_ms)
        verdict, running = await self._figures(alerts, now_ms)
        return DemoSnapshot(
            site_name=site.site.name,
            folder=self._folder.path,
            page=self._page_file,
            elapsed_s=self._clock.monotonic() - self._began_s,
            scopes=verdict.scopes,
            periods=tuple(dict.fromkeys((verdict.period, running.period))),
            figures=(*verdict.figures, *running.figures),
            readings=await report_reader.latest_readings(self._store, site, now_ms),
            accounts=await ledger.latest_ledgers(
                self._store, site.id, start_ms=now_ms - _LEDGER_MS, end_ms=now_ms + 1
            ),
            alerts=tuple(
                alert_rows(
                    alerts.alerts,
                    self._rules,
                    tr,
                    self._labels,
                    now_ms,
                    since_ms=now_ms - _ENDED_MS,
                )
            ),
            services=tuple((service.name, service.pid, service.restarts) for service in services),
        )

    async def _figures(self, alerts: CurrentAlerts, now_ms: int) -> tuple[PageData, PageData]:
        """Return the data of the plan's last year and the running year.

        The page is written when they are renewed, and when an alert fires or ends.
        """
        if self._verdict is None:
            self._verdict = await self._page_data(_VERDICT, now_ms)
        phases = frozenset((one.key, one.phase) for one in alerts.alerts)
        is_due = self._clock.monotonic() - self._renewed_s > _FIGURES_S
        if self._running is None or is_due:
            year = f"{report_reader.local_time(now_ms, self._folder.site):%Y}"
            self._running = await self._page_data(year, now_ms)
            self._renewed_s = self._clock.monotonic()
        if is_due or phases != self._shown_phases:
            self._shown_phases = phases
            self._write_page(alerts, now_ms, self._running)
        return self._verdict, self._running

    async def _page_data(self, period: str, now_ms: int) -> PageData:
        return await report_reader.page_data(self._pipeline, self._store, period, now_ms)

    def _write_page(self, alerts: CurrentAlerts, now_ms: int, running: PageData) -> None:
        assert self._verdict is not None  # noqa: S101 - made before the running year's
        data = msgspec.structs.replace(
            self._verdict,
            generated=report_reader.local_time(now_ms, self._folder.site),
            readings=running.readings,
            alerts=alerts.alerts,
            alert_rules=self._rules,
        )
        text = page.render(data, tr, language=preferred())
        unfinished = self._page_file.with_suffix(".new")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self._page_file)
