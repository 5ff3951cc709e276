"""Find stored readings of meters that `site.toml` does not name.

Law: if a meter is renamed or its row deleted, its readings stay in the store and no longer count,
also not in the base year. Whoever reads the site's figures is told of it.
"""

from collections.abc import Sequence

import msgspec

from analytics import periods
from analytics.figures.figure import Figure
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import MEDIA
from jieneng.metering.site import Site
from jieneng.storage import Store


async def with_unnamed_meters(
    figures: Sequence[Figure], site: Site, store: Store, period: str
) -> list[Figure]:
    """Return figures, with a finding at those of the site for each meter that it does not name.

    Args:
        figures: figures of a period.
        site: the site.
        store: the store, prepared.
        period: id of the period. Meters that were read in it, or in the base period, are found.
    """
    spans = await _unnamed_spans(site, store)
    if not spans:
        return list(figures)
    found: list[Figure] = []
    for figure in figures:
        of_figure = [periods.parse(period).id, figure.baseline_period]
        more = [
            Finding.of("unnamed_meter", meter, first_ms=first_ms, until_ms=last_ms)
            for meter, (first_ms, last_ms) in sorted(spans.items())
            if figure.scope == site.site.id
            and any(_overlaps(one, (first_ms, last_ms), site) for one in of_figure if one)
        ]
        found.append(msgspec.structs.replace(figure, findings=(*figure.findings, *more)))
    return found


async def _unnamed_spans(site: Site, store: Store) -> dict[str, tuple[int, int]]:
    """Return times of the first and last point of the meters that a site does not name, by id."""
    where = {"site": site.site.id}
    spans: dict[str, tuple[int, int]] = {}
    for measurement in (schema.INTERVAL, *MEDIA):
        for one in await store.spans(measurement, where=where):
            meter = one.tags["meter"]
            if meter not in site.meters:
                first_ms, last_ms = spans.get(meter, (one.first_ms, one.last_ms))
                spans[meter] = min(first_ms, one.first_ms), max(last_ms, one.last_ms)
    return spans


def _overlaps(period: str, span: tuple[int, int], site: Site) -> bool:
    whole = periods.parse(period)
    start_ms, end_ms = (periods.midnight_ms(day, site.zone) for day in (whole.start, whole.end))
    return span[0] < end_ms and span[1] >= start_ms
