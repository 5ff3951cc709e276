"""Read the inputs of the rating of a period: consumption, figures, quotas, bills, counts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from analytics import periods
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.metered_amounts import MeterPeriod, metered_amounts
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.quality.reading_counts import ReadingCounts
from analytics.quality.consistency_checks import BilledAmount
from analytics.quality.quality_assessment import QualityInputs, assess_quality
from analytics.quality.quality_score import QualityReport
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION
from jieneng.storage import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Smallest share of a bill's days for which the consumption must be known.
_LEAST_BOUNDED: Final = 0.95


async def quality_report(
    pipeline: Pipeline,
    store: Store,
    period: str,
    scope_ids: Sequence[str] | None,
    as_of_ms: int,
    published: Sequence[Finding],
) -> QualityReport:
    """Return the quality of the data of a period, as of a given time.

    Args:
        pipeline: the analytics of the site.
        store: the store of the site.
        period: id of the period.
        scope_ids: ids of areas, institutions or the site; None for all of them.
        as_of_ms: the time [UTC, ms]; only local days before it are complete.
        published: findings about published periods.

    Raises:
        UsageError: the period or a scope does not exist.
    """
    site = pipeline.folder.site
    whole = periods.parse(period)
    elapsed = whole.until(periods.local_day(as_of_ms, site.zone))
    figures = await pipeline.figures(period, scope_ids, as_of_ms)
    if not elapsed.days:
        return QualityReport((), (), ())
    consumption = ConsumptionStore(site, store)
    has_quotas = whole.whole_year and bool(pipeline.rules.quotas)
    return assess_quality(
        QualityInputs(
            site=site,
            rules=pipeline.rules,
            scopes=[one for one in pipeline.scopes if scope_ids is None or one.id in scope_ids],
            period=elapsed,
            current=await consumption.daily_consumption(elapsed.start, elapsed.end),
            other_years=await _other_years(pipeline, consumption, elapsed),
            figures=figures,
            quotas=await pipeline.quotas.levels(period, as_of_ms) if has_quotas else (),
            rests=await _rests(consumption, elapsed),
            points=await ReadingCounts(pipeline.folder, store).of_days(elapsed.start, elapsed.end),
            bills=await _bills(pipeline, consumption, store, elapsed),
            published=published,
        )
    )


async def _other_years(
    pipeline: Pipeline, consumption: ConsumptionStore, elapsed: Period
) -> dict[int, SiteConsumption]:
    """Return the consumption on the same days of the last year and of the base year."""
    base = pipeline.rules.base_year(elapsed)
    wanted = dict.fromkeys([elapsed.year - 1, *([base.year] if base is not None else [])])
    found: dict[int, SiteConsumption] = {}
    for year in wanted:
        span = elapsed.in_year(year)
        if year != elapsed.year and not await consumption.is_empty(span.start, span.end):
            found[year] = await consumption.daily_consumption(span.start, span.end)
    return found


async def _rests(
    consumption: ConsumptionStore, elapsed: Period
) -> "Mapping[str, NDArray[np.float64]]":
    """Return the daily consumption behind each meter that no meter below it measures, by its id."""
    rows = await consumption.day_rows(
        elapsed.start, elapsed.end, sorted(set(CONSUMPTION.values())), kind="rest"
    )
    return {meter: by_day for (meter, _), by_day in rows.items()}


async def _bills(
    pipeline: Pipeline, consumption: ConsumptionStore, store: Store, elapsed: Period
) -> list[BilledAmount]:
    """Return the bills that begin in a period, with the metered consumption of their days."""
    site = pipeline.folder.site
    start_ms, end_ms = (periods.midnight_ms(day, site.zone) for day in (elapsed.start, elapsed.end))
    fields: dict[tuple[str, int], dict[str, float]] = {}
    for name in sorted({*CONSUMPTION.values(), schema.COST_YUAN, schema.INTERVAL_S}):
        for series in await store.read(
            schema.BILL, name, where={"site": site.id}, start_ms=start_ms, end_ms=end_ms
        ):
            rows = zip(series.times_ms.tolist(), series.values.tolist(), strict=True)
            for time_ms, value in rows:
                fields.setdefault((series.tags["meter"], time_ms), {})[name] = value
    return [
        await _billed(pipeline, consumption, meter, time_ms, row)
        for (meter, time_ms), row in sorted(fields.items())
        if meter in site.meters and CONSUMPTION[site.meters[meter].medium] in row
    ]


async def _billed(
    pipeline: Pipeline,
    consumption: ConsumptionStore,
    meter_id: str,
    time_ms: int,
    row: Mapping[str, float],
) -> BilledAmount:
    site = pipeline.folder.site
    medium = site.meters[meter_id].medium
    start = periods.local_day(time_ms, site.zone)
    end = periods.local_day(time_ms + round(1000 * row[schema.INTERVAL_S]), site.zone)
    billed = Period("", start, max(end, start + timedelta(days=1)))
    years = (start.year, start.year - 1, start.year + 1)
    amounts = await _known_amounts(pipeline, consumption, meter_id, billed, years)
    return BilledAmount(
        meter=meter_id,
        medium=medium,
        start=start,
        last=billed.end - timedelta(days=1),
        amount=row[CONSUMPTION[medium]],
        cost_yuan=row.get(schema.COST_YUAN),
        metered=amounts.pop(start.year, float("nan")),
        other_years=amounts,
    )


async def _known_amounts(
    pipeline: Pipeline,
    consumption: ConsumptionStore,
    meter_id: str,
    billed: Period,
    years: Sequence[int],
) -> dict[int, float]:
    """Return the consumption of a meter on the same days of years, as far as it is known."""
    spans = [billed.in_year(year) for year in years]
    found = await metered_amounts(
        consumption,
        pipeline.folder.site,
        [MeterPeriod((meter_id,), span.start, span.end) for span in spans],
    )
    return {
        year: one.amount
        for year, one in zip(years, found, strict=True)
        if one.coverage >= _LEAST_BOUNDED
    }
