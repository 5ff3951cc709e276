"""Rate a figure's data from 0 to 100 by its issues, and rank the issues by their points.

Laws:

1. A score is 100 less the points of its issues (`quality_rules`).
2. Of several issues of one part about one meter or scope, only the largest counts. For example, a
   gap and its missing readings do not count twice.
3. A figure without a known or expected value has no score.

Pure.
"""

from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec

from analytics.figures.figure import rounded
from analytics.quality.completeness import Completeness
from analytics.quality.figure_meters import RatedFigure
from analytics.quality.quality_rules import PART_POINTS, RULES, Part, QualityRule
from jieneng.metering.findings import Finding


class QualityIssue(msgspec.Struct, frozen=True, kw_only=True):
    """A finding about the data of a figure, with its weight.

    Attributes:
        finding: the finding; its weight is `share`.
        part: part of the score under which it is listed.
        share: share of the figure that it concerns, 0 to 1.
        amount: value of the figure that it concerns [kgce or m3].
        points: points that the score gains if the issue is corrected; 0 if it is only listed.
    """

    finding: Finding
    part: Part
    share: float
    amount: float
    points: float


class PartScore(msgspec.Struct, frozen=True):
    """A part of a score.

    Attributes:
        part: name of the part.
        points: largest score of the part. score: reached points.
    """

    part: Part
    points: float
    score: float


class QualityResult(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of the data behind a figure.

    Attributes:
        scope: id of the site, area or institution.
        figure: `energy_total` [kgce] or `water_total` [m3].
        period: id of the period.
        score: 0 to 100; None if the figure has neither a known nor an expected value.
        parts: the parts of the score.
        coverage: share of the meters' time for which consumption is known, 0 to 1.
        readings: share of the polled readings that are stored, 0 to 1; None if no meter of the
            scope is polled.
        issues: the issues, those with most points first.
    """

    scope: str
    figure: RatedFigure
    period: str
    score: float | None
    parts: tuple[PartScore, ...]
    coverage: float | None
    readings: float | None
    issues: tuple[QualityIssue, ...]


class QualityReport(msgspec.Struct, frozen=True):
    """Quality of the data of a period.

    Attributes:
        results: by scope and figure.
        points: completeness of each polled point.
        days: completeness of each scope on each day on which readings are missing.
    """

    results: tuple[QualityResult, ...]
    points: tuple[Completeness, ...]
    days: tuple[Completeness, ...]


def issue(finding: Finding, share: float, figure_value: float) -> QualityIssue | None:
    """Return the issue of a finding; None if no rule has its code, or its share is too small.

    Args:
        finding: the finding.
        share: share of the figure that it concerns, 0 to 1.
        figure_value: expected value of the figure [kgce or m3].
    """
    rule = RULES.get(finding.code)
    if rule is None or finding.confirmed is not None:
        return None
    if rule.counted > 0 and share < rule.least_share:
        return None
    return QualityIssue(
        finding=msgspec.structs.replace(finding, weight=rounded(share)),
        part=rule.part,
        share=round(share, 6),
        amount=round(share * figure_value, 3),
        points=round(sum(_lost_points(rule, part, share) for part in rule.parts), 3),
    )


def _lost_points(rule: QualityRule, part: Part, share: float) -> float:
    """Return the points of a part that an issue costs."""
    return PART_POINTS[part] * rule.counted * share


def ranked(issues: Iterable[QualityIssue]) -> tuple[QualityIssue, ...]:
    """Return the issues, those with most points first."""
    return tuple(sorted(issues, key=lambda one: (-one.points, -one.share, one.finding.subject)))


def part_scores(issues: Sequence[QualityIssue]) -> tuple[PartScore, ...]:
    """Return the points that each part of the score reaches (law 2)."""
    lost: dict[Part, dict[str, float]] = {part: {} for part in get_args(Part)}
    for one in issues:
        rule, subject = RULES[one.finding.code], one.finding.subject
        for part in rule.parts:
            points = _lost_points(rule, part, one.share)
            lost[part][subject] = max(lost[part].get(subject, 0.0), points)
    return tuple(
        PartScore(part, points, round(max(points - sum(lost[part].values()), 0.0), 2))
        for part, points in PART_POINTS.items()
    )
