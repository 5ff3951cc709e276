"""Compare the number of stored readings with the expected number. Pure.

A point (测点) is a quantity of a meter. The required completeness is 90 %; platforms expect
N = 24 x uploads an hour x points on a day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.quality.concern import Concern
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Meter, Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest share of the expected readings that must be stored.
LEAST_COMPLETE: Final = 0.90

_DAY_S: Final = 86_400.0


class PointReadings(msgspec.Struct, frozen=True):
    """Expected and stored readings of a point by local day, in arrays of shape (days,).

    Attributes:
        meter: id of the meter.
        quantity: the quantity.
        expected: number of readings that were to be polled.
        stored: number of stored readings.
    """

    meter: str
    quantity: str
    expected: "NDArray[np.float64]"
    stored: "NDArray[np.float64]"


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """Stored and expected readings of a point, or of a scope on a day.

    Attributes:
        subject: id of the meter, area, institution or site.
        quantity: the quantity; None for all quantities.
        day: the local day; None for the whole period.
        expected: number of readings that were to be polled.
        stored: number of stored readings, at most `expected`.
        share: `stored / expected`.
    """

    subject: str
    quantity: str | None = None
    day: date | None = None
    expected: int
    stored: int
    share: float

    @classmethod
    def of(
        cls,
        subject: str,
        expected: float,
        stored: float,
        *,
        quantity: str | None = None,
        day: date | None = None,
    ) -> "Completeness":
        """Return the completeness of a number of readings."""
        return cls(
            subject=subject,
            quantity=quantity,
            day=day,
            expected=round(expected),
            stored=round(min(stored, expected)),
            share=round(min(stored / expected, 1.0), 6),
        )


def polled_quantities(meter: Meter, models: Mapping[str, Model]) -> dict[str, float]:
    """Return the number of readings in 24 hours of each quantity; empty if nobody polls it."""
    if meter.bus is None or meter.model is None or meter.model not in models:
        return {}
    return {
        row.quantity: _DAY_S / (meter.interval_s * meter.every.get(row.quantity, row.every))
        for row in models[meter.model].point
    }


def is_expected(meter: Meter, days: Sequence[date], first: date) -> "NDArray[np.float64]":
    """Return 1 for each local day on which a meter is to be polled, else 0.

    Args:
        meter: the meter.
        days: ascending local days.
        first: first whole day on which any meter of the site was polled. Earlier readings were
            imported.
    """
    begin = max(first, meter.installed or first)
    last = meter.removed or date.max
    return np.array([float(begin <= day <= last) for day in days])


def point_shares(points: Iterable[PointReadings]) -> Iterator[Completeness]:
    """Yield the completeness of each point that was to be polled."""
    for point in points:
        expected = float(point.expected.sum())
        if expected > 0:
            stored = float(np.minimum(point.stored, point.expected).sum())
            yield Completeness.of(point.meter, expected, stored, quantity=point.quantity)


def day_shares(
    points: Sequence[PointReadings], meters: frozenset[str], scope: str, days: Sequence[date]
) -> list[Completeness]:
    """Return the completeness of a scope on each day on which its meters were to be polled."""
    own = [point for point in points if point.meter in meters]
    if not own:
        return []
    expected = np.sum([point.expected for point in own], axis=0)
    stored = np.sum([np.minimum(point.stored, point.expected) for point in own], axis=0)
    return [
        Completeness.of(scope, expected[number], stored[number], day=days[number])
        for number in np.flatnonzero(expected > 0).tolist()
    ]


def whole(scope: str, by_day: Sequence[Completeness]) -> Completeness | None:
    """Return the completeness of a scope in the whole period; None if nobody polls it."""
    expected = sum(one.expected for one in by_day)
    if not expected:
        return None
    return Completeness.of(scope, expected, sum(one.stored for one in by_day))


def incomplete_points(
    shares: Iterable[Completeness], site: Site, amounts: Mapping[str, float]
) -> Iterator[Concern]:
    """Yield a concern for each point of which too few readings are stored.

    The energy between two readings is known; only its distribution over time is unknown. So a
    concern about the consumption has the share without readings, and one about another quantity 0.

    Args:
        shares: completeness of the points.
        site: the site.
        amounts: consumption of each meter in the period [kWh, m3 or GJ].
    """
    for one in shares:
        if one.share >= LEAST_COMPLETE or one.quantity is None:
            continue
        counts = one.quantity == CONSUMPTION[site.meters[one.subject].medium]
        lost = (1 - one.share) * amounts.get(one.subject, 0.0) if counts else 0.0
        finding = Finding.of(
            "incomplete_point", one.subject, quantity=one.quantity, share=one.share
        )
        yield Concern(finding, lost)
