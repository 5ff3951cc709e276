"""Compute the load profile of meters and scopes: figures, usual week, monthly peaks and nights.

Laws:

1. A figure whose coverage is below its floor has no value, and the profile says why. An unknown
   value is None, never 0.
2. The peak is the largest mean load of a quarter of an hour. If too few quarters of an hour are
   measured, but enough hours, it is the largest mean load of an hour. The result states the
   interval of a peak.
3. If the peak lies in a time that was not measured, it has no value. A PUE below 1 has no value
   either, because the IT equipment can't consume more than its room.
4. The figures of a period that is not over are those of its complete days.

Pure: structs in, structs out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.alerts.signals.night_and_idle import night_flow
from analytics.calendar.hour_grid import HourConsumption
from analytics.figures.figure import rounded
from analytics.figures.roll_up import ScopeKind
from analytics.periods import Interval, Period
from analytics.profiles.night_loads import (
    LEAK_NIGHTS,
    days_off_share,
    leak_levels,
    night_base_load,
)
from analytics.profiles.peak_loads import PeakLoads, of_whole_span
from analytics.profiles.week_profile import WeekProfile, week_profiles
from jieneng.metering.figures.profile_figures import LOAD_UNITS, PROFILE_FIGURES
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

SubjectKind = Literal["meter"] | ScopeKind

#: Hours in 365 days.
_YEAR_H: Final = 8760.0


class Subject(msgspec.Struct, frozen=True):
    """A meter or a scope with a load profile.

    Attributes:
        kind: `meter`, or the kind of the scope.
        id: id of the meter or scope.
    """

    kind: SubjectKind
    id: str


class ProfileValue(msgspec.Struct, frozen=True):
    """The value of a figure.

    Attributes:
        value: the value, in the unit of the figure; None if it is unknown.
        coverage: share of the hours, nights or days that the value needs and that are known, 0 to
            1.
        time_ms: start of the interval with the peak [UTC, ms]; None for other figures.
        interval: length of the intervals of peak and load factor; None for other figures.
    """

    value: float | None
    coverage: float
    time_ms: int | None = None
    interval: Interval | None = None


class LoadProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The load profile of a meter or scope in a period.

    Attributes:
        subject: the meter or scope.
        medium: the medium.
        period: the period; if it is not over, its complete days.
        figures: values by id of the figure.
        peaks: peak demand of each month of the period, by the month's id; empty for media without
            a peak demand.
        week: usual load by hour of the week.
        days: local days of the period.
        night_least: smallest load of the night that ends on each day, shape (days,) [kW or m3/h].
        night_leak: leak level of each day, shape (days,) [m3/h]; NaN for other media than water.
        coverage: share of the hours that are measured, 0 to 1.
        findings: reasons why values are missing.
    """

    subject: Subject
    medium: Medium
    period: Period
    figures: Mapping[str, ProfileValue]
    peaks: Mapping[str, ProfileValue]
    week: WeekProfile
    days: tuple[date, ...]
    night_least: "NDArray[np.float64]"
    night_leak: "NDArray[np.float64]"
    coverage: float
    findings: tuple[Finding, ...]


class ProfileInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of the profiles of some subjects and one medium.

    Attributes:
        subjects: the subjects; rows of the arrays are in their order.
        medium: the medium.
        period: the complete days of the period.
        hours: consumption by hour [kWh or m3], with coverage 0 where it was not measured.
        nights_before: smallest loads of the nights before the period, for the leak levels of its
            first days, shape (m, n) [m3/h]; none for other media than water.
        quarter_peaks: peak loads of the quarters of an hour of each month, by the month's id;
            empty for a medium without a peak demand.
        hour_peaks: peak loads of the hours of each month, by the month's id.
        pue: PUE and its coverage of the subjects that are data rooms with an IT meter, by id.
        without_it_meter: ids of the subjects that are data rooms without an IT meter.
        coverage_floor: the coverage floor of `analytics.toml`, 0 to 1.
    """

    subjects: Sequence[Subject]
    medium: Medium
    period: Period
    hours: HourConsumption
    nights_before: "NDArray[np.float64]"
    quarter_peaks: Mapping[str, PeakLoads]
    hour_peaks: Mapping[str, PeakLoads]
    pue: Mapping[str, tuple[float, float]] = {}
    without_it_meter: frozenset[str] = frozenset()
    coverage_floor: float = 0.95


def load_profiles(inputs: ProfileInputs) -> list[LoadProfile]:
    """Return the profile of each subject."""
    nights = _Nights.of(inputs)
    weeks = week_profiles(inputs.hours)
    off = days_off_share(inputs.hours)
    measured = _measured_share(inputs.hours)
    profiles = []
    for row, subject in enumerate(inputs.subjects):
        interval, peaks = _peaks(inputs, row)
        found = {
            **_peak_figures(interval, peaks, row),
            **nights.figures(row),
            "days_off_share": _value(off[row], measured[row]),
        }
        if subject.id in inputs.pue:
            found["pue"] = _possible_pue(*inputs.pue[subject.id])
        figures = {
            name: _above_floor(inputs, name, value)
            for name, value in found.items()
            if inputs.medium in PROFILE_FIGURES[name].media
        }
        profile = LoadProfile(
            subject=subject,
            medium=inputs.medium,
            period=inputs.period,
            figures=figures,
            peaks={
                month: _above_floor(inputs, "peak_demand", _peak(of_month, interval, row))
                for month, of_month in peaks.items()
            },
            week=weeks[row],
            days=inputs.hours.grid.days,
            night_least=nights.least[row],
            night_leak=nights.leak[row],
            coverage=float(measured[row]),
            findings=(),
        )
        hidden = _hidden_peak(peaks, row)
        findings = tuple(_findings(inputs, profile, hidden))
        profiles.append(msgspec.structs.replace(profile, findings=findings))
    return profiles


class _Nights(msgspec.Struct, frozen=True):
    """Loads of the nights, in arrays of shape (m, days), and base loads of shape (m,)."""

    least: "NDArray[np.float64]"
    leak: "NDArray[np.float64]"
    leak_coverage: "NDArray[np.float64]"
    base: "NDArray[np.float64]"
    base_coverage: "NDArray[np.float64]"

    @classmethod
    def of(cls, inputs: ProfileInputs) -> "_Nights":
        """Return the loads of all nights."""
        least = night_flow(inputs.hours)
        before = inputs.nights_before.shape[1]
        nights = np.concatenate([inputs.nights_before, least], axis=1)
        leak, coverage = (levels[:, before:] for levels in leak_levels(nights))
        if inputs.medium != "water":
            leak = np.full_like(leak, np.nan)
        return cls(least, leak, coverage, *night_base_load(least, inputs.hours.grid.is_workday))

    def figures(self, row: int) -> dict[str, ProfileValue]:
        """Return the figures of nights of a subject. The leak is that of the last day."""
        leak, coverage = self.leak[row, -1], self.leak_coverage[row, -1]
        return {
            "night_base_load": _value(self.base[row], self.base_coverage[row]),
            "leak_level": _value(leak, coverage),
            "leak_yearly": _value(leak * _YEAR_H, coverage),
        }


def _measured_share(hours: HourConsumption) -> "NDArray[np.float64]":
    """Return the share of the hours that are measured, shape (m,)."""
    share: NDArray[np.float64] = np.isfinite(hours.known).mean(axis=1)
    return share


def _value(value: float, coverage: float) -> ProfileValue:
    return ProfileValue(rounded(float(value)), float(coverage))


def _above_floor(inputs: ProfileInputs, name: str, found: ProfileValue) -> ProfileValue:
    """Return a value, without its number if its coverage is below the floor (law 1)."""
    least = PROFILE_FIGURES[name].least_coverage
    floor = inputs.coverage_floor if least is None else least
    return found if found.coverage >= floor else msgspec.structs.replace(found, value=None)


def _peaks(inputs: ProfileInputs, row: int) -> tuple[Interval, Mapping[str, PeakLoads]]:
    """Return the intervals of which the peak is the largest load, and the peaks (law 2)."""
    quarters, hours = inputs.quarter_peaks, inputs.hour_peaks
    if quarters and _coverage(quarters, row) < inputs.coverage_floor <= _coverage(hours, row):
        return "hour", hours
    return "15min", quarters


def _coverage(peaks: Mapping[str, PeakLoads], row: int) -> float:
    return float(of_whole_span([*peaks.values()]).coverage[row])


def _peak_figures(
    interval: Interval, peaks: Mapping[str, PeakLoads], row: int
) -> dict[str, ProfileValue]:
    """Return peak demand and load factor; nothing without peaks."""
    if not peaks:
        return {}
    whole = of_whole_span([*peaks.values()])
    peak = _peak(whole, interval, row)
    load_factor = None if peak.value is None else rounded(float(whole.load_factor[row]))
    return {
        "peak_demand": peak,
        "load_factor": ProfileValue(load_factor, peak.coverage, interval=interval),
    }


def _possible_pue(ratio: float, coverage: float) -> ProfileValue:
    """Return a PUE, without its number if it is below 1 (law 3)."""
    return _value(math.nan if ratio < 1 else ratio, coverage)


def _hidden_peak(peaks: Mapping[str, PeakLoads], row: int) -> float:
    """Return the largest mean load of a time that was not measured, if it is above the peak.

    The result is NaN if this load is not above the peak, or is unknown.
    """
    if not peaks:
        return math.nan
    whole = of_whole_span([*peaks.values()])
    return float(whole.unmeasured[row]) if whole.is_hidden[row] else math.nan


def _peak(peaks: PeakLoads, interval: Interval, row: int) -> ProfileValue:
    load = math.nan if peaks.is_hidden[row] else float(peaks.load[row])
    value = rounded(load)
    time_ms = None if value is None else int(peaks.start_ms[row])
    return ProfileValue(value, float(peaks.coverage[row]), time_ms, interval)


def _findings(inputs: ProfileInputs, profile: LoadProfile, hidden_peak: float) -> Iterator[Finding]:
    """Yield the reasons why values are missing.

    Args:
        inputs: the inputs.
        profile: the profile, without findings.
        hidden_peak: mean load of the unmeasured time in which the peak lies; NaN if the peak is
            known.
    """
    subject, floor = profile.subject.id, inputs.coverage_floor
    if profile.coverage < floor:
        yield Finding.of(
            "hours_not_measured",
            subject,
            medium=profile.medium,
            share=profile.coverage,
            floor=floor,
        )
    elif math.isfinite(hidden_peak):
        yield Finding.of(
            "peak_not_measured",
            subject,
            medium=profile.medium,
            load=hidden_peak,
            unit=LOAD_UNITS[profile.medium],
        )
    leak = profile.figures.get("leak_level")
    if profile.coverage >= floor and leak is not None and leak.value is None:
        known = round(leak.coverage * LEAK_NIGHTS)
        yield Finding.of("nights_not_measured", subject, known=known, nights=LEAK_NIGHTS)
    if subject in inputs.without_it_meter:
        yield Finding.of("no_it_meter", subject)
    ratio, _ = inputs.pue.get(subject, (math.nan, 0.0))
    if ratio < 1 and profile.medium == "electricity":
        yield Finding.of("pue_below_one", subject, ratio=ratio)
