"""Read the reports of the ingest, and the backlog of the agents, from the store.

Law: a round costs two queries of a short window.
"""

from typing import Final

from jieneng.metering import schema
from jieneng.metering.site import Site
from jieneng.storage import Store

#: Length of the window before and after now [ms]; clocks of other machines may be wrong by so much.
_WINDOW_MS: Final = 15 * 60_000
#: Rounds after which the store is searched again for a first report of the ingest.
_ASK_AGAIN: Final = 30


class IntakeReader:
    """Reads the reports of the ingest of a site, and the backlog of its agents.

    Args:
        site: the site.
        store: the store.

    Attributes:
        newest_ms: time of the newest report so far [UTC, ms]; None if there is no report.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store
        self.newest_ms: int | None = None
        self._rounds = 0

    async def newest_report_ms(self, now_ms: int) -> int | None:
        """Return the time of the newest report of any ingest [UTC, ms]; None without a report."""
        self._rounds += 1
        where = {"site": self._site.id}
        if self.newest_ms is None and self._rounds % _ASK_AGAIN == 1:
            span = await self._store.span(schema.RECEIPT, where=where, field="held")
            self.newest_ms = None if span is None else span[1]
        if self.newest_ms is not None:
            found = await self._store.read(
                schema.RECEIPT,
                "held",
                where=where,
                start_ms=now_ms - _WINDOW_MS,
                end_ms=now_ms + _WINDOW_MS,
            )
            times = [int(series.times_ms[-1]) for series in found]
            self.newest_ms = max([self.newest_ms, *times])
        return self.newest_ms

    async def backlog_s(self, now_ms: int) -> dict[str, float]:
        """Return the age of the oldest reading that an agent has not sent yet, by meter [s]."""
        found = await self._store.read(
            schema.AGENT,
            "spool_age_s",
            where={"site": self._site.id},
            start_ms=now_ms - _WINDOW_MS,
            end_ms=now_ms + _WINDOW_MS,
        )
        ages = {series.tags["agent"]: float(series.values[-1]) for series in found}
        agents = {bus.id: bus.agent for bus in self._site.bus}
        return {
            meter.id: ages[agents[meter.bus]]
            for meter in self._site.meter
            if meter.bus is not None and agents[meter.bus] in ages
        }
