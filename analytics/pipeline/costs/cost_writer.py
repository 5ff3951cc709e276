"""Keep the measurement `cost` up to date.

Laws:

1. Costs of the running month and of the two months before it are written once a local day. Earlier
   months follow if their consumption was computed again, the latest month first. Each call writes
   one of them, to keep the call short.
2. The points of a month are deleted before they are written. So no outdated value is kept if a cost
   becomes unknown. For a site without accounts, nothing is deleted or written.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Final

from analytics import periods
from analytics.costs.cost_result import CostResult
from analytics.periods import months_later
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.costs.cost_points import cost_points
from analytics.pipeline.costs.cost_reader import CostReader
from jieneng.metering import schema
from jieneng.metering.site import Site
from jieneng.storage import Store

#: Months before the running one whose bills may still arrive.
_EARLIER_MONTHS: Final = 2


class CostWriter:
    """Writes the costs of a site by month.

    Args:
        site: the site.
        reader: computes the costs.
        store: the store, prepared before the first call.
    """

    def __init__(self, site: Site, reader: CostReader, store: Store) -> None:
        self._site = site
        self._reader = reader
        self._store = store
        self._consumption = ConsumptionStore(site, store)
        self._written_on: date | None = None
        self._waiting: set[str] = set()

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Write the costs of a new day, and of an earlier month that is due (law 1).

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.

        Returns:
            The number of months that are still to be written.
        """
        if not self._reader.has_accounts:
            return 0
        latest = {f"{months_later(today, -number):%Y-%m}" for number in range(_EARLIER_MONTHS + 1)}
        self._waiting |= {f"{day:%Y-%m}" for day in changed}
        if self._written_on != today:
            await self.write(sorted(latest), today)
            self._written_on = today
            self._waiting -= latest
        if self._waiting:
            month = max(self._waiting)
            await self.write([month], today)
            self._waiting.remove(month)
        return len(self._waiting)

    async def write(self, months: Iterable[str], today: date) -> list[CostResult]:
        """Write the costs of months, and return them."""
        written: list[CostResult] = []
        if not self._reader.has_accounts:
            return written
        for period in map(periods.parse, months):
            results = await self._reader.costs([period], today)
            start_ms, end_ms = (
                periods.midnight_ms(day, self._site.zone) for day in (period.start, period.end)
            )
            await self._store.delete(
                schema.COST, where={"site": self._site.id}, start_ms=start_ms, end_ms=end_ms
            )
            await self._consumption.write_figures(
                cost_points(self._site.id, self._site.zone, results)
            )
            written += results
        return written
