"""Plan which stored series a rule needs, and which series belong to each of its subjects.

Pure: no clock, no store.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics import periods
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.rule_subjects import subjects, watched_meters
from analytics.alerts.signals.poll_failures import POLL_HOLD_MS
from analytics.alerts.signals.sampling import HELD_INTERVALS
from analytics.alerts.signals.signal_rounds import Mask, SignalRows
from analytics.alerts.signals.signal_table import AgeSignal, ComputedSignal, SampledSignal
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.computed_values import ComputedRule
from jieneng.metering.alert_signals import SIGNALS
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.read_plan import cadences
from jieneng.metering.site import Meter, Site
from jieneng.site_folder import SiteFolder

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Least and greatest length of a step [ms]. A step is as long as the shortest reading interval,
#: within these limits.
_SHORTEST_STEP_MS: Final = 1_000
LONGEST_STEP_MS: Final = 10_000
#: Greatest interval of the statuses of an agent in practice [ms]; the usual one is 10 s.
_STATUS_INTERVAL_MS: Final = 60_000
_ALWAYS: Final = 2**62


class SeriesKey(msgspec.Struct, frozen=True):
    """Key of the stored series that several rules may read.

    Attributes:
        measurement: the measurement.
        tag: tag with the id of a row: `meter`, `agent` or `site`.
        fields: the fields.
    """

    measurement: str
    tag: str
    fields: tuple[str, ...]


class RulePlan(msgspec.Struct, frozen=True):
    """The rows of readings that a rule needs.

    Attributes:
        rule: the rule.
        subjects: ids of the subjects, shape (m,).
        row_ids: ids of the meters or agents that are read, shape (rows,).
        series: the stored series of each row, shape (rows,).
        interval_ms: interval at which each row is read, shape (rows,) [ms].
        rows: description of the rows for the signal.
        mask: times at which the rule is evaluated.
    """

    rule: AlertRule
    subjects: tuple[str, ...]
    row_ids: tuple[str, ...]
    series: tuple[SeriesKey, ...]
    interval_ms: "NDArray[np.int64]"
    rows: SignalRows
    mask: Mask


def plan_of(
    rule: AlertRule,
    signal: SampledSignal | AgeSignal,
    folder: SiteFolder,
    calendar: WorkingCalendar,
    step_ms: int | None = None,
) -> RulePlan:
    """Return the plan of a rule on a signal of readings, polls, statuses or ages.

    Args:
        rule: the rule.
        signal: signal of the rule.
        folder: the site.
        calendar: working calendar of the site.
        step_ms: length of a step [ms]; None for the shortest reading interval, at most 10 s.
    """
    ids = subjects(rule, folder.site)
    kind = SIGNALS[rule.signal].subject
    if kind in ("agent", "site"):
        key = SeriesKey(signal.measurement or "", kind, _fields(signal, rule))
        series = (key,) * len(ids)
        row_ids = ids
        interval_ms = np.full(len(ids), _STATUS_INTERVAL_MS, dtype=np.int64)
        of_rows = np.arange(len(ids))
    else:
        meters = _meters(rule, folder.site, ids)
        row_ids = tuple(meter.id for meter in meters)
        series = tuple(
            SeriesKey(signal.measurement or meter.medium, "meter", _fields(signal, rule))
            for meter in meters
        )
        interval_ms = np.array(
            [_interval_ms(meter, folder, rule) for meter in meters], dtype=np.int64
        )
        numbers = {subject: number for number, subject in enumerate(ids)}
        owners = [meter.bus or "" if kind == "bus" else meter.id for meter in meters]
        of_rows = np.array([numbers[owner] for owner in owners], dtype=np.int64)
    hold_ms = (interval_ms * HELD_INTERVALS).astype(np.int64)
    if rule.signal == "failed_polls":
        hold_ms = np.full(len(row_ids), POLL_HOLD_MS, dtype=np.int64)
    shortest = int(interval_ms.min(initial=LONGEST_STEP_MS))
    rows = SignalRows(
        hold_ms=hold_ms if step_ms is None else np.maximum(hold_ms, step_ms),
        subjects=of_rows,
        count=len(ids),
        step_ms=step_ms or max(shortest // 1000 * 1000, _SHORTEST_STEP_MS),
        is_above=rule.is_above,
        is_counter=rule.quantity is not None and QUANTITIES[rule.quantity].kind == "counter",
    )
    mask = mask_of(rule, folder.site, calendar, ids)
    return RulePlan(rule, ids, row_ids, series, interval_ms, rows, mask)


def computed_rule(
    rule: AlertRule, signal: ComputedSignal, site: Site, calendar: WorkingCalendar
) -> ComputedRule:
    """Return a rule of a signal of hours, days or indicators with its subjects."""
    ids = subjects(rule, site)
    return ComputedRule(rule, signal, ids, calendar, in_place(site, ids))


def in_place(site: Site, ids: tuple[str, ...]) -> Mask:
    """Return the mask of times at which subjects are in place; only meters can be out of place."""
    bounds = np.array([_lifetime_ms(site.meters.get(one), site) for one in ids], dtype=np.int64)
    from_ms, until_ms = bounds.reshape(-1, 2).T
    return lambda times_ms: (times_ms > from_ms[:, None]) & (times_ms <= until_ms[:, None])


def mask_of(rule: AlertRule, site: Site, calendar: WorkingCalendar, ids: tuple[str, ...]) -> Mask:
    """Return the mask of times at which a rule is evaluated.

    A rule is evaluated in the hours of its `when`, for subjects that are in place.
    """
    is_in_place = in_place(site, ids)

    def mask(times_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        return calendar.is_watched(rule.when, times_ms) & is_in_place(times_ms)

    return mask


def _lifetime_ms(meter: Meter | None, site: Site) -> tuple[int, int]:
    """Return the times between which a meter is in place [UTC, ms]."""
    from_ms, until_ms = -_ALWAYS, _ALWAYS
    if meter is not None and meter.installed is not None:
        from_ms = periods.midnight_ms(meter.installed, site.zone)
    if meter is not None and meter.removed is not None:
        until_ms = periods.midnight_ms(meter.removed + timedelta(days=1), site.zone)
    return from_ms, until_ms


def _fields(signal: SampledSignal | AgeSignal, rule: AlertRule) -> tuple[str, ...]:
    if isinstance(signal, AgeSignal):
        return (signal.field,)
    return signal.fields or (rule.quantity or "",)


def _meters(rule: AlertRule, site: Site, ids: tuple[str, ...]) -> list[Meter]:
    """Return the meters that are read: the subjects, or the meters on subjects that are buses."""
    wanted = set(ids)
    return [
        meter
        for meter in watched_meters(rule, site)
        if meter.bus is not None and (meter.id in wanted or meter.bus in wanted)
    ]


def _interval_ms(meter: Meter, folder: SiteFolder, rule: AlertRule) -> int:
    """Return the interval at which a meter's quantity is read [ms]."""
    model = folder.models.get(meter.model or "")
    every = 1
    if rule.quantity is not None:
        usual = {} if model is None else cadences(model, meter.every)
        every = usual.get(rule.quantity, 1)
    return round(meter.interval_s * 1000) * every
