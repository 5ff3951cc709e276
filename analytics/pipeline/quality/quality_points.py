"""Convert the rating of data quality to points of the store. Pure."""

from analytics.quality.quality_score import QualityReport, QualityResult
from jieneng.metering import schema
from jieneng.metering.schema import Point


def quality_points(site: str, report: QualityReport, time_ms: int) -> list[Point]:
    """Return the points of scores and issues.

    Args:
        site: id of the site.
        report: the rating.
        time_ms: start of the local day for which it was computed [UTC, ms].
    """
    return [
        point
        for result in report.results
        for point in (_score_point(site, result, time_ms), *_issue_points(site, result, time_ms))
        if point is not None
    ]


def _score_point(site: str, result: QualityResult, time_ms: int) -> Point | None:
    tags = {"site": site, "scope": result.scope, "figure": result.figure, "period": result.period}
    return schema.point(
        schema.DATA_QUALITY,
        tags,
        {
            "score": result.score,
            **{part.part: part.score for part in result.parts},
            schema.COVERAGE: result.coverage,
            "readings": result.readings,
        },
        time_ms,
    )


def _issue_points(site: str, result: QualityResult, time_ms: int) -> list[Point | None]:
    return [
        schema.point(
            schema.QUALITY_ISSUE,
            {
                "site": site,
                "scope": result.scope,
                "figure": result.figure,
                "code": one.finding.code,
                "subject": one.finding.subject,
            },
            {"share": one.share, "amount": one.amount, "points": one.points},
            time_ms,
        )
        for one in result.issues
    ]
