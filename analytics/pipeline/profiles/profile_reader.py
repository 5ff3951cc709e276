"""Read the load profiles of a site's meters and scopes.

Law: memory holds at most a month of quarters of an hour of one medium's meters, and the hours of
    the period for all subjects.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from analytics import periods
from analytics.alerts.signals.night_and_idle import night_flow
from analytics.calendar.hour_grid import FULL, HourConsumption, hour_grid
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours
from analytics.figures.boundary.flows import Flow, flows_of
from analytics.figures.interval_series import MeterIntervals
from analytics.figures.roll_up import Scope, boundary_weights, roll_up, scopes
from analytics.figures.rule_files import Rules
from analytics.periods import Interval, Period
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.profiles.data_room import is_data_room, it_meters, pue
from analytics.profiles.load_profile import LoadProfile, ProfileInputs, Subject, load_profiles
from analytics.profiles.night_loads import LEAK_NIGHTS
from analytics.profiles.peak_loads import PeakLoads, of_whole_span, peak_loads
from jieneng.metering.errors import UsageError
from jieneng.metering.figures.profile_figures import PROFILE_FIGURES
from jieneng.metering.quantities import CONSUMPTION, GROWTH_PER_HOUR, MEDIA, QUANTITIES, Medium
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ProfileReader:
    """Reads load profiles.

    Args:
        folder: the site.
        rules: the flows that count, and the coverage floor.
        hours: night and working calendar of the site.
        store: the store, prepared.
    """

    def __init__(self, folder: SiteFolder, rules: Rules, hours: Hours, store: Store) -> None:
        self.site = folder.site
        self._rules = rules
        self._calendar = WorkingCalendar(hours, folder.site.zone)
        self._scopes = {scope.id: scope for scope in scopes(folder.site)}
        self._intervals = IntervalReader(folder, store)
        self._consumption = ConsumptionStore(folder.site, store)

    @property
    def scopes(self) -> list[Subject]:
        """The site, its areas and its institutions."""
        return [Subject(scope.kind, scope.id) for scope in self._scopes.values()]

    @property
    def meters(self) -> list[Subject]:
        """The meters."""
        return [Subject("meter", meter.id) for meter in self.site.meter]

    def scope(self, scope_id: str) -> Subject:
        """Return a scope.

        Raises:
            UsageError: there is no such scope.
        """
        if scope_id not in self._scopes:
            raise UsageError(
                "{scope} is not the site, an area or an institution; known are {known}.",
                scope=scope_id,
                known=", ".join(self._scopes),
            )
        return Subject(self._scopes[scope_id].kind, scope_id)

    def meter(self, meter_id: str) -> Subject:
        """Return a meter.

        Raises:
            UsageError: there is no such meter.
        """
        if meter_id not in self.site.meters:
            raise UsageError(
                "{meter} is no meter of site.toml; known are {known}.",
                meter=meter_id,
                known=", ".join(self.site.meters),
            )
        return Subject("meter", meter_id)

    async def profiles(
        self, period: Period, subjects: Sequence[Subject], *, with_peaks: bool = True
    ) -> list[LoadProfile]:
        """Return the profile of each medium that is metered for a subject, by subject and medium.

        Args:
            period: the period, of which all days must be complete; at least one.
            subjects: the meters and scopes.
            with_peaks: False to leave out peak demand and load factor, and to read no quarters of
                an hour.
        """
        found: dict[tuple[Subject, Medium], LoadProfile] = {}
        for medium in MEDIA:
            metered = [one for one in subjects if self._meter_ids(one, medium, period)]
            if metered:
                inputs = await self._inputs(metered, medium, period, with_peaks=with_peaks)
                found |= {(one.subject, medium): one for one in load_profiles(inputs)}
        return [
            found[subject, medium]
            for subject in subjects
            for medium in MEDIA
            if (subject, medium) in found
        ]

    def _meter_ids(self, subject: Subject, medium: Medium, period: Period) -> frozenset[str]:
        """Return the ids of the meters of a medium that count in the load of a subject."""
        meters = [meter for meter in self.site.meter if meter.medium == medium]
        if subject.kind == "meter":
            return frozenset(meter.id for meter in meters if meter.id == subject.id)
        weights = boundary_weights(
            self._scopes[subject.id],
            flows_of(meters, []),
            periods.days(period.start, period.end),
            self._rules.counted_flows(period.year).energy,
        )
        return frozenset(meter.id for meter, row in zip(meters, weights, strict=True) if row.any())

    async def _inputs(
        self, subjects: Sequence[Subject], medium: Medium, period: Period, *, with_peaks: bool
    ) -> ProfileInputs:
        has_peaks = with_peaks and medium in PROFILE_FIGURES["peak_demand"].media
        quarters: list[tuple[str, PeakLoads]] = []
        if has_peaks:
            async for edges, amounts, spread in self._measured(subjects, medium, "15min", period):
                quarters.append((self._month(edges), peak_loads(edges, amounts, spread)))
        hours: list[tuple[str, PeakLoads]] = []
        parts = []
        async for edges, amounts, spread in self._measured(subjects, medium, "hour", period):
            hours.append((self._month(edges), peak_loads(edges, amounts, spread)))
            parts.append(amounts)
        rooms = await self._data_rooms(subjects, period) if medium == "electricity" else {}
        return ProfileInputs(
            subjects=subjects,
            medium=medium,
            period=period,
            hours=self._hours(period, parts),
            nights_before=await self._nights_before(subjects, medium, period),
            quarter_peaks=_by_month(quarters),
            hour_peaks=_by_month(hours) if has_peaks else {},
            pue={room: found for room, found in rooms.items() if found is not None},
            without_it_meter=frozenset(room for room, found in rooms.items() if found is None),
            coverage_floor=self._rules.coverage_floor,
        )

    def _hours(self, period: Period, parts: Sequence["NDArray[np.float64]"]) -> HourConsumption:
        """Return successive parts of the hours of a period as one."""
        grid = hour_grid(period.start, period.end, self.site.zone, self._calendar)
        known = np.concatenate(parts, axis=1)
        return HourConsumption(grid, known, np.isfinite(known).astype(np.float64))

    async def _nights_before(
        self, subjects: Sequence[Subject], medium: Medium, period: Period
    ) -> "NDArray[np.float64]":
        """Return the smallest loads of the nights before a period that its leak levels need."""
        if medium not in PROFILE_FIGURES["leak_level"].media:
            return np.full((len(subjects), 0), np.nan)
        days = timedelta(days=LEAK_NIGHTS - 1)
        before = Period("before", period.start - days, period.start)
        parts = [hours async for _, hours, _ in self._measured(subjects, medium, "hour", before)]
        return night_flow(self._hours(before, parts))

    async def _measured(
        self, subjects: Sequence[Subject], medium: Medium, interval: Interval, period: Period
    ) -> AsyncIterator[tuple["NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.float64]"]]:
        """Yield the edges of intervals, and the consumption of measured and of other intervals.

        Both arrays have the shape (subjects, intervals) [kWh or m3]. The first one has NaN in
        intervals that are not measured. The second one has their share of the consumption of a
        longer time, if this is known, and otherwise NaN. Each item covers at most a month.
        """
        ids = frozenset[str]().union(*(self._meter_ids(one, medium, period) for one in subjects))
        unit = QUANTITIES[CONSUMPTION[medium]].unit
        async for window in self._intervals.windows(
            medium, interval, period.start, period.end, ids
        ):
            rows = [self._rows(window, subject, period) for subject in subjects]
            measured, spread = np.array(rows).swapaxes(0, 1) / GROWTH_PER_HOUR[unit]
            yield window.edges_ms, measured, spread

    def _rows(
        self, window: MeterIntervals, subject: Subject, period: Period
    ) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """Return the consumption of measured and of other intervals of a subject [kWh, m3, GJ]."""
        if subject.kind == "meter":
            series = window.of_flow(Flow(self.site.meters[subject.id]))
        else:
            counted = self._rules.counted_flows(period.year).energy
            series = window.of_scope(self._scopes[subject.id], counted, self.site.zone)
        is_measured = series.is_measured & (series.coverage >= FULL)
        return (
            np.where(is_measured, series.amount, np.nan),
            np.where(is_measured | ~series.is_whole, np.nan, series.amount),
        )

    def _month(self, edges_ms: "NDArray[np.int64]") -> str:
        """Return the id of the month in which intervals begin."""
        return f"{periods.local_day(int(edges_ms[0]), self.site.zone):%Y-%m}"

    async def _data_rooms(
        self, subjects: Sequence[Subject], period: Period
    ) -> dict[str, tuple[float, float] | None]:
        """Return PUE and coverage of each subject that is a data room; None without an IT meter."""
        rooms = [
            self._scopes[one.id]
            for one in subjects
            if one.kind == "area" and is_data_room(self._scopes[one.id])
        ]
        return {room.id: await self._pue(room, period) for room in rooms}

    async def _pue(self, room: Scope, period: Period) -> tuple[float, float] | None:
        meters = it_meters(room, period.end - timedelta(days=1))
        if not meters:
            return None
        found = await self._consumption.interval_consumption(
            period.start, period.end, "electricity", "day"
        )
        flows = found.flows(self.site)
        days = periods.days(period.start, period.end)
        counted = self._rules.counted_flows(period.year).energy
        is_it = np.array([[not one.is_export and one.meter in meters] for one in flows])
        return pue(
            roll_up(boundary_weights(room, flows, days, counted), found.consumption),
            roll_up(is_it.astype(np.float64), found.consumption),
        )


def _by_month(parts: Sequence[tuple[str, PeakLoads]]) -> dict[str, PeakLoads]:
    """Return the peaks of each month, from its successive parts."""
    months = dict.fromkeys(month for month, _ in parts)
    return {
        month: of_whole_span([peaks for one, peaks in parts if one == month]) for month in months
    }
