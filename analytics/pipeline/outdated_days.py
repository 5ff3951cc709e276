"""Find the local days whose consumption has to be computed, or computed again.

Law: when a day is computed, a coverage is stored for each meter with readings; it may be 0. A day
without this coverage is missing. A day is outdated if its readings now give other numbers or
findings than the stored ones. Values by hour are compared only in gaps after the given days
(`later_gaps`). In all other cases, a change of values by hour also changes the value of the day.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.site_consumption import consumption_fields
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.later_gaps import LaterGaps
from analytics.pipeline.registers.meter_records import MeterRecords, recorded_days, scopes_named
from analytics.pipeline.registers.register_reader import RegisterReader
from jieneng.metering import schema
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OutdatedDays:
    """Finds the days of a site that have to be computed.

    Args:
        site: the site.
        consumption: stored consumption of the site.
        registers: reader of the registers.
        findings: stored findings of the site.
    """

    def __init__(
        self,
        site: Site,
        consumption: ConsumptionStore,
        registers: RegisterReader,
        findings: FindingStore,
    ) -> None:
        self._site = site
        self._zone = site.zone
        self._consumption = consumption
        self._registers = registers
        self._findings = findings
        self._gaps = LaterGaps(site.zone, consumption, registers)

    async def extend_to_outdated(
        self, meters: Sequence[MeterRecords], first: date, end: date
    ) -> tuple[date, date]:
        """Return the days from `first` up to `end`, extended by outdated days around them.

        Days before and after are checked as far as readings in the given days can affect them.
        """
        edges = periods.midnight_ms(first, self._zone), periods.midnight_ms(end, self._zone)
        registers = [(meter, one) for meter in meters for _, one in meter.flows()]
        spans = await self._registers.affected_spans([one for _, one in registers], edges)
        low_ms, high_ms = (
            dict.fromkeys((meter.meter.id for meter in meters), edge) for edge in edges
        )
        for (meter, _), (from_ms, to_ms) in zip(registers, spans, strict=True):
            low_ms[meter.meter.id] = min(low_ms[meter.meter.id], from_ms)
            high_ms[meter.meter.id] = max(high_ms[meter.meter.id], to_ms)
        high_ms |= await self._gaps.ends(meters, high_ms)
        # Meters whose days before and after are the same are computed together.
        around: dict[tuple[date, date], list[MeterRecords]] = {}
        for meter in meters:
            before = periods.local_day(low_ms[meter.meter.id], self._zone), first
            last = periods.local_day(high_ms[meter.meter.id] - 1, self._zone)
            for days in (before, (end, last + timedelta(days=1))):
                if days[0] < days[1]:
                    around.setdefault(days, []).append(meter)
        low, high = first, end
        for (start, following), of_days in around.items():
            outdated = await self._outdated(of_days, start, following)
            if following <= first:
                low = min([low, *outdated])
            else:
                outdated += await self._gaps.outdated(of_days, start, following)
                high = max([high, *(day + timedelta(days=1) for day in outdated)])
        return low, high

    async def _outdated(self, meters: Sequence[MeterRecords], start: date, end: date) -> list[date]:
        """Return the computed days that are outdated for any of the meters."""
        midnights = periods.edges_ms(start, end, "day", self._zone)
        stored = {
            kind: await self._stored_rows(meters, kind, start, end) for kind in ("meter", "export")
        }
        computed = [meter for meter in meters if meter.meter.id in stored["meter"]]
        if not computed:
            return []
        flows = [flow for meter in computed for flow in meter.flows()]
        found = await self._registers.consumption([one for _, one in flows], {"day": midnights})
        outdated = np.zeros(len(midnights) - 1, dtype=np.bool_)
        findings: dict[str, list[RegisterFinding]] = {}
        for (flow, _), now in zip(flows, found, strict=True):
            rows = stored[flow.series].get(flow.meter.id, {})
            fields = consumption_fields(flow.meter.medium)
            outdated |= _differs(rows, fields, now.consumption["day"])
            findings.setdefault(flow.meter.id, []).extend(now.findings)
        edges = int(midnights[0]), int(midnights[-1])
        ids = [meter.meter.id for meter in computed]
        stored_findings = await self._findings.stored(edges[0], edges[1], **scopes_named(ids))
        return [
            *(start + timedelta(days=day) for day in np.flatnonzero(outdated).tolist()),
            *self._findings.outdated_days(findings, edges, stored_findings),
        ]

    async def _stored_rows(
        self, meters: Sequence[MeterRecords], kind: str, start: date, end: date
    ) -> "dict[str, dict[str, NDArray[np.float64]]]":
        """Return the stored values by day, by meter and field."""
        fields = {field for meter in meters for field in consumption_fields(meter.meter.medium)}
        ids = [meter.meter.id for meter in meters]
        found: dict[str, dict[str, NDArray[np.float64]]] = {}
        rows = await self._consumption.day_rows(start, end, fields, kind=kind, **scopes_named(ids))
        for (meter, field), row in rows.items():
            found.setdefault(meter, {})[field] = row
        return found

    async def missing_days(
        self, meters: Sequence[MeterRecords], last: date
    ) -> "tuple[date, NDArray[np.bool_]]":
        """Find the days up to `last` on which any meter has readings but no computed consumption.

        Args:
            meters: records of all meters that are read.
            last: the last local day.

        Returns:
            The first day with readings, and a mask of shape (days,) from it to `last`: True for a
            missing day.
        """
        spans = [span for meter in meters for span in meter.spans()]
        if not spans:
            return last, np.zeros(0, dtype=np.bool_)
        first = periods.local_day(min(start for start, _ in spans), self._zone)
        end = last + timedelta(days=1)
        midnights = periods.edges_ms(first, end, "day", self._zone)
        rows = await self._consumption.day_rows(first, end, [schema.COVERAGE])
        never = np.full(len(midnights) - 1, np.nan)
        missing = np.zeros(len(midnights) - 1, dtype=np.bool_)
        for meter_id, is_recorded in recorded_days(self._site, meters, midnights).items():
            computed = np.isfinite(rows.get((meter_id, schema.COVERAGE), never))
            missing |= ~computed & is_recorded
        return first, missing

    async def incomplete_days(self, first: date, last: date) -> "NDArray[np.bool_]":
        """Return a mask of the days `first` to `last`: True if any meter is not fully covered."""
        end = last + timedelta(days=1)
        measured = await self._consumption.daily_consumption(first, end)
        is_incomplete = np.zeros(max((end - first).days, 0), dtype=np.bool_)
        for metered in measured.media.values():
            is_incomplete |= (metered.coverage < 1).any(axis=0)
        return is_incomplete


def _differs(
    stored: "Mapping[str, NDArray[np.float64]]", fields: Sequence[str], now: Consumption
) -> "NDArray[np.bool_]":
    """Return a mask of days: True if a stored number differs from the newly computed one.

    Fields that an earlier version did not store are ignored.
    """
    quantity, coverage, _, *of_edges = fields  # the estimated share depends on the other fields
    never = np.full(len(now.amount), np.nan)
    amount, is_stored = stored.get(quantity, never), stored.get(coverage, never)
    same = (amount == now.amount) | (np.isnan(amount) & np.isnan(now.amount))
    known = (now.coverage, now.bounded, now.spread_start, now.spread_end)
    for field, of_readings in zip((coverage, *of_edges), known, strict=True):
        of_store = stored.get(field, never)
        same &= np.isnan(of_store) | (of_store == of_readings)
    differs: NDArray[np.bool_] = np.isfinite(is_stored) & ~same
    return differs
