"""Add up the stored consumption of meters over periods, to compare it with bills.

Laws:

1. Periods consist of whole local days. A day of a meter counts if the account bills the meter on
   it, and the meter is installed or has consumption. On a day on which none is installed, all that
   the account bills count.
2. The coverage of a sum is the share of its time that lies between readings, in which each meter
   counts by its mean consumption; one without any readings counts as an average meter. The coverage
   is 0 if nothing is known.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics import periods
from analytics.figures.boundary.lifetime import existing_days
from analytics.pipeline.consumption_store import ConsumptionStore
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Meter, Site

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MeterPeriod(msgspec.Struct, frozen=True):
    """Meters whose consumption is added up, and a period of whole local days.

    Attributes:
        meters: ids of the meters; at least one, all of one medium.
        start: first day.
        end: day after the last one.
        account: account of the supplier; a day of a meter with dated accounts counts only if its
            account is this one. None if all days count.
    """

    meters: tuple[str, ...]
    start: date
    end: date
    account: str | None = None


class MeteredAmount(msgspec.Struct, frozen=True):
    """Consumption of meters in a period.

    Attributes:
        amount: the consumption, in the unit of the meters' consumption quantity.
        coverage: share of the period for which the consumption is known, 0 to 1.
    """

    amount: float
    coverage: float


async def metered_amounts(
    consumption: ConsumptionStore, site: Site, wanted: Iterable[MeterPeriod]
) -> list[MeteredAmount]:
    """Return the stored consumption of each period."""
    found = []
    for period in wanted:
        meters = [site.meters[meter] for meter in period.meters]
        days = periods.days(period.start, period.end)
        quantity = CONSUMPTION[meters[0].medium]
        amounts, bounded = np.zeros((2, len(meters), len(days)))
        for row, meter in enumerate(meters):
            rows = await consumption.day_rows(
                period.start, period.end, (quantity, schema.BOUNDED), scope=meter.id
            )
            for field, values in ((quantity, amounts), (schema.BOUNDED, bounded)):
                if (meter.id, field) in rows:
                    values[row] = np.nan_to_num(rows[meter.id, field])
        is_billed = np.array([_billed_days(meter, period, days) for meter in meters])
        ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
        there = np.array([existing_days(meter, ordinals) for meter in meters])
        present = is_billed & (there | (amounts != 0))
        counts = np.where(present.any(axis=0), present, is_billed)
        found.append(_metered(amounts, bounded, counts))
    return found


def _billed_days(meter: Meter, period: MeterPeriod, days: Sequence[date]) -> list[bool]:
    """Return True for each day on which the account of a period bills a meter."""
    return [period.account is None or meter.is_billed_by(period.account, day) for day in days]


def _metered(
    amounts: "NDArray[np.float64]", bounded: "NDArray[np.float64]", counts: "NDArray[np.bool_]"
) -> MeteredAmount:
    """Return the sum of meters and its coverage (law 2); arrays have the shape (meters, days)."""
    counted, known = np.where(counts, amounts, 0.0), np.where(counts, bounded, 0.0)
    of_meter, known_days = np.abs(counted).sum(axis=1), known.sum(axis=1)
    means = np.where(known_days > 0, of_meter / np.maximum(known_days, 1e-9), np.nan)
    usual = float(np.nanmean(means)) if np.isfinite(means).any() else 0.0
    weight = np.where(np.isnan(means), usual, means) if usual > 0 else np.ones(len(means))
    total = float((weight * counts.sum(axis=1)).sum())
    share = float((weight * known_days).sum()) / total if total > 0 else 0.0
    billed = float(counts.any(axis=0).mean()) if counts.size else 0.0
    return MeteredAmount(float(counted.sum()), share * billed)
