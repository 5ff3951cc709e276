"""Define the names of measurements, tags and fields in the store. Other modules import them.

Laws: a measurement has one writer. Fields are floats, except those marked as text; times are UTC
milliseconds. Meter, quantity and time identify a point, so every write may be repeated.

| measurement | writer | tags | fields |
|---|---|---|---|
| electricity, water, gas, heat | ingest | site, meter | a field a quantity, `quality` |
| interval | ingest (import) | site, meter | a field a counter quantity: consumption of the \
interval that starts at the point's time; `interval_s`, and `quality` where it is not 32 |
| bill | ingest (import) | site, meter | the consumption quantity: amount of the bill whose \
period starts at the point's time; `cost_yuan`; `interval_s`: length of the period |
| consumption | analytics | site, kind (meter, export, area, institution, site, item, \
rest, lighting, hvac, power, special, no_item), scope, medium, interval (15min, hour, day) | the \
medium's consumption quantity, `coverage`, `estimated`; by day also `bounded`, `spread_start`, \
`spread_end` |
| finding | analytics | site, scope (a meter), code | `until_ms`, `doubt`, `count`, and the \
numbers of the finding's sentence |
| indicator | analytics | site, scope, indicator, period, series | value, baseline, target, \
path, change_pct, decrease_pct, forecast, forecast_least, forecast_greatest, year_limit, coverage, \
estimated, `status` (text) |
| quota_level | analytics | site, scope, quota, period | value, constraint, benchmark, guide, \
`level` (text), rank, ranked, percentile, peers, is_forecast (1 or 0), coverage |
| annual_quota | analytics | site, scope, indicator, quota, period | amount, allowed, used, \
used_pct, remains, remains_per_day, coverage; of a year also least_used_pct, forecast, \
forecast_least, forecast_greatest, forecast_pct, short_days, used_80_ms, used_90_ms, used_100_ms, \
`status` (text) |
| carbon_change | analytics | site, scope, indicator, period, source (all, grid, direct_green, \
traded, gas, heat) | base, value, change, activity_effect, supply_effect, factor_effect, \
area_effect; of `all` also `base_period` (text), coverage, `status` (text) |
| carbon_step | analytics | site, scope, indicator, period, step (base, activity, supply, factor, \
area, value) | `place`, `below`, `total`, `increase`, `decrease`: parts of a step's stacked bar |
| comparison | analytics | site, scope, indicator, period, comparison | value, baseline, \
`baseline_period` (text), change_pct, decrease_pct, plan_change_pct, left_out_areas, coverage |
| left_out_area | analytics | site, scope, period, area, kind (joined, left) | `day_ms`, \
`unmetered` (text) |
| completeness | analytics | site, meter, quantity | `expected`, `stored`, `share`: numbers of \
readings of the local day that were to be polled and that are stored, and their quotient |
| data_quality | analytics | site, scope, figure, period | `score`, `completeness`, \
`plausibility`, `consistency`, `denominators`, `coverage`, `readings` |
| quality_issue | analytics | site, scope, figure, code, subject | `share`, `amount`, `points` |
| cost | analytics | site, kind (account, area, institution, site), scope, medium, period | the \
medium's consumption quantity, cost_yuan, energy_yuan, demand_yuan, average_price, least_yuan, \
greatest_yuan, unmetered_yuan, coverage, estimated, billed_yuan, amount_difference_pct, \
cost_difference_pct; by price period of electricity `energy_peak_kwh`, `peak_yuan`, ... |
| profile | analytics | site, kind (meter, area, institution, site), scope, medium, period | a \
field a row of `figures.profile_figures`; `peak_ms`: start of the interval with the peak, \
`interval_s`: its length; `coverage`: share of the hours that are measured |
| night | analytics | site, kind, scope, medium | `least`: smallest hourly load of the night, \
`leak_level` |
| week_profile | analytics | site, kind, scope, medium | `low`, `median`, `high`: the usual load \
of the hour of the week that starts at the point's time |
| poll | ingest | site, meter | `ok` (1 or 0), `duration_s`, `attempts` |
| agent | ingest | site, agent | `online` (1 or 0), `boot` (text), `uptime_s`, `spool_bytes`, \
`spool_age_s`, `clock_ok` (1 or 0), `clock_jumps`, `unacknowledged_s`, `spool_share`, \
`disk_used`, `certificate_days` |
| bus | ingest | site, agent, bus | `load`: share of the time in which it was busy |
| ledger | ingest | site, agent | read, stored, quarantined, pending, dropped |
| receipt | ingest | site, agent, machine | held, replayed, dropped, `boot` (text), first, last, \
missing |
| late_day | ingest | site, meter | `written_ms`: when late readings of the local day were written |
| recomputed_day | analytics | site, meter | `written_ms` of the `late_day` computed again |
| basis | analytics | site, result, scope | `digest` (text): of the rows of the site's files from \
which a result was computed |
| alert | analytics | site, rule, signal, subject, severity | `phase`, `value`, `limit`, `peak`, \
`since_ms`, `fired_ms`, `ended_ms`, `seen_ms`, `back_ms`, `missing_ms`, `end`, `known_ms`, `told`, \
`noticed_ms`, `reminded_ms`, `fires` (text), `flapping_ms`, `held`, `held_since_ms`, \
`held_ended_ms`, `held_peak`, `held_late`, `acknowledged`, `silenced`, `caused` |
| alert_round | analytics | site, copy | `holder`, `watched`, `firing`, `duration_s` |
| alert_mark | command line | site, rule, subject, kind, by | `until_ms`, `reason` (text) |
| alert_episode | analytics | site, rule, signal, subject, severity | `ended_ms`, `lasted_s`, \
`peak`, `limit`, `end`: an episode that is over, at the time at which the alert fired |

The time of a `finding` is its first time. All findings with the same code, meter and local day are
one point. In addition to `FIELDS`, it has a field for each number of its sentence
(`jieneng.metering.findings`).

An `indicator` or an `annual_quota` of a year (`period` 2025) or a month (2025-06), and a
`quota_level` of a year, have one point a day, at the start of the local day for which they were
computed. A `carbon_change`, `carbon_step`, `comparison` or `left_out_area` of a year has only the
latest of these points. The `series` of an `indicator` is the series of the grid's carbon factor.

A `profile` of a month (2025-06) has one point a day, at the start of the last local day that it
contains. A `night` has the time at which its local day begins, the day on which it ends.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from jieneng.metering import quantities
from jieneng.metering.figures.profile_figures import PROFILE_FIGURES
from jieneng.metering.quantities import MEDIA, QUANTITIES, Medium
from jieneng.metering.reading import PollReport, Sample, Status

Value: TypeAlias = float | str

INTERVAL: Final = "interval"
BILL: Final = "bill"
CONSUMPTION: Final = "consumption"
FINDING: Final = "finding"
INDICATOR: Final = "indicator"
CARBON_CHANGE: Final = "carbon_change"
CARBON_STEP: Final = "carbon_step"
COMPARISON: Final = "comparison"
LEFT_OUT_AREA: Final = "left_out_area"
COMPLETENESS: Final = "completeness"
DATA_QUALITY: Final = "data_quality"
QUALITY_ISSUE: Final = "quality_issue"
COST: Final = "cost"
QUOTA_LEVEL: Final = "quota_level"
ANNUAL_QUOTA: Final = "annual_quota"
PROFILE: Final = "profile"
NIGHT: Final = "night"
WEEK_PROFILE: Final = "week_profile"
POLL: Final = "poll"
AGENT: Final = "agent"
BUS: Final = "bus"
LEDGER: Final = "ledger"
RECEIPT: Final = "receipt"
LATE_DAY: Final = "late_day"
RECOMPUTED_DAY: Final = "recomputed_day"
BASIS: Final = "basis"
ALERT: Final = "alert"
ALERT_ROUND: Final = "alert_round"
ALERT_MARK: Final = "alert_mark"
ALERT_EPISODE: Final = "alert_episode"

MEASUREMENTS: Final = frozenset(
    {
        *MEDIA,
        INTERVAL,
        BILL,
        CONSUMPTION,
        FINDING,
        INDICATOR,
        CARBON_CHANGE,
        CARBON_STEP,
        COMPARISON,
        LEFT_OUT_AREA,
        COMPLETENESS,
        DATA_QUALITY,
        QUALITY_ISSUE,
        COST,
        QUOTA_LEVEL,
        ANNUAL_QUOTA,
        PROFILE,
        NIGHT,
        WEEK_PROFILE,
        POLL,
        AGENT,
        BUS,
        LEDGER,
        RECEIPT,
        LATE_DAY,
        RECOMPUTED_DAY,
        BASIS,
        ALERT,
        ALERT_ROUND,
        ALERT_MARK,
        ALERT_EPISODE,
    }
)

QUALITY: Final = "quality"
INTERVAL_S: Final = "interval_s"
COST_YUAN: Final = "cost_yuan"
COVERAGE: Final = "coverage"
ESTIMATED: Final = "estimated"
BOUNDED: Final = "bounded"
SPREAD_START: Final = "spread_start"
SPREAD_END: Final = "spread_end"
DIGEST: Final = "digest"
WRITTEN_MS: Final = "written_ms"
UNTIL_MS: Final = "until_ms"
DOUBT: Final = "doubt"
COUNT: Final = "count"
EXPECTED: Final = "expected"
STORED: Final = "stored"
PEAK_MS: Final = "peak_ms"

#: Longest imported interval [ms]: a leap year, and some days.
LONGEST_INTERVAL_MS: Final = 370 * 86_400_000

#: Tag `kind` of the daily consumption of a scope that is in none of its sub-items.
NO_ITEM: Final = "no_item"

#: Tag `source` of the sums of all sources of carbon.
ALL_SOURCES: Final = "all"

#: Tag `comparison` of the comparison by the areas that existed in both periods.
LIKE_FOR_LIKE: Final = "like_for_like"

#: Tag `series` of an indicator that does not depend on a carbon factor.
NO_SERIES: Final = "-"

#: The tags of each measurement.
TAGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(MEDIA, ("site", "meter")),
        INTERVAL: ("site", "meter"),
        BILL: ("site", "meter"),
        CONSUMPTION: ("site", "kind", "scope", "medium", "interval"),
        FINDING: ("site", "scope", "code"),
        INDICATOR: ("site", "scope", "indicator", "period", "series"),
        CARBON_CHANGE: ("site", "scope", "indicator", "period", "source"),
        CARBON_STEP: ("site", "scope", "indicator", "period", "step"),
        COMPARISON: ("site", "scope", "indicator", "period", "comparison"),
        LEFT_OUT_AREA: ("site", "scope", "period", "area", "kind"),
        COMPLETENESS: ("site", "meter", "quantity"),
        DATA_QUALITY: ("site", "scope", "figure", "period"),
        QUALITY_ISSUE: ("site", "scope", "figure", "code", "subject"),
        COST: ("site", "kind", "scope", "medium", "period"),
        QUOTA_LEVEL: ("site", "scope", "quota", "period"),
        ANNUAL_QUOTA: ("site", "scope", "indicator", "quota", "period"),
        PROFILE: ("site", "kind", "scope", "medium", "period"),
        NIGHT: ("site", "kind", "scope", "medium"),
        WEEK_PROFILE: ("site", "kind", "scope", "medium"),
        POLL: ("site", "meter"),
        AGENT: ("site", "agent"),
        BUS: ("site", "agent", "bus"),
        LEDGER: ("site", "agent"),
        RECEIPT: ("site", "agent", "machine"),
        LATE_DAY: ("site", "meter"),
        RECOMPUTED_DAY: ("site", "meter"),
        BASIS: ("site", "result", "scope"),
        ALERT: ("site", "rule", "signal", "subject", "severity"),
        ALERT_ROUND: ("site", "copy"),
        ALERT_MARK: ("site", "rule", "subject", "kind", "by"),
        ALERT_EPISODE: ("site", "rule", "signal", "subject", "severity"),
    }
)

#: The fields of each measurement.
FIELDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        **{
            medium: frozenset(
                {q.name for q in QUANTITIES.values() if medium in q.media} | {QUALITY}
            )
            for medium in MEDIA
        },
        INTERVAL: frozenset(
            {q.name for q in QUANTITIES.values() if q.kind == "counter"} | {INTERVAL_S, QUALITY}
        ),
        BILL: frozenset({*quantities.CONSUMPTION.values(), COST_YUAN, INTERVAL_S}),
        CONSUMPTION: frozenset(
            {
                *quantities.CONSUMPTION.values(),
                COVERAGE,
                ESTIMATED,
                BOUNDED,
                SPREAD_START,
                SPREAD_END,
            }
        ),
        FINDING: frozenset((UNTIL_MS, DOUBT, COUNT)),
        INDICATOR: frozenset(
            (
                "value",
                "baseline",
                "target",
                "path",
                "change_pct",
                "decrease_pct",
                "forecast",
                "forecast_least",
                "forecast_greatest",
                "year_limit",
                COVERAGE,
                ESTIMATED,
                "status",
            )
        ),
        CARBON_CHANGE: frozenset(
            (
                "base_period",
                "base",
                "value",
                "change",
                "activity_effect",
                "supply_effect",
                "factor_effect",
                "area_effect",
                COVERAGE,
                "status",
            )
        ),
        CARBON_STEP: frozenset(("place", "below", "total", "increase", "decrease")),
        COMPARISON: frozenset(
            (
                "value",
                "baseline",
                "baseline_period",
                "change_pct",
                "decrease_pct",
                "plan_change_pct",
                "left_out_areas",
                COVERAGE,
            )
        ),
        LEFT_OUT_AREA: frozenset(("day_ms", "unmetered")),
        COMPLETENESS: frozenset((EXPECTED, STORED, "share")),
        DATA_QUALITY: frozenset(
            (
                "score",
                "completeness",
                "plausibility",
                "consistency",
                "denominators",
                COVERAGE,
                "readings",
            )
        ),
        QUALITY_ISSUE: frozenset(("share", "amount", "points")),
        COST: frozenset(
            (
                *quantities.CONSUMPTION.values(),
                COST_YUAN,
                "energy_yuan",
                "demand_yuan",
                "average_price",
                "least_yuan",
                "greatest_yuan",
                "unmetered_yuan",
                COVERAGE,
                ESTIMATED,
                "billed_yuan",
                "amount_difference_pct",
                "cost_difference_pct",
                *(f"energy_{period}_kwh" for period in quantities.PRICE_PERIODS),
                *(f"{period}_yuan" for period in quantities.PRICE_PERIODS),
            )
        ),
        QUOTA_LEVEL: frozenset(
            (
                "value",
                "constraint",
                "benchmark",
                "guide",
                "level",
                "rank",
                "ranked",
                "percentile",
                "peers",
                "is_forecast",
                COVERAGE,
            )
        ),
        ANNUAL_QUOTA: frozenset(
            (
                "amount",
                "allowed",
                "used",
                "used_pct",
                "least_used_pct",
                "remains",
                "remains_per_day",
                "forecast",
                "forecast_least",
                "forecast_greatest",
                "forecast_pct",
                "short_days",
                "used_80_ms",
                "used_90_ms",
                "used_100_ms",
                COVERAGE,
                "status",
            )
        ),
        PROFILE: frozenset({*PROFILE_FIGURES, PEAK_MS, INTERVAL_S, COVERAGE}),
        NIGHT: frozenset(("least", "leak_level")),
        WEEK_PROFILE: frozenset(("low", "median", "high")),
        POLL: frozenset(("ok", "duration_s", "attempts")),
        AGENT: frozenset(
            (
                "online",
                "boot",
                "uptime_s",
                "spool_bytes",
                "spool_age_s",
                "clock_ok",
                "clock_jumps",
                "unacknowledged_s",
                "spool_share",
                "disk_used",
                "certificate_days",
            )
        ),
        BUS: frozenset(("load",)),
        LEDGER: frozenset(("read", "stored", "quarantined", "pending", "dropped")),
        LATE_DAY: frozenset((WRITTEN_MS,)),
        RECOMPUTED_DAY: frozenset((WRITTEN_MS,)),
        BASIS: frozenset((DIGEST,)),
        ALERT: frozenset(
            (
                "phase",
                "value",
                "limit",
                "peak",
                "since_ms",
                "fired_ms",
                "ended_ms",
                "seen_ms",
                "back_ms",
                "missing_ms",
                "end",
                "known_ms",
                "told",
                "noticed_ms",
                "reminded_ms",
                "fires",
                "flapping_ms",
                "held",
                "held_since_ms",
                "held_ended_ms",
                "held_peak",
                "held_late",
                "acknowledged",
                "silenced",
                "caused",
            )
        ),
        ALERT_ROUND: frozenset(("holder", "watched", "firing", "duration_s")),
        ALERT_MARK: frozenset((UNTIL_MS, "reason")),
        ALERT_EPISODE: frozenset(("ended_ms", "lasted_s", "peak", "limit", "end")),
        RECEIPT: frozenset(("held", "replayed", "dropped", "boot", "first", "last", "missing")),
    }
)

#: The fields that hold text; every other field is a float.
TEXT_FIELDS: Final = frozenset(
    {
        "status",
        "level",
        "boot",
        "reason",
        "fires",
        "base_period",
        "baseline_period",
        "unmetered",
        DIGEST,
    }
)


class Point(msgspec.Struct, frozen=True, gc=False):
    """A row in the store.

    Attributes:
        measurement: one of `MEASUREMENTS`.
        tags: (name, value), sorted by name. Points with equal tags belong to one series.
        names: names of the fields, at least one. Points with the same fields share one tuple.
        values: a value for each name; never NaN or infinite.
        time_ms: time [UTC, ms since 1970].
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    values: tuple[Value, ...]
    time_ms: int

    @classmethod
    def of(
        cls,
        measurement: str,
        tags: tuple[tuple[str, str], ...],
        fields: Iterable[tuple[str, Value]],
        time_ms: int,
    ) -> "Point":
        """Create a point from (name, value) pairs."""
        pairs = tuple(fields)
        return cls(
            measurement,
            tags,
            tuple([name for name, _ in pairs]),
            tuple([value for _, value in pairs]),
            time_ms,
        )

    @property
    def fields(self) -> tuple[tuple[str, Value], ...]:
        """The fields as (name, value) pairs."""
        return tuple(zip(self.names, self.values, strict=True))


def point(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value | None], time_ms: int
) -> Point | None:
    """Return a point without the fields that are None or not finite; None if no field is left."""
    known = tuple(
        (name, value)
        for name, value in fields.items()
        if isinstance(value, str) or (value is not None and math.isfinite(value))
    )
    return Point.of(measurement, tuple(sorted(tags.items())), known, time_ms) if known else None


def reading_point(site: str, medium: Medium, sample: Sample) -> Point | None:
    """Return the point of a sample; None if none of its values is known."""
    names, values = sample.quantities, sample.values
    if not math.isfinite(sum(values)):
        known = [
            (name, value) for name, value in zip(names, values, strict=True) if math.isfinite(value)
        ]
        names = tuple([name for name, _ in known])
        values = tuple([value for _, value in known])
    if not names:
        return None
    return Point(
        medium,
        _meter_tags(site, sample.meter),
        _with_quality(names),
        (*values, float(sample.quality)),
        sample.time_ms,
    )


@lru_cache(maxsize=65536)
def _meter_tags(site: str, meter: str) -> tuple[tuple[str, str], ...]:
    return (("meter", meter), ("site", site))


@lru_cache(maxsize=4096)
def _with_quality(names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, QUALITY)


def interval_ms(point: Point) -> int:
    """Return the length of an imported interval [ms]; 0 for a point of another measurement."""
    if point.measurement != INTERVAL or INTERVAL_S not in point.names:
        return 0
    return round(float(point.values[point.names.index(INTERVAL_S)]) * 1000)


def poll_point(site: str, poll: PollReport) -> Point:
    """Return the point of a poll report."""
    fields: tuple[tuple[str, Value], ...] = (
        ("ok", float(poll.ok)),
        ("duration_s", poll.duration_ms / 1000),
        ("attempts", float(poll.attempts)),
    )
    return Point.of(POLL, _meter_tags(site, poll.meter), fields, poll.time_ms)


def sample_of(point: Point) -> Sample:
    """Return the sample of a `reading_point`, without quantities of unknown value."""
    fields = dict(point.fields)
    quality = int(float(fields.pop(QUALITY)))
    values = tuple([float(value) for value in fields.values()])
    return Sample(dict(point.tags)["meter"], point.time_ms, quality, tuple(fields), values)


def poll_of(point: Point) -> PollReport:
    """Return the poll report of a `poll_point`."""
    fields = {name: float(value) for name, value in point.fields}
    return PollReport(
        dict(point.tags)["meter"],
        point.time_ms,
        bool(fields["ok"]),
        round(fields["duration_s"] * 1000),
        int(fields["attempts"]),
    )


def agent_point(site: str, status: Status, time_ms: int) -> Point:
    """Return the point of an agent's state; an offline agent has only `online` and `boot`."""
    fields: tuple[tuple[str, Value], ...] = (
        ("online", float(status.online)),
        ("boot", status.boot),
    )
    if status.online:
        fields += (
            ("uptime_s", status.uptime_s),
            ("spool_bytes", float(status.spool_bytes)),
            ("spool_age_s", status.spool_age_s),
            ("clock_ok", float(status.clock_ok)),
            ("clock_jumps", float(status.clock_jumps)),
            ("unacknowledged_s", status.unacknowledged_s),
        )
        later: tuple[tuple[str, float | None], ...] = (
            ("spool_share", status.spool_share),
            ("disk_used", status.disk_used),
            ("certificate_days", status.certificate_days),
        )
        fields += tuple([(name, value) for name, value in later if value is not None])
    return Point.of(AGENT, (("agent", status.agent), ("site", site)), fields, time_ms)


def bus_points(site: str, status: Status) -> tuple[Point, ...]:
    """Return a point for the load of each of an agent's buses."""
    return tuple(
        Point.of(
            BUS,
            (("agent", status.agent), ("bus", bus), ("site", site)),
            (("load", load),),
            status.time_ms,
        )
        for bus, load in sorted(status.bus_load.items())
    )


def ledger_point(site: str, status: Status) -> Point:
    """Return the point of an agent's own counts of samples."""
    fields: tuple[tuple[str, Value], ...] = (
        ("read", float(status.read)),
        ("stored", float(status.stored)),
        ("quarantined", float(status.quarantined)),
        ("pending", float(status.pending)),
        ("dropped", float(status.dropped)),
    )
    return Point.of(LEDGER, (("agent", status.agent), ("site", site)), fields, status.time_ms)


def receipt_point(
    site: str,
    agent: str,
    machine: str,
    counts: Mapping[str, int],
    time_ms: int,
    *,
    boot: str | None,
) -> Point:
    """Return the point with an ingest's counts of an agent's batches and samples."""
    fields: list[tuple[str, Value]] = [(name, float(count)) for name, count in counts.items()]
    if boot is not None:
        fields.append(("boot", boot))
    tags = (("agent", agent), ("machine", machine), ("site", site))
    return Point.of(RECEIPT, tags, tuple(fields), time_ms)


def late_day_point(site: str, meter: str, midnight_ms: int, written_ms: int) -> Point:
    """Return the mark for a local day with late readings."""
    return Point.of(
        LATE_DAY, _meter_tags(site, meter), ((WRITTEN_MS, float(written_ms)),), midnight_ms
    )


def recomputed_day_point(site: str, meter: str, midnight_ms: int, written_ms: int) -> Point:
    """Return the point that records that a marked day was computed again."""
    return Point.of(
        RECOMPUTED_DAY, _meter_tags(site, meter), ((WRITTEN_MS, float(written_ms)),), midnight_ms
    )
