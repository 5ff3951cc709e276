"""Compare the stored consumption of each meter with its own past, and store the findings.

Laws:

1. A meter is compared with its whole stored history. New days may end an earlier finding: a day far
   above all others is no longer unusual if more such days follow. So all findings of this kind are
   rewritten together, not window by window.
2. Only stored consumption is read, so the findings do not depend on the windows in which it was
   computed.
"""

from collections.abc import Collection
from datetime import date, timedelta

import numpy as np

from analytics import periods
from analytics.counters.own_past.day_history import DayHistory
from analytics.counters.own_past.past_comparison import compare_with_past
from analytics.counters.register_finding import RegisterFinding
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.registers.meter_records import scopes_named
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Site


class PastFindings:
    """Compares the meters of a site with their own past.

    Args:
        site: the site.
        consumption: stored consumption of the site.
        findings: stored findings of the site.
    """

    def __init__(self, site: Site, consumption: ConsumptionStore, findings: FindingStore) -> None:
        self._site = site
        self._consumption = consumption
        self._findings = findings
        self._judged_until: date | None = None

    async def update(
        self, changed_from: date, changed: Collection[str] | None = None
    ) -> list[RegisterFinding]:
        """Compare meters again, if a day before yesterday has changed or a new day has begun.

        Virtual meters are left out: the meters in their formulas are compared.

        Args:
            changed_from: first local day whose consumption may have changed.
            changed: ids of the meters that may have changed; None for all meters.

        Returns:
            The findings, by meter, code and local day.
        """
        span = await self._consumption.day_span()
        if span is None:
            return []
        first, last = span
        if self._judged_until == last and changed_from >= last - timedelta(days=1):
            return []
        edges = periods.edges_ms(first, last + timedelta(days=1), "day", self._site.zone)
        window = int(edges[0]), int(edges[-1])
        fields = {*CONSUMPTION.values(), schema.COVERAGE, schema.SPREAD_START}
        of_meters = scopes_named(changed)
        rows = await self._consumption.day_rows(
            first, last + timedelta(days=1), fields, **of_meters
        )
        stored = await self._findings.stored(window[0], window[1], **of_meters)
        found: dict[str, list[RegisterFinding]] = {}
        for meter in self._site.read_meters.values():
            amount = rows.get((meter.id, CONSUMPTION[meter.medium]))
            coverage = rows.get((meter.id, schema.COVERAGE))
            is_changed = changed is None or meter.id in changed
            if not is_changed or amount is None or coverage is None:
                continue
            spread = rows.get((meter.id, schema.SPREAD_START), np.zeros(len(amount)))
            history = DayHistory(edges, amount, coverage, spread)
            found[meter.id] = compare_with_past(meter, history)
        if changed is None:
            self._judged_until = last
        return await self._findings.rewrite(found, window, stored, of_past=True)
