"""Compute the uncertainty of a scope's consumption from the findings about its meters.

The doubt of a finding is the amount by which the meter's consumption may be wrong.

Laws:

1. If only a part of a finding's time span is in the period, only this share of its doubt counts.
2. Findings with the same code and meter in a period are merged into one. Findings that a person has
   confirmed are merged separately, and have a doubt of 0.
3. The weight of a finding is its doubt divided by the medium's amount. If the doubt is 0, the
   weight is the share of the consumption during the finding. If the doubt has no known limit, the
   weight is None.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.counters.register_finding import RegisterFinding, merged
from analytics.figures.site_consumption import MeterConsumption
from analytics.periods import Period, edges_ms, local_day
from jieneng.metering.findings import Confirmation, Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PeriodFinding(msgspec.Struct, frozen=True):
    """All findings of one code about one meter in a period, merged.

    Attributes:
        whole: the merged finding, with its doubt in the period.
        spans_ms: shape (findings, 2), first and last time of each finding within the period
            [UTC, ms].
        unit: unit of the meter's consumption.
        confirmed: confirmation by a person that the values are right; None if there is none.
    """

    whole: RegisterFinding
    spans_ms: "NDArray[np.int64]"
    unit: str
    confirmed: Confirmation | None

    def days(self, edges_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        """Return True for each day on which at least one of the findings exists.

        Args:
            edges_ms: shape (days + 1,), midnights of the period [UTC, ms].
        """
        first = edges_ms.searchsorted(self.spans_ms[:, 0], side="right") - 1
        last = edges_ms.searchsorted(self.spans_ms[:, 1])
        steps = np.zeros(len(edges_ms), dtype=np.int64)
        np.add.at(steps, first.clip(0), 1)
        np.add.at(steps, np.maximum(last, first + 1).clip(max=len(edges_ms) - 1), -1)
        return np.cumsum(steps)[:-1] > 0

    def flow(self, edges_ms: "NDArray[np.int64]", amount: "NDArray[np.float64]") -> float:
        """Return the meter's consumption during the findings.

        The rate is assumed constant within a day.

        Args:
            edges_ms: shape (days + 1,), midnights of the period [UTC, ms].
            amount: shape (days,), the meter's consumption; NaN if unknown.
        """
        sums = np.concatenate([np.zeros(1), np.cumsum(zero_where_unknown(amount))])
        at = np.interp(self.spans_ms, edges_ms, sums)
        return float(np.abs(at[:, 1] - at[:, 0]).sum())


#: Findings in a period, by meter id.
PeriodFindings: TypeAlias = Mapping[str, Sequence[PeriodFinding]]


class MediumDoubts(msgspec.Struct, frozen=True):
    """Uncertainty of a scope's consumption of a medium, with the findings that cause it.

    Attributes:
        findings: the findings, each with its weight (law 3).
        amount: largest amount by which the scope's consumption may be wrong [kWh, m3 or GJ]; NaN if
            no limit is known.
    """

    findings: tuple[Finding, ...] = ()
    amount: float = 0.0


def period_findings(found: Sequence[RegisterFinding], period: Period, site: Site) -> PeriodFindings:
    """Return the findings about each meter in a period.

    Args:
        found: findings, in order of time.
        period: the period.
        site: the site; its time zone and its `[[confirmed]]` rows are used.
    """
    edges = edges_ms(period.start, period.end, "day", site.zone)
    parts: dict[tuple[str, str, Confirmation | None], list[RegisterFinding]] = {}
    statements = _confirmations(found, site)
    for number, one in enumerate(found):
        part = _part_in(one, int(edges[0]), int(edges[-1]))
        if part is not None:
            confirmed = statements.get(number)
            if confirmed is not None:
                part = msgspec.structs.replace(part, doubt=0.0)
            parts.setdefault((one.finding.subject, one.finding.code, confirmed), []).append(part)
    meters: dict[str, list[PeriodFinding]] = {}
    for (meter, _, confirmed), group in parts.items():
        if meter not in site.meters:
            continue
        unit = QUANTITIES[CONSUMPTION[site.meters[meter].medium]].unit
        spans = np.array([(one.first_ms, one.until_ms) for one in group])
        spans = spans.clip(edges[0], edges[-1])
        meters.setdefault(meter, []).append(PeriodFinding(merged(group), spans, unit, confirmed))
    return meters


def medium_doubts(
    found: PeriodFindings,
    metered: MeterConsumption,
    weight: "NDArray[np.float64]",
    total: float,
    edges_ms: "NDArray[np.int64]",
) -> MediumDoubts:
    """Return the uncertainty of a scope's consumption of a medium.

    Args:
        found: result of `period_findings`.
        metered: consumption of the medium's meters on the days of the period.
        weight: shape (meters, days), weight of each meter in the scope.
        total: amount of the medium in the scope; NaN if unknown.
        edges_ms: shape (days + 1,), midnights of the period [UTC, ms].
    """
    findings: list[Finding] = []
    doubt = 0.0
    for meter, by_day, amount in zip(metered.meters, np.abs(weight), metered.amount, strict=True):
        for one in found.get(meter, ()):
            counts = float(by_day[one.days(edges_ms)].max(initial=0.0))
            if not counts:
                continue
            in_doubt = one.whole.doubt if one.whole.is_doubt else one.flow(edges_ms, amount)
            share = abs(counts * in_doubt / total) if total else math.nan
            known = min(share, 1.0) if math.isfinite(share) else None
            shown = one.whole.shown(known, unit=one.unit)
            findings.append(msgspec.structs.replace(shown, confirmed=one.confirmed))
            doubt += counts * one.whole.doubt
    return MediumDoubts(tuple(findings), doubt)


def confirmed_days(
    found: PeriodFindings, metered: MeterConsumption, edges_ms: "NDArray[np.int64]"
) -> "NDArray[np.bool_]":
    """Return a mask (flows, days): True for days that a person has confirmed as right.

    Args:
        found: result of `period_findings`.
        metered: consumption of the medium's meters on the days of the period.
        edges_ms: shape (days + 1,), midnights of the period [UTC, ms].
    """
    in_order = np.zeros(metered.amount.shape, dtype=np.bool_)
    for number, meter in enumerate(metered.meters):
        for one in found.get(meter, ()):
            if one.confirmed is not None:
                in_order[number] |= one.days(edges_ms)
    return in_order


def _part_in(one: RegisterFinding, start_ms: int, end_ms: int) -> RegisterFinding | None:
    """Return a finding with its doubt in a period (law 1); None if it lies outside."""
    if one.first_ms >= end_ms or (one.first_ms < start_ms and one.until_ms <= start_ms):
        return None
    length = one.until_ms - one.first_ms
    inside = min(one.until_ms, end_ms) - max(one.first_ms, start_ms)
    share = inside / length if length else 1.0
    return msgspec.structs.replace(one, doubt=one.doubt * share)


def _confirmations(found: Sequence[RegisterFinding], site: Site) -> Mapping[int, Confirmation]:
    """Return the `[[confirmed]]` statement of each confirmed finding, by its index in `found`.

    A row confirms the findings with its meter and code that begin on its days. If no finding begins
    on these days, the row confirms the findings that continue or end on them.
    """
    confirmed: dict[int, Confirmation] = {}
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(found if site.confirmed else ()):
        numbers.setdefault((one.finding.subject, one.finding.code), []).append(number)
    for row in site.confirmed:
        first, last = row.at, row.until or row.at
        days = {
            number: [
                local_day(time_ms, site.zone)
                for time_ms in (found[number].first_ms, found[number].until_ms)
            ]
            for number in numbers.get((row.meter, row.finding), ())
        }
        beginning = [number for number, (begin, _) in days.items() if first <= begin <= last]
        during = [n for n, (begin, end) in days.items() if begin <= last and first <= end]
        statement = Confirmation(row.by, row.reason)
        confirmed |= dict.fromkeys(beginning or during, statement)
    return confirmed
