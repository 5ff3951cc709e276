"""Add up the stored consumption of a meter over periods, to compare it with bills.

Law: periods consist of whole local days. The coverage of a sum is the share of its time that lies
between readings; it is 0 if nothing is known.
"""

from collections.abc import Iterable
from datetime import date

import msgspec
import numpy as np

from analytics.pipeline.consumption_store import ConsumptionStore
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Site


class MeterPeriod(msgspec.Struct, frozen=True):
    """A meter, and a period of whole local days.

    Attributes:
        meter: id of the meter.
        start: first day.
        end: day after the last one.
    """

    meter: str
    start: date
    end: date


class MeteredAmount(msgspec.Struct, frozen=True):
    """Consumption of a meter in a period.

    Attributes:
        amount: the consumption, in the unit of the meter's consumption quantity.
        coverage: share of the period for which the consumption is known, 0 to 1.
    """

    amount: float
    coverage: float


async def metered_amounts(
    consumption: ConsumptionStore, site: Site, periods: Iterable[MeterPeriod]
) -> list[MeteredAmount]:
    """Return the stored consumption of each period."""
    found = []
    for period in periods:
        quantity = CONSUMPTION[site.meters[period.meter].medium]
        fields = (quantity, schema.BOUNDED)
        rows = await consumption.day_rows(period.start, period.end, fields, scope=period.meter)
        nothing = np.zeros(max((period.end - period.start).days, 0))
        amounts = rows.get((period.meter, quantity), nothing)
        bounded = rows.get((period.meter, schema.BOUNDED), nothing)
        days = max(len(amounts), 1)
        found.append(MeteredAmount(float(np.nansum(amounts)), float(np.nansum(bounded)) / days))
    return found
