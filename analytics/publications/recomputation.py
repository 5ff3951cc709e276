"""Compute the figures of a period with a given site and rules, for publications.

Law: the consumption is read from the store. If its digest differs, the consumption has changed.
"""

import hashlib
from datetime import date, timedelta
from itertools import chain

from analytics import periods
from analytics.figures.figure import Figure
from analytics.figures.roll_up import scopes
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import consumption_fields
from analytics.periods import Period
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.pipeline.period_figures import PeriodFigures, WantedFigures
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import MEDIA
from jieneng.metering.site import Site
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store


def require_over(period: str, today: date) -> Period:
    """Return the period of an id.

    Raises:
        UsageError: the id is no period, or the period is not over.
    """
    whole = periods.parse(period)
    if today < whole.end:
        raise UsageError(
            "{period} is not over before {end}, so its figures would still change. Publish a period"
            " that is over.",
            period=period,
            end=whole.end,
        )
    return whole


async def figures_with(
    folder: SiteFolder, rules: Rules, store: Store, period: Period
) -> list[Figure]:
    """Return the figures of a period that is over, with a given site and rules."""
    site = folder.site
    computed = PeriodFigures(
        site,
        rules,
        scopes(site),
        ConsumptionStore(site, store),
        FindingStore(site, store),
        IntervalReader(folder, store),
    )
    [figures] = await computed.figures(
        [WantedFigures(period.id, periods.midnight_ms(period.end, site.zone))]
    )
    return figures


async def consumption_digest(site: Site, rules: Rules, store: Store, period: Period) -> str:
    """Return the SHA-256 of the daily consumption of a period and of the years it is compared with.

    The digest covers the consumption of all meters and export registers, with coverage and
    estimated shares, and the findings about the meters.
    """
    digest = hashlib.sha256()
    consumption, findings = ConsumptionStore(site, store), FindingStore(site, store)
    fields = set(chain.from_iterable(map(consumption_fields, MEDIA)))
    for span in (period, *rules.compared_years(period)):
        for kind in ("meter", "export"):
            rows = await consumption.day_rows(span.start, span.end, fields, kind=kind)
            for key in sorted(rows):
                digest.update(repr((span.id, kind, *key)).encode())
                digest.update(rows[key].astype("<f8").tobytes())
        start_ms, end_ms = (
            periods.midnight_ms(day, site.zone)
            for day in (span.start, span.end + timedelta(days=1))
        )
        for found in await findings.overlapping(start_ms, end_ms):
            digest.update(repr(found).encode())
    return digest.hexdigest()
