"""Read the values of the signals of all rules in rounds.

Laws:

1. A round sends one query for each measurement and field that any rule watches, and a few more
   while subjects return after a silence (`reading_feed`). Rules that watch the same field share the
   query.
2. Values outside the hours of a rule, and values of meters that are not in place, are NaN.
3. Signals of hours, days and indicators are read as often as they can change (`computed_reader`).
4. After a round that fails, the next round continues where the last successful round ended.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.alerts.alert import SignalValues
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.signals.signal_rounds import SignalRounds
from analytics.alerts.signals.signal_table import FUNCTIONS, AgeSignal, SampledSignal
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.computed_reader import ComputedReader
from analytics.pipeline.signals.computed_values import ComputedRule
from analytics.pipeline.signals.hour_resolution import HourResolution
from analytics.pipeline.signals.newest_messages import NewestMessages
from analytics.pipeline.signals.reading_feed import FeedSource, FieldReader, ReadingFeed
from analytics.pipeline.signals.signal_plans import RulePlan, SeriesKey, computed_rule, plan_of
from analytics.pipeline.signals.signal_replay import SignalReplay
from analytics.pipeline.signals.stored_series import StoredSeries
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.alerts.signals.sampling import Readings

#: Greatest number of steps of a round; a backlog of readings is evaluated in several rounds.
_MAX_STEPS: Final = 2_000


class _SampledRule(msgspec.Struct):
    """A rule on readings, polls or statuses, with the state of its evaluation.

    Attributes:
        plan: the rows of the rule.
        rounds: the evaluation.
        rows: by series, the row of the rule for each row of the feed; -1 for none.
    """

    plan: RulePlan
    rounds: SignalRounds
    rows: "dict[SeriesKey, NDArray[np.int64]]" = msgspec.field(default_factory=dict)


class SignalReader:
    """Reader of the signals of a site's rules.

    Args:
        folder: the site.
        store: the store, prepared.
        rules: the rules.
        calendar: the working calendar.
        since_ms: time of the last round of the service before its start [UTC, ms], from which on
            readings are evaluated, at most 40 days back; 0 if there was none.
    """

    def __init__(
        self,
        folder: SiteFolder,
        store: Store,
        rules: AlertRules,
        calendar: WorkingCalendar,
        since_ms: int = 0,
    ) -> None:
        self._folder = folder
        self._store = store
        self._sampled: list[_SampledRule] = []
        self._aged: list[tuple[RulePlan, AgeSignal]] = []
        computed: list[ComputedRule] = []
        for rule in rules.rules:
            signal = FUNCTIONS[rule.signal]
            if isinstance(signal, SampledSignal):
                plan = plan_of(rule, signal, folder, calendar)
                self._sampled.append(_SampledRule(plan, SignalRounds(signal, plan.rows, plan.mask)))
            elif isinstance(signal, AgeSignal):
                self._aged.append((plan_of(rule, signal, folder, calendar), signal))
            else:
                computed.append(computed_rule(rule, signal, folder.site, calendar))
        self._replay = SignalReplay(folder, store, calendar)
        series = StoredSeries(folder.site, store)
        resolution = HourResolution(folder.site, store, trusts_polls=True)
        self._computed = ComputedReader(folder.site, series, resolution, computed, calendar)
        self._feeds = self._make_feeds(since_ms)
        self._newest = self._make_newest()

    @property
    def is_behind(self) -> bool:
        """True if more values can be read at once, because they did not fit into the last round."""
        return (
            self._computed.is_behind
            or any(feed.is_behind for feed in self._feeds.values())
            or any(one.rounds.is_behind for one in self._sampled)
        )

    async def read(self, now_ms: int) -> dict[str, SignalValues]:
        """Return the new values by the id of the rule, without rules that have no new values.

        Args:
            now_ms: the time [UTC, ms].
        """
        found: dict[str, SignalValues] = {}
        for key, feed in self._feeds.items():
            self._give(key, await feed.next_readings(now_ms))
        for one in self._sampled:
            values = one.rounds.next_values(_MAX_STEPS)
            if values is not None:
                ids = tuple(one.plan.subjects[number] for number in values.subjects.tolist())
                found[one.plan.rule.id] = SignalValues(ids, values.times_ms, values.values)
        for newest in self._newest.values():
            await newest.update(now_ms)
        for plan, signal in self._aged:
            found[plan.rule.id] = self._ages(plan, signal, now_ms)
        return found | await self._computed.next_values(now_ms)

    def replay(
        self, rule: AlertRule, start_ms: int, end_ms: int, step_s: float = 60.0
    ) -> AsyncIterator[SignalValues]:
        """Yield the past values of a rule's signal, in chunks that follow each other in time.

        Args:
            rule: the rule; it need not be one of the reader's.
            start_ms: time after which the values lie [UTC, ms].
            end_ms: time up to which they lie [UTC, ms].
            step_s: length of a step of signals of readings and ages [s]; the worst value of a step
                counts. Signals of hours, days and indicators have their own.
        """
        return self._replay.values(rule, start_ms, end_ms, round(step_s * 1000))

    def _make_feeds(self, since_ms: int) -> dict[SeriesKey, ReadingFeed]:
        """Return a feed for each of the series that the rules need."""
        wanted: dict[SeriesKey, dict[str, int]] = {}
        for one in self._sampled:
            intervals = one.plan.interval_ms.tolist()
            for (key, row_id), interval_ms in zip(_rows_of(one.plan), intervals, strict=True):
                rows = wanted.setdefault(key, {})
                rows[row_id] = min(interval_ms, rows.get(row_id, interval_ms))
        for one in self._sampled:
            own = {row: number for number, row in enumerate(_rows_of(one.plan))}
            for key in dict.fromkeys(one.plan.series):
                numbers = [own.get((key, row_id), -1) for row_id in wanted[key]]
                one.rows[key] = np.array(numbers, dtype=np.int64)
        return {
            key: ReadingFeed(
                FieldReader(self._store, self._source(key), tuple(rows)),
                np.array(list(rows.values()), dtype=np.int64),
                since_ms,
            )
            for key, rows in wanted.items()
        }

    def _make_newest(self) -> dict[SeriesKey, NewestMessages]:
        wanted: dict[SeriesKey, tuple[dict[str, None], float | None]] = {}
        for plan, signal in self._aged:
            for key, row_id in _rows_of(plan):
                wanted.setdefault(key, ({}, signal.wanted))[0][row_id] = None
        return {
            key: NewestMessages(self._store, self._source(key), tuple(ids), value)
            for key, (ids, value) in wanted.items()
        }

    def _give(self, key: SeriesKey, readings: "Readings") -> None:
        """Pass new readings of a feed to the rules that watch them."""
        for one in self._sampled:
            if key in one.rows and len(readings.rows):
                one.rounds.add_rows(readings, one.rows[key])

    def _ages(self, plan: RulePlan, signal: AgeSignal, now_ms: int) -> SignalValues:
        """Return the ages of a rule's subjects now."""
        newest_ms, since_ms = np.zeros((2, len(plan.row_ids)), dtype=np.int64)
        for number, (key, row_id) in enumerate(_rows_of(plan)):
            newest_ms[number], since_ms[number] = self._newest[key].of(row_id)
        times_ms = np.array([now_ms], dtype=np.int64)
        ages = signal.function(newest_ms[:, None], since_ms, times_ms)
        return SignalValues(plan.subjects, times_ms, np.where(plan.mask(times_ms), ages, np.nan))

    def _source(self, key: SeriesKey) -> FeedSource:
        return FeedSource(self._folder.site.id, key.measurement, key.tag, key.fields)


def _rows_of(plan: RulePlan) -> "list[tuple[SeriesKey, str]]":
    return list(zip(plan.series, plan.row_ids, strict=True))
