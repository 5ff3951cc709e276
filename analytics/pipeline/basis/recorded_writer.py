"""Write daily figures of all days again if rows of the site's files changed.

Law: if no digest is stored, the stored figures are assumed to rest on the present rows.
"""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

from analytics import periods
from analytics.pipeline.basis.basis_store import BasisStore, ResultKey
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.round_step import DailyWriter
from jieneng.metering.site import Site
from jieneng.observe import log
from jieneng.storage import Store

#: Number of months, or years, between two log lines about the progress.
_LOGGED_EVERY: Final = 12


class RecordedWriter:
    """A writer that also writes all figures again if the rows behind them changed.

    Args:
        name: name of the figures.
        writer: writes the figures.
        digest: digest of the present rows behind the figures.
        site: the site.
        store: the store, prepared before the first update.
    """

    def __init__(
        self, name: str, writer: DailyWriter, digest: str, site: Site, store: Store
    ) -> None:
        self._writer = writer
        self._key: ResultKey = (name, site.id)
        self._digest = digest
        self._basis = BasisStore(site, store)
        self._consumption = ConsumptionStore(site, store)
        self._log = log("analytics")
        self._is_recorded: bool | None = None
        self._unwritten: frozenset[date] = frozenset()

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Write the figures of a new day and of changed days.

        The first call also checks the digest. If rows changed, all stored days count as changed.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.

        Returns:
            The number of months or years that are still to be written.
        """
        if self._is_recorded is None:
            self._is_recorded = await self._compare(today)
        left = await self._writer.update(today, self._unwritten.union(changed))
        self._unwritten = frozenset()
        if not self._is_recorded:
            await self._note_progress(left, today)
        return left

    async def _compare(self, today: date) -> bool:
        """Return True if the stored figures rest on the present rows."""
        stored = (await self._basis.digests()).get(self._key)
        if stored == self._digest:
            return True
        span = await self._consumption.day_span()
        if stored is None or span is None:
            await self._basis.record({self._key: self._digest}, today)
            return True
        self._log.info(
            "figures are computed again, because rows of the site's files changed",
            figures=self._key[0],
            first=str(span[0]),
            last=str(span[1]),
        )
        self._unwritten = frozenset(periods.days(span[0], span[1] + timedelta(days=1)))
        return False

    async def _note_progress(self, left: int, today: date) -> None:
        if left:
            if left % _LOGGED_EVERY == 0:
                self._log.info("figures are computed again", figures=self._key[0], left=left)
            return
        await self._basis.record({self._key: self._digest}, today)
        self._is_recorded = True
        self._log.info("figures are computed again: done", figures=self._key[0])
