"""Compute stored consumption again if rows of `site.toml` changed, or the flows that a plan counts.

Laws:

1. Some changed rows affect the registers of a meter: ratio, nameplate, replacement and others. Then
   the meter is computed again, from the first reading that is stored. Days before this reading keep
   their consumption.
2. Sums and virtual meters are computed from the stored consumption of the meters, on all days. This
   needs no readings and takes little time.
3. If no digest is stored, the stored consumption is assumed to rest on the present rows.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from analytics import periods
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.rule_files import Rules
from analytics.pipeline.basis.basis_store import REGISTER, SUMS, BasisStore, ResultKey
from analytics.pipeline.basis.row_digests import register_digests, sums_digest
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.consumption_windows import ConsumptionWindows
from analytics.pipeline.registers.meter_records import MeterRecords
from analytics.pipeline.registers.register_reader import RegisterReader
from jieneng.observe import log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: Months that are computed between two log lines about the progress.
_MONTHS: Final = 6


class ChangedConsumption:
    """Finds and computes the consumption of a site that rests on changed rows.

    Args:
        folder: the site.
        rules: the plans.
        store: the store, prepared.
        consumption: stored consumption of the site.
        registers: reader of the registers.
        windows: computes and writes consumption.
    """

    def __init__(
        self,
        folder: SiteFolder,
        rules: Rules,
        store: Store,
        consumption: ConsumptionStore,
        registers: RegisterReader,
        windows: ConsumptionWindows,
    ) -> None:
        self._site = folder.site
        self._consumption = consumption
        self._registers = registers
        self._windows = windows
        self._basis = BasisStore(folder.site, store)
        self._log = log("analytics")
        self._digests: dict[ResultKey, str] = {
            (SUMS, folder.site.id): sums_digest(folder.site, rules),
            **{
                (REGISTER, meter): digest
                for meter, digest in register_digests(folder.site, folder.models).items()
            },
        }
        self._is_current = False

    async def recompute(
        self, today: date, progress: Callable[[float], None]
    ) -> tuple[date, list[RegisterFinding]] | None:
        """Compute the consumption that rests on changed rows, and store the new digests.

        Args:
            today: the present local day.
            progress: called with the finished share of the work, 0 to 1.

        Returns:
            The first day that was computed, and the findings about registers; None if nothing has
            changed.
        """
        if self._is_current:
            return None
        stored = await self._basis.digests()
        changed = {key: one for key, one in self._digests.items() if stored.get(key) != one}
        span = await self._consumption.day_span() if changed and stored else None
        found = None
        if span is not None:
            ids = [meter for result, meter in changed if result == REGISTER]
            end = span[1] + timedelta(days=1)
            found = span[0], await self._compute(ids, span[0], end, progress)
        if changed:
            await self._basis.record(changed, today)
        self._is_current = True
        return found

    async def _compute(
        self, ids: list[str], start: date, end: date, progress: Callable[[float], None]
    ) -> list[RegisterFinding]:
        """Compute meters from their first reading on, and all sums from `start` up to `end`."""
        self._log.info(
            "consumption is computed again, because rows of the site's files changed",
            meters=len(ids),
            first=str(start),
            last=str(end - timedelta(days=1)),
        )
        records = await self._registers.meter_records(
            [self._site.read_meters[meter] for meter in ids]
        )
        first = min(max(self._first_day(records, end), start), end)
        parts = [
            *(((), *days) for days in periods.windows(start, first, _MONTHS)),
            *((records, *days) for days in periods.windows(first, end, _MONTHS)),
        ]
        findings: list[RegisterFinding] = []
        for number, (meters, begin, following) in enumerate(parts, start=1):
            findings += await self._windows.recompute(meters, begin, following, is_whole=True)
            progress(number / len(parts))
            self._log.info(
                "consumption is computed again",
                until=str(following),
                percent=round(100 * number / len(parts)),
            )
        return findings

    def _first_day(self, records: list[MeterRecords], end: date) -> date:
        """Return the local day of the first record of any meter; `end` if there is none."""
        starts = [start_ms for one in records for start_ms, _ in one.spans()]
        return periods.local_day(min(starts), self._site.zone) if starts else end
