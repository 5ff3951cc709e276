"""Read the past values of one rule's signal in chunks, equal to the values of live rounds.

Laws:

1. A replay uses the functions and the masks of live rounds. With the step of live rounds it gives
   their values. With a longer step, the value of a step is the worst of its readings.
2. Memory is bounded by the size of a chunk: some hundred thousand readings, or a month of hours.
3. Hours are computed from the stored readings, because only the newest days are stored by hour.
   Areas count the flows that enter into energy by default, without the rules of a plan.
4. Consumption by day and indicators are taken from the store. An indicator has values only for days
   on which the analytics computed it. An import of old readings adds no values for past days.
5. In the past, meters may have been read at longer intervals than `site.toml` has today. Therefore
   values hold for at least 2.5 times the median interval between the readings of a chunk.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics import periods
from analytics.alerts.alert import SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.signals.profile_deviation import PROFILE_DAYS
from analytics.alerts.signals.sampling import HELD_INTERVALS, Readings, joined, row_time_keys
from analytics.alerts.signals.signal_rounds import SignalRounds
from analytics.alerts.signals.signal_table import (
    FUNCTIONS,
    AgeSignal,
    ComputedSignal,
    SampledSignal,
)
from analytics.calendar.hour_grid import HourConsumption, hour_grid
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.computed_reader import day_values
from analytics.pipeline.signals.newest_messages import NewestMessages
from analytics.pipeline.signals.reading_feed import FeedSource, FieldReader
from analytics.pipeline.signals.register_hours import RegisterHours
from analytics.pipeline.signals.signal_plans import RulePlan, SeriesKey, computed_rule, plan_of
from analytics.pipeline.signals.stored_series import StoredSeries
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_READINGS: Final = 500_000
_MAX_STEPS: Final = 2_000
#: Least number of readings of a row from which its interval is computed.
_FEWEST_READINGS: Final = 10
#: Greatest growth of a chunk that turns out to have few readings.
_LONGEST_GROWTH: Final = 8
_HOUR_WINDOW: Final = timedelta(days=31)
_DAY_WINDOW: Final = timedelta(days=366)


class SignalReplay:
    """Reader of past values of signals of a site.

    Args:
        folder: the site.
        store: the store, prepared.
        calendar: the working calendar.
    """

    def __init__(self, folder: SiteFolder, store: Store, calendar: WorkingCalendar) -> None:
        self._folder = folder
        self._site = folder.site
        self._store = store
        self._calendar = calendar

    def values(
        self, rule: AlertRule, start_ms: int, end_ms: int, step_ms: int
    ) -> AsyncIterator[SignalValues]:
        """Yield the values of a rule's signal after `start_ms`, up to `end_ms` [UTC, ms].

        `step_ms` is the length of a step of signals of readings and ages [ms]. Signals of hours,
        days and indicators have their own steps.
        """
        match FUNCTIONS[rule.signal]:
            case SampledSignal() as signal:
                return self._sampled(rule, signal, start_ms, end_ms, step_ms)
            case AgeSignal() as signal:
                return self._ages(rule, signal, start_ms, end_ms, step_ms)
            case ComputedSignal(source="hours" | "nights" | "area_hours") as signal:
                return self._hours(rule, signal, start_ms, end_ms)
            case ComputedSignal() as signal:
                return self._days(rule, signal, start_ms, end_ms)

    async def _sampled(
        self, rule: AlertRule, signal: SampledSignal, start_ms: int, end_ms: int, step_ms: int
    ) -> AsyncIterator[SignalValues]:
        plan = plan_of(rule, signal, self._folder, self._calendar, step_ms)
        seen_ms = np.full(plan.rows.count, start_ms, dtype=np.int64)
        rounds = SignalRounds(signal, plan.rows, plan.mask, seen_ms)
        before_ms = signal.lookback_ms + int(plan.rows.hold_ms.max(initial=0))
        async for readings, _ in self._chunks(plan, start_ms - before_ms, end_ms + 1):
            if rule.signal != "failed_polls" and len(readings.rows):
                rounds.set_hold(_held(plan, readings, step_ms))
            rounds.add_rows(readings, np.arange(len(plan.row_ids)))
            while (found := rounds.next_values(_MAX_STEPS)) is not None:
                ids = tuple(plan.subjects[number] for number in found.subjects.tolist())
                yield SignalValues(ids, found.times_ms, found.values)

    async def _ages(
        self, rule: AlertRule, signal: AgeSignal, start_ms: int, end_ms: int, step_ms: int
    ) -> AsyncIterator[SignalValues]:
        plan = plan_of(rule, signal, self._folder, self._calendar, step_ms)
        newest, since = np.zeros((2, len(plan.row_ids)), dtype=np.int64)
        for key in dict.fromkeys(plan.series):
            rows = [row for row, of_row in enumerate(plan.series) if of_row == key]
            ids = [plan.row_ids[row] for row in rows]
            messages = NewestMessages(self._store, self._source(key), ids, signal.wanted)
            for number, row in enumerate(rows):
                newest[row] = await messages.last_before_ms(number, start_ms + 1)
                since[row] = await messages.first_poll_ms(number)
        done = start_ms // step_ms
        async for readings, chunk_end_ms in self._chunks(plan, start_ms + 1, end_ms + 1):
            last = min(chunk_end_ms - 1, end_ms) // step_ms
            times_ms = np.arange(done + 1, last + 1, dtype=np.int64) * step_ms
            counts = np.ones(len(readings.rows), dtype=np.bool_)
            if signal.wanted is not None:
                counts = readings.values == signal.wanted
            wanted = readings.chosen(counts)
            ages = signal.function(_newest(wanted, newest, times_ms), since, times_ms)
            np.maximum.at(newest, wanted.rows, wanted.times_ms)
            done = max(done, last)
            yield SignalValues(plan.subjects, times_ms, np.where(plan.mask(times_ms), ages, np.nan))

    async def _chunks(
        self, plan: RulePlan, start_ms: int, end_ms: int
    ) -> AsyncIterator[tuple[Readings, int]]:
        """Yield the readings of a plan's rows in chunks, and the end of each chunk."""
        readers: list[tuple[FieldReader, NDArray[np.int64]]] = []
        for key in dict.fromkeys(plan.series):
            rows = [row for row, of_row in enumerate(plan.series) if of_row == key]
            ids = [plan.row_ids[row] for row in rows]
            reader = FieldReader(self._store, self._source(key), ids)
            readers.append((reader, np.array(rows, dtype=np.int64)))
        if not readers:
            return
        usual_ms = int(_MAX_READINGS / float((1.0 / plan.interval_ms).sum()))
        length_ms = usual_ms
        while start_ms < end_ms:
            until_ms = min(start_ms + length_ms, end_ms)
            parts = [
                _of_rows(await reader.read(start_ms, until_ms), rows) for reader, rows in readers
            ]
            found = parts[0] if len(parts) == 1 else joined(parts)
            yield found, until_ms
            start_ms = until_ms
            is_small = len(found.rows) < _MAX_READINGS // 4
            length_ms = min(length_ms * 2, usual_ms * _LONGEST_GROWTH) if is_small else usual_ms

    async def _hours(
        self, rule: AlertRule, signal: ComputedSignal, start_ms: int, end_ms: int
    ) -> AsyncIterator[SignalValues]:
        one = computed_rule(rule, signal, self._site, self._calendar)
        is_area = signal.source == "area_hours"
        source = RegisterHours(self._folder, self._store, one.subjects, is_area=is_area)
        zone = self._site.zone
        first = periods.local_day(start_ms, zone)
        end = periods.local_day(end_ms, zone) + timedelta(days=1)
        begin = first - timedelta(days=PROFILE_DAYS)
        known: HourConsumption | None = None
        window = begin
        while window < end:
            following = min(window + _HOUR_WINDOW, end)
            new = await source.hours(hour_grid(window, following, zone, self._calendar))
            known = new if known is None else self._joined(known, new)
            first_new = max((max(window, first) - known.grid.days[0]).days, 0)
            if following > first:
                rows = list(range(len(one.subjects)))
                values = one.of_hours(known, rows, first_new, end_ms)
                yield _after(values, start_ms)
            window = following

    def _joined(self, known: HourConsumption, new: HourConsumption) -> HourConsumption:
        """Return new hours, preceded by the earlier hours that enter into their profile."""
        start = max(known.grid.days[0], new.grid.days[0] - timedelta(days=PROFILE_DAYS))
        end = new.grid.days[-1] + timedelta(days=1)
        grid = hour_grid(start, end, self._site.zone, self._calendar)
        count = len(grid.ends_ms)
        return HourConsumption(
            grid,
            np.concatenate([known.amounts, new.amounts], axis=1)[:, -count:],
            np.concatenate([known.coverage, new.coverage], axis=1)[:, -count:],
        )

    async def _days(
        self, rule: AlertRule, signal: ComputedSignal, start_ms: int, end_ms: int
    ) -> AsyncIterator[SignalValues]:
        one = computed_rule(rule, signal, self._site, self._calendar)
        series = StoredSeries(self._site, self._store)
        day = periods.local_day(start_ms, self._site.zone)
        end = periods.local_day(end_ms, self._site.zone)
        while day <= end:
            last = min(day + _DAY_WINDOW, end)
            values = await day_values(one, series, self._site, day, last, end_ms)
            yield _after(values, start_ms)
            day = last + timedelta(days=1)

    def _source(self, key: SeriesKey) -> FeedSource:
        return FeedSource(self._site.id, key.measurement, key.tag, key.fields)


def _of_rows(readings: Readings, rows: "NDArray[np.int64]") -> Readings:
    """Return readings with the row numbers of the plan, which ascend."""
    return Readings(rows[readings.rows], readings.times_ms, readings.steps, readings.columns)


def _held(plan: RulePlan, readings: Readings, step_ms: int) -> "NDArray[np.int64]":
    """Return the time for which a value of each row holds in a chunk [ms] (law 5)."""
    interval_ms = plan.interval_ms.copy()
    rows, first = np.unique(readings.rows, return_index=True)
    for row, times_ms in zip(rows.tolist(), np.split(readings.times_ms, first[1:]), strict=True):
        if len(times_ms) >= _FEWEST_READINGS:
            interval_ms[row] = max(interval_ms[row], int(np.median(np.diff(times_ms))))
    return np.maximum((interval_ms * HELD_INTERVALS).astype(np.int64), step_ms)


def _newest(
    readings: Readings, before_ms: "NDArray[np.int64]", times_ms: "NDArray[np.int64]"
) -> "NDArray[np.int64]":
    """Return the time of each row's newest reading at each time, shape (rows, n)."""
    rows = np.arange(len(before_ms))
    if not len(readings.rows):
        return np.broadcast_to(before_ms[:, None], (len(rows), len(times_ms))).copy()
    wanted = row_time_keys(rows[:, None], times_ms[None, :])
    last = np.searchsorted(readings.keys, wanted, side="right") - 1
    index = np.maximum(last, 0)
    is_own = (last >= 0) & (readings.rows[index] == rows[:, None])
    found: NDArray[np.int64] = np.where(is_own, readings.times_ms[index], before_ms[:, None])
    return found


def _after(values: SignalValues, start_ms: int) -> SignalValues:
    """Return the values after a time, marked as values that follow each other."""
    is_after = values.times_ms > start_ms
    return SignalValues(values.subjects, values.times_ms[is_after], values.values[:, is_after])
