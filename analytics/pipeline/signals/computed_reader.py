"""Read the signals of hours, nights, days and indicators, as often as they can change.

Laws:

1. The signals are read one minute after the end of each hour, and every five minutes: readings come
   in late, and the analytics computes the hours once a minute. Rules without changed values are
   left out of the result.
2. The values of a whole lookback are returned, because late data may have changed them
   (`is_replacement`). Subjects without any known value are left out.
3. After a start, the stored hours of the past are read once, one week in each round, so that no
   round takes long. Later only the last three days are read again: late data may change them.
4. Hours over which the consumption of a longer time was spread count as not covered
   (`hour_resolution`).
5. Hours are stored for `detail_days` of `analytics.toml`, 31 by default. With fewer days, the
   signals of hours have a shorter past to compare with.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from analytics import periods
from analytics.alerts.alert import SignalValues
from analytics.alerts.signals.meter_balance import BALANCE_DAYS
from analytics.alerts.signals.profile_deviation import PROFILE_DAYS
from analytics.alerts.signals.signal_table import ComputedSource
from analytics.calendar.hour_grid import FULL, HOUR_MS, HourConsumption, hour_grid
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.computed_values import ComputedRule
from analytics.pipeline.signals.hour_resolution import HourResolution
from analytics.pipeline.signals.stored_series import IndicatorDays, StoredSeries
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of the newest days that are evaluated again, today included. Hours are stored for 31 days,
#: of which the profile of the first evaluated day needs 28.
EVALUATED_DAYS: Final[Mapping[ComputedSource, int]] = {
    "hours": 3,
    "area_hours": 3,
    "nights": 14,
    "days": 14,
    "path": 30,
    "coverage": 30,
    "quota_share": 30,
    "quota_days": 30,
}
_HOUR_DAYS: Final = PROFILE_DAYS + EVALUATED_DAYS["hours"]
_SLICE_DAYS: Final = 7
_EVERY_MS: Final = 300_000
_AFTER_HOUR_MS: Final = 60_000
#: Stored field of an annual quota, by source.
_QUOTA_FIELDS: Final[Mapping[ComputedSource, str]] = {
    "quota_share": "least_used_pct",
    "quota_days": "short_days",
}
_KINDS: Final[Mapping[ComputedSource, Literal["meter", "area"]]] = {
    "hours": "meter",
    "nights": "meter",
    "area_hours": "area",
}


class _Hours:
    """The stored hours of some meters or areas, of the newest days."""

    def __init__(
        self,
        series: StoredSeries,
        resolution: HourResolution,
        kind: Literal["meter", "area"],
        rows: Sequence[tuple[str, Medium]],
    ) -> None:
        self._series = series
        self._resolution = resolution
        self._kind = kind
        self._rows = rows
        self.numbers = {row_id: number for number, (row_id, _) in enumerate(rows)}
        self._known: HourConsumption | None = None
        #: Slices that are still to be read: number of the first day, and of the day after the last.
        self._slices: list[tuple[int, int]] = []

    async def update(
        self, today: date, site: Site, calendar: WorkingCalendar
    ) -> HourConsumption | None:
        """Read a slice of the past hours, or the newest hours again (law 3).

        Returns:
            The hours of the newest days; None while some are still to be read.
        """
        known = self._known
        if known is None or known.grid.days[-1] != today:
            known = self._known = self._of_day(today, site, calendar)
        elif not self._slices:
            self._slices = [(_HOUR_DAYS - EVALUATED_DAYS["hours"], _HOUR_DAYS)]
        first, end = self._slices[0]
        days = known.grid.days
        grid = hour_grid(days[first], days[end - 1] + timedelta(days=1), site.zone, calendar)
        read = await self._series.hours(grid, self._kind, self._rows)
        measured = await self._resolution.measured(grid, tuple(self.numbers), read.coverage >= FULL)
        columns = (known.grid.day_numbers >= first) & (known.grid.day_numbers < end)
        known.amounts[:, columns] = read.amounts
        known.coverage[:, columns] = np.where(measured, read.coverage, 0.0)
        self._slices = self._slices[1:]
        return None if self._slices else known

    def _of_day(self, today: date, site: Site, calendar: WorkingCalendar) -> HourConsumption:
        """Return the hours of the days up to `today`, with the hours that were read before."""
        begin = today - timedelta(days=_HOUR_DAYS - 1)
        grid = hour_grid(begin, today + timedelta(days=1), site.zone, calendar)
        shape = len(self._rows), len(grid.ends_ms)
        found = HourConsumption(grid, np.full(shape, np.nan), np.zeros(shape))
        last = self._known
        if last is None or self._slices or last.grid.days[-1] + timedelta(days=1) != today:
            firsts = range(0, _HOUR_DAYS, _SLICE_DAYS)
            self._slices = [(one, min(one + _SLICE_DAYS, _HOUR_DAYS)) for one in firsts]
            return found
        _, old, new = np.intersect1d(last.grid.ends_ms, grid.ends_ms, return_indices=True)
        found.amounts[:, new] = last.amounts[:, old]
        found.coverage[:, new] = last.coverage[:, old]
        self._slices = [(_HOUR_DAYS - EVALUATED_DAYS["hours"] - 1, _HOUR_DAYS)]
        return found


class ComputedReader:
    """Reads the computed signals of a site's rules.

    Args:
        site: the site.
        series: its stored series.
        resolution: finds the hours that were measured.
        rules: the rules.
        calendar: the working calendar.

    Attributes:
        is_behind: True while hours of the past are still to be read.
    """

    def __init__(
        self,
        site: Site,
        series: StoredSeries,
        resolution: HourResolution,
        rules: Sequence[ComputedRule],
        calendar: WorkingCalendar,
    ) -> None:
        self._site = site
        self._series = series
        self._rules = rules
        self._calendar = calendar
        self.is_behind = False
        self._due_ms = 0
        self._last: dict[str, SignalValues] = {}
        self._hours: dict[str, _Hours] = {}
        for kind in ("meter", "area"):
            ids = dict.fromkeys(
                subject
                for one in rules
                if _KINDS.get(one.signal.source) == kind
                for subject in one.subjects
            )
            if ids:
                rows = [(one, medium_of(site, one)) for one in ids]
                self._hours[kind] = _Hours(series, resolution, kind, rows)

    async def next_values(self, now_ms: int) -> dict[str, SignalValues]:
        """Return the values of the rules whose values have changed, by the id of the rule."""
        if not self._rules or now_ms < self._due_ms:
            return {}
        today = periods.local_day(now_ms, self._site.zone)
        hours: dict[str, HourConsumption] = {}
        for kind, of_kind in self._hours.items():
            known = await of_kind.update(today, self._site, self._calendar)
            if known is not None:
                hours[kind] = known
        found = {}
        for one in self._rules:
            if _KINDS.get(one.signal.source) in self._hours.keys() - hours.keys():
                continue
            values = _known(await self._values(one, today, now_ms, hours))
            if not _is_equal(values, self._last.get(one.rule.id)):
                found[one.rule.id] = values
        self._last.update(found)
        self.is_behind = len(hours) < len(self._hours)
        if not self.is_behind:
            self._due_ms = min(now_ms + _EVERY_MS, _next_hour_ms(now_ms) + _AFTER_HOUR_MS)
        return found

    async def _values(
        self, one: ComputedRule, today: date, now_ms: int, hours: Mapping[str, HourConsumption]
    ) -> SignalValues:
        source = one.signal.source
        if source in _KINDS:
            kind = _KINDS[source]
            rows = [self._hours[kind].numbers[subject] for subject in one.subjects]
            first = _HOUR_DAYS - EVALUATED_DAYS[source]
            return one.of_hours(hours[kind], rows, first, now_ms)
        start = today - timedelta(days=EVALUATED_DAYS[source] - 1)
        return await day_values(one, self._series, self._site, start, today, now_ms)


async def day_values(
    one: ComputedRule,
    series: StoredSeries,
    site: Site,
    start: date,
    last: date,
    now_ms: int,
) -> SignalValues:
    """Return the values of a signal of days or indicators, for the days `start` to `last`."""
    end = last + timedelta(days=1)
    if one.signal.source == "days":
        before = start - timedelta(days=BALANCE_DAYS - 1)
        rows = [(subject, medium_of(site, subject)) for subject in one.subjects]
        balance = await series.balance(before, end, rows)
        ends = periods.edges_ms(before, end, "day", site.zone)[1:]
        return one.of_days(ends, one.signal.function(balance), now_ms, BALANCE_DAYS - 1)
    midnights = periods.edges_ms(start, end, "day", site.zone)[:-1]
    if one.signal.source in _QUOTA_FIELDS:
        quotas = await series.annual_quotas(_QUOTA_FIELDS[one.signal.source], start, end)
        return one.of_days(midnights, _of_quotas(one, quotas, len(midnights)), now_ms, 0)
    found = await series.indicators(start, end)
    return one.of_days(midnights, _of_indicators(one, found, len(midnights)), now_ms, 0)


def _of_indicators(one: ComputedRule, found: IndicatorDays, days: int) -> "NDArray[np.float64]":
    """Return the values of a signal of indicators, shape (m, days)."""
    numbers = {key: number for number, key in enumerate(found.keys)}
    unknown = len(found.keys)

    def rows(
        table: "NDArray[np.float64]", keys: Sequence[tuple[str, str]]
    ) -> "NDArray[np.float64]":
        padded = np.concatenate([table, np.full((1, days), np.nan)])
        return padded[[numbers.get(key, unknown) for key in keys]]

    if one.signal.source == "path":
        keys = [(scope, name) for scope, _, name in (s.partition("/") for s in one.subjects)]
        verdict = rows(found.has_verdict.astype(np.float64), keys) == 1.0
        values: NDArray[np.float64] = one.signal.function(
            rows(found.values, keys), rows(found.paths, keys), verdict
        )
        return values
    shares = [
        rows(found.coverage, [(scope, name) for name in INDICATORS]) for scope in one.subjects
    ]
    covered: NDArray[np.float64] = one.signal.function(
        np.array(shares).reshape(len(one.subjects), len(INDICATORS), days)
    )
    return covered


def _of_quotas(
    one: ComputedRule,
    quotas: "Mapping[tuple[str, str], Sequence[NDArray[np.float64]]]",
    days: int,
) -> "NDArray[np.float64]":
    """Return the values of a signal of annual quotas, shape (m, days)."""
    keys = [(scope, name) for scope, _, name in (s.partition("/") for s in one.subjects)]
    rows = [quotas.get(key, ()) for key in keys]
    table = np.full((len(rows), max(map(len, rows), default=0), days), np.nan)
    for number, of_subject in enumerate(rows):
        for place, row in enumerate(of_subject):
            table[number, place] = row
    values: NDArray[np.float64] = one.signal.function(table)
    return values


def medium_of(site: Site, subject: str) -> Medium:
    """Return the medium of a meter; electricity for an area."""
    meter = site.meters.get(subject)
    return "electricity" if meter is None else meter.medium


def _known(values: SignalValues) -> SignalValues:
    """Return the values without the subjects that have no known value."""
    rows = np.flatnonzero(np.isfinite(values.values).any(axis=1)).tolist()
    subjects = tuple(values.subjects[row] for row in rows)
    return SignalValues(subjects, values.times_ms, values.values[rows], values.is_replacement)


def _next_hour_ms(now_ms: int) -> int:
    return (now_ms // HOUR_MS + 1) * HOUR_MS


def _is_equal(values: SignalValues, last: SignalValues | None) -> bool:
    return (
        last is not None
        and values.subjects == last.subjects
        and np.array_equal(values.times_ms, last.times_ms)
        and np.array_equal(values.values, last.values, equal_nan=True)
    )
