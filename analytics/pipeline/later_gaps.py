"""Find the days with gaps whose distribution is changed by late readings before the gaps.

A gap is distributed by the usual consumption of the four weeks before it. So a late reading can
change gaps that begin up to four weeks after it. Nothing else changes on the days of these gaps.

Laws:

1. In a gap the consumption is known, but not covered. So the stored coverage of a day shows if the
   day has a gap. For a meter without gaps, nothing else is read.
2. Values by hour are compared, not days: within a day, another distribution of a gap leaves the sum
   of the day as it is.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from analytics import periods
from analytics.counters.intervals.usual_week import HISTORY_MS
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.registers.meter_records import MeterRecords, scopes_named
from analytics.pipeline.registers.register_reader import RegisterReader
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of further days that are read if a gap does not end within the days that were read.
_FURTHER_DAYS: Final = 35


class LaterGaps:
    """Finds the gaps after late readings.

    Args:
        zone: time zone of the site.
        consumption: stored consumption of the site.
        registers: reader of the registers.
    """

    def __init__(
        self, zone: ZoneInfo, consumption: ConsumptionStore, registers: RegisterReader
    ) -> None:
        self._zone = zone
        self._consumption = consumption
        self._registers = registers

    async def ends(
        self, meters: Sequence[MeterRecords], from_ms: Mapping[str, int]
    ) -> dict[str, int]:
        """Return the time up to which gaps may be distributed by changed readings.

        Args:
            meters: records of the meters.
            from_ms: by meter id, the time before which readings may have changed [UTC, ms].

        Returns:
            By meter id, the end of these gaps [UTC, ms]; only meters with such gaps. It is the same
            time for all of them, so that they are computed together.
        """
        later = [
            one
            for one in meters
            if any(last_ms >= from_ms[one.meter.id] for _, last_ms in one.spans())
        ]
        if not later:
            return {}
        starts = [from_ms[one.meter.id] for one in later]
        first = periods.local_day(min(starts), self._zone)
        end = periods.local_day(max(starts) + HISTORY_MS, self._zone) + timedelta(days=1)
        while True:
            gaps = await self._days_with_gaps(later, first, end)
            if not any(of_meter[-1] for of_meter in gaps.values()):
                break
            end += timedelta(days=_FURTHER_DAYS)  # the last gap may end on a later day
        midnights = periods.edges_ms(first, end, "day", self._zone)
        ends = {
            meter: _end_of_gaps(of_meter, midnights, from_ms[meter])
            for meter, of_meter in gaps.items()
        }
        affected = [meter for meter, end_ms in ends.items() if end_ms > from_ms[meter]]
        return dict.fromkeys(affected, max(ends.values(), default=0))

    async def outdated(self, meters: Sequence[MeterRecords], start: date, end: date) -> list[date]:
        """Return the days from `start` up to, not including, `end` with outdated values by hour.

        Only meters with gaps are compared.
        """
        with_gaps = await self._days_with_gaps(meters, start, end)
        if not with_gaps:
            return []
        numbers = np.flatnonzero(np.any(list(with_gaps.values()), axis=0)).tolist()
        end = start + timedelta(days=numbers[-1] + 1)
        start += timedelta(days=numbers[0])
        flows = [flow for one in meters if one.meter.id in with_gaps for flow in one.flows()]
        hours = periods.edges_ms(start, end, "hour", self._zone)
        stored = await self._stored_hours(list(with_gaps), hours)
        rows = [
            stored.get((flow.series, flow.meter.id, CONSUMPTION[flow.meter.medium]))
            for flow, _ in flows
        ]
        if all(row is None for row in rows):
            return []
        midnights = periods.edges_ms(start, end, "day", self._zone)
        found = await self._registers.consumption(
            [one for _, one in flows], {"day": midnights, "hour": hours}
        )
        differs = np.zeros(len(hours) - 1, dtype=np.bool_)
        for row, now in zip(rows, found, strict=True):
            if row is not None:
                differs |= np.isfinite(row) & (row != now.consumption["hour"].amount)
        days = periods.interval_days(hours, self._zone)
        return sorted({days[number] for number in np.flatnonzero(differs).tolist()})

    async def _days_with_gaps(
        self, meters: Sequence[MeterRecords], start: date, end: date
    ) -> "dict[str, NDArray[np.bool_]]":
        """Return a mask of the days in which a gap is stored, by meter id (law 1).

        Meters without such days are left out.
        """
        fields = (schema.COVERAGE, schema.BOUNDED)
        ids = [one.meter.id for one in meters]
        found: dict[str, NDArray[np.bool_]] = {}
        for kind in ("meter", "export"):
            rows = await self._consumption.day_rows(
                start, end, fields, kind=kind, **scopes_named(ids)
            )
            for meter in ids:
                coverage, known = (rows.get((meter, field)) for field in fields)
                if coverage is None or known is None:
                    continue
                has_gap = coverage < known
                if has_gap.any():
                    found[meter] = has_gap | found.get(meter, has_gap)
        return found

    async def _stored_hours(
        self, meters: Sequence[str], hours_ms: "NDArray[np.int64]"
    ) -> "dict[tuple[str, str, str], NDArray[np.float64]]":
        """Return stored hourly consumption; the key is kind of the series, meter id and field."""
        fields = dict.fromkeys(CONSUMPTION.values())
        return {
            (kind, *key): row
            for kind in ("meter", "export")
            for key, row in (
                await self._consumption.aligned_rows(
                    hours_ms, fields, kind=kind, interval="hour", **scopes_named(meters)
                )
            ).items()
        }


def _end_of_gaps(
    has_gap: "NDArray[np.bool_]", midnights_ms: "NDArray[np.int64]", from_ms: int
) -> int:
    """Return the end of the last gap that begins less than `HISTORY_MS` after a time [UTC, ms].

    Args:
        has_gap: shape (days,), True for days with a gap.
        midnights_ms: shape (days + 1,), edges of the days [UTC, ms].
        from_ms: the time [UTC, ms]; it is returned if there is no such gap.
    """
    begins = has_gap & (midnights_ms[1:] > from_ms) & (midnights_ms[:-1] < from_ms + HISTORY_MS)
    days = np.flatnonzero(begins)
    if not len(days):
        return from_ms
    covered = np.flatnonzero(~has_gap[days[-1] :])
    end = days[-1] + covered[0] if len(covered) else len(has_gap)
    return int(midnights_ms[end])
