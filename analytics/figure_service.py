"""Keep consumption and figures up to date, until cancelled. A task of the analytics service.

Laws:

1. A round is a table of steps. Consumption is the first step. If it fails, the round ends, because
   all other steps use the consumption. If another step fails, the steps after it still run.
2. If the store is not available, the round ends. This is logged once. The step that was interrupted
   comes last in the next round. So a query that always takes too long does not delay other steps.
3. Only the loop over the steps catches all errors. It logs them, and the next round tries again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from analytics import periods
from analytics.figures.figure import Figure
from analytics.pipeline.pipeline import Pipeline
from analytics.round_step import DailyWriter, RoundStep, Update
from analytics.settings import AnalyticsSettings
from jieneng.clock import Clock
from jieneng.metering.errors import StoreUnavailable
from jieneng.observe import log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: A day before all readings.
BEGIN: Final = date(1980, 1, 1)

#: Step of the figures of running periods.
INDICATORS: Final = "indicators"
#: Outcome of a round.
Outcome = Literal["ok", "failed", "store_unavailable"]


class FigureMetrics:
    """Metrics of the figures, for Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.cycles = Counter(
            "jieneng_analytics_cycles", "Rounds of computing", ["outcome"], registry=registry
        )
        self.seconds = Histogram(
            "jieneng_analytics_cycle_seconds", "Duration of the last round", registry=registry
        )
        self.success = Gauge(
            "jieneng_analytics_last_success_timestamp_seconds",
            "Time of the last successful round, UTC",
            registry=registry,
        )
        self.failing = Gauge(
            "jieneng_analytics_step_failing",
            "1 while a step of the rounds fails, 0 otherwise",
            ["step"],
            registry=registry,
        )
        self.coverage = Gauge(
            "jieneng_analytics_coverage_ratio",
            "Lowest coverage of the running year's indicators",
            ["scope"],
            registry=registry,
        )

    def show_coverage(self, figures: Sequence[Figure], today: date) -> None:
        """Set the lowest coverage of each scope's indicators in the running year."""
        least: dict[str, float] = {}
        for figure in figures:
            if figure.coverage is not None and figure.period == f"{today:%Y}":
                least[figure.scope] = min(least.get(figure.scope, 1.0), figure.coverage)
        for scope, coverage in least.items():
            self.coverage.labels(scope).set(coverage)


class FigureService:
    """Computes recent days at short intervals, and gaps of earlier days at longer intervals.

    Args:
        folder: the site.
        settings: settings of the analytics.
        clock: clock of the service.
        store: the store; the service prepares it once it is available.
        pipeline: the pipeline of the site on this store.
        metrics: the metrics.
        writers: writers of figures, by the names of their steps.
    """

    def __init__(
        self,
        folder: SiteFolder,
        settings: AnalyticsSettings,
        clock: Clock,
        store: Store,
        pipeline: Pipeline,
        metrics: FigureMetrics,
        writers: Mapping[str, DailyWriter],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._store = store
        self._pipeline = pipeline
        self._metrics = metrics
        self._log = log("analytics")
        self._consumption = self._step("consumption", self._update_consumption)
        self._figures = [self._step(name, writer.update) for name, writer in writers.items()]
        self._outage = ""
        self._caught_up = False
        self._last_gap_check_s = float("-inf")

    def _step(self, name: str, update: Update) -> RoundStep:
        return RoundStep(name, update, self._metrics.failing, self._log)

    async def run(self) -> None:
        """Compute and publish until cancelled."""
        while True:
            begun = self._clock.monotonic()
            outcome = await self._run_round()
            self._metrics.cycles.labels(outcome).inc()
            if outcome == "ok":
                self._metrics.success.set(self._clock.now_ms() / 1000)
            self._metrics.seconds.observe(self._clock.monotonic() - begun)
            await self._clock.sleep(self._settings.every_s)

    def faults(self) -> list[str]:
        """Return the present faults of the figures, as sentences."""
        down = [f"the store is not available: {self._outage}"] if self._outage else []
        steps = self._consumption, *self._figures
        return [*down, *(fault for step in steps for fault in step.faults())]

    async def _run_round(self) -> Outcome:
        """Run the steps of a round, and return its outcome (laws 1 to 3)."""
        today = local_today(self._folder, self._clock)
        outcome: Outcome = "ok"
        for step in (self._consumption, *sorted(self._figures, key=lambda one: one.was_cut_off)):
            try:
                await step.run(today)
            except StoreUnavailable as error:
                step.was_cut_off = True
                self._note_outage(str(error), step.name)
                return "store_unavailable"
            except Exception as error:  # noqa: BLE001 - the outermost loop
                step.fail(error)
                outcome = "failed"
                if step is self._consumption:
                    break
        self._note_outage("")
        return outcome

    def _note_outage(self, reason: str, step: str = "") -> None:
        """Log that the store is not available, or that it is available again."""
        if reason and not self._outage:
            self._log.error("store unavailable", reason=reason, step=step)
        elif self._outage and not reason:
            self._log.info("store available again")
        self._outage = reason

    async def _update_consumption(self, today: date, _: Collection[date]) -> None:
        """Compute consumption of recent, missing and marked days; at longer intervals, of gaps."""
        yesterday = today - timedelta(days=1)
        first = today - timedelta(days=self._settings.late_days)
        since_s = self._clock.monotonic() - self._last_gap_check_s
        is_gap_check_due = since_s >= self._settings.late_every_s
        if not self._caught_up:
            await self._store.prepare()
            await self._pipeline.compute_missing_days(today, ignore_progress)
            await self._pipeline.recompute_changed(today, ignore_progress)
            self._caught_up = True
        marked = await self._pipeline.recompute_marked(BEGIN if is_gap_check_due else first, today)
        for step in self._figures:
            step.note_changed(marked)
        await self._pipeline.backfill(yesterday, today, ignore_progress)
        if is_gap_check_due:
            await self._pipeline.recompute_gaps(first, yesterday - timedelta(days=1))
            self._last_gap_check_s = self._clock.monotonic()
            for step in self._figures:
                if step.name == INDICATORS:
                    step.note_changed([first])


def local_today(folder: SiteFolder, clock: Clock) -> date:
    """Return the present local day of a site."""
    return periods.local_day(clock.now_ms(), folder.site.zone)


def ignore_progress(_: float) -> None:
    """Discard the progress."""
