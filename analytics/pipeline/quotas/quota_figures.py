"""Compute the results of quotas from stored consumption."""

from collections.abc import Sequence

from analytics import periods
from analytics.figures.quotas.annual_quota_results import (
    AnnualQuotaResult,
    annual_quota_results,
    reference_years,
)
from analytics.figures.quotas.quota_results import QuotaResult, quota_results
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.periods import Period
from analytics.pipeline.period_figures import PeriodFigures
from jieneng.metering.errors import UsageError
from jieneng.metering.site import Site


class QuotaFigures:
    """Computes the levels of buildings and the use of annual quotas of a site.

    Args:
        site: the site.
        rules: quotas, caps, plans and factors.
        scopes: scopes of the site.
        figures: reads the consumption of years.
    """

    def __init__(
        self,
        site: Site,
        rules: Rules,
        scopes: Sequence[Scope],
        figures: PeriodFigures,
    ) -> None:
        self._site = site
        self._rules = rules
        self._scopes = scopes
        self._figures = figures

    async def levels(
        self, year_id: str, as_of_ms: int, scope_id: str | None = None
    ) -> list[QuotaResult]:
        """Return the levels of buildings in a year, as of a given time.

        Args:
            year_id: id of the year.
            as_of_ms: the time [UTC, ms]; only local days before it are complete.
            scope_id: id of a scope, whose results are wanted; None for all scopes.

        Raises:
            UsageError: `year_id` is no calendar year, or there is no such scope.
        """
        year, today = _year(year_id), periods.local_day(as_of_ms, self._site.zone)
        wanted = self._wanted(scope_id)
        found = quota_results(
            self._site,
            self._rules,
            self._scopes,
            year,
            today,
            await self._figures.consumption(year.until(today)),
            await self._figures.years_before(year, today),
        )
        return [one for one in found if one.scope in wanted]

    async def annual(
        self, year_id: str, as_of_ms: int, scope_id: str | None = None
    ) -> list[AnnualQuotaResult]:
        """Return the use of annual quotas and caps in a year, as of a given time.

        Arguments and errors are those of `levels`.
        """
        year, today = _year(year_id), periods.local_day(as_of_ms, self._site.zone)
        earlier = {
            one: await self._figures.year_consumption(one, today)
            for one in sorted(reference_years(self._rules, self._site, year))
        }
        return annual_quota_results(
            self._site,
            self._rules,
            self._wanted(scope_id).values(),
            year,
            today,
            await self._figures.consumption(year.until(today)),
            earlier,
            await self._figures.years_before(year, today),
        )

    def _wanted(self, scope_id: str | None) -> dict[str, Scope]:
        """Return the wanted scopes by id."""
        ids = None if scope_id is None else [scope_id]
        return {scope.id: scope for scope in self._figures.scopes_of(ids)}


def _year(text: str) -> Period:
    """Return the calendar year with an id. Raises `UsageError` if it is none."""
    period = periods.parse(text)
    if not period.whole_year:
        raise UsageError("a quota is of a year, not of {period}: write 2025.", period=text)
    return period
