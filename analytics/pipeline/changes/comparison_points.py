"""Convert the further comparisons of figures, and the areas that they leave out, to points. Pure.

Law: carbon is stored with the factor of the base year only, as the target requires.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from analytics import periods
from analytics.figures.figure import Figure
from jieneng.metering import schema
from jieneng.metering.quantities import MEDIA
from jieneng.metering.schema import Point, Value

#: Value of the tag `kind`, by the code of the finding about an area.
_KINDS: Final[Mapping[str, str]] = {"area_joined": "joined", "area_left": "left"}


def comparison_points(site: str, figures: Sequence[Figure], time_ms: int) -> Iterator[Point]:
    """Yield a point for each further comparison of each figure with a known value.

    Args:
        site: id of the site.
        figures: the figures.
        time_ms: time of the points: start of the day for which they were computed [UTC, ms].
    """
    for figure in figures:
        if figure.factor_series == "current" or figure.value is None:
            continue
        for one in figure.comparisons:
            found = schema.point(
                schema.COMPARISON,
                {
                    "site": site,
                    "scope": figure.scope,
                    "indicator": figure.indicator,
                    "period": figure.period,
                    "comparison": one.id,
                },
                {
                    "value": one.value,
                    "baseline": one.baseline,
                    "baseline_period": one.baseline_period,
                    "change_pct": one.change_pct,
                    "decrease_pct": one.decrease_pct,
                    "plan_change_pct": figure.change_pct,
                    "left_out_areas": float(len(one.left_out)),
                    schema.COVERAGE: one.coverage,
                },
                time_ms,
            )
            if found is not None:
                yield found


def left_out_points(
    site: str, zone: ZoneInfo, figures: Sequence[Figure], time_ms: int
) -> Iterator[Point]:
    """Yield a point for each area that a like-for-like comparison leaves out, by scope.

    The arguments are those of `comparison_points`, and `zone`: the time zone of the site.
    """
    days: dict[tuple[str, str, str, str], float] = {}
    unmetered: dict[tuple[str, str, str], set[str]] = {}
    for figure in figures:
        if not any(one.id == schema.LIKE_FOR_LIKE for one in figure.comparisons):
            continue
        for finding in figure.findings:
            values = dict(finding.values)
            key = figure.scope, figure.period, finding.subject
            day = values.get("day")
            if finding.code in _KINDS and isinstance(day, date):
                days[(*key, _KINDS[finding.code])] = float(periods.midnight_ms(day, zone))
            elif finding.code == "left_out_unmetered":
                unmetered.setdefault(key, set()).update(str(values["media"]).split())
    for (scope, period, area, kind), day_ms in days.items():
        media = unmetered.get((scope, period, area), ())
        tags = {"site": site, "scope": scope, "period": period, "area": area, "kind": kind}
        stays = " ".join(medium for medium in MEDIA if medium in media)
        fields: dict[str, Value | None] = {"day_ms": day_ms, "unmetered": stays or None}
        found = schema.point(schema.LEFT_OUT_AREA, tags, fields, time_ms)
        if found is not None:
            yield found
