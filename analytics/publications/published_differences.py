"""Say at figures that the published ones are other values.

Law: a period that was published has two values once its data were corrected: the one that a person
answers for, and the one that is computed now. Who sees the second one is told of the first one.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from analytics import periods
from analytics.figures.figure import Figure
from analytics.publications import publication_files
from jieneng.metering.errors import UsageError
from jieneng.metering.findings import Finding


def with_published(figures: Sequence[Figure], site_folder: Path, period: str) -> list[Figure]:
    """Return the figures of a period, with a finding at each that was published with another value.

    Args:
        figures: the figures as they are computed now.
        site_folder: the site's folder.
        period: id of the period.
    """
    try:
        publication = publication_files.read(site_folder, periods.parse(period).id)
    except UsageError:  # a file that was edited: `jieneng publish` says so
        publication = None
    if publication is None:
        return list(figures)
    published = {
        (one["scope"], one["indicator"], one["factor_series"]): one for one in publication.figures
    }
    found: list[Figure] = []
    for figure in figures:
        other = published.get((figure.scope, figure.indicator, figure.factor_series))
        if other is None or _is_equal(figure, other):
            found.append(figure)
            continue
        difference = Finding.of(
            "published_otherwise",
            figure.scope,
            indicator=figure.indicator,
            value="—" if other["value"] is None else f"{other['value']:g}",
            unit=figure.unit,
            by=publication.by,
            period=publication.period,
        )
        found.append(msgspec.structs.replace(figure, findings=(*figure.findings, difference)))
    return found


def _is_equal(figure: Figure, published: Mapping[str, Any]) -> bool:
    now, then = figure.value, published["value"]
    if now is None or then is None:
        return now is then
    return math.isclose(now, then, rel_tol=1e-9, abs_tol=1e-6)
