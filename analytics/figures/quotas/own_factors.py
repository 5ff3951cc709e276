"""Override the factors of the rules by those of a quota. Pure."""

from collections.abc import Mapping

import numpy as np

from analytics.figures.factors import DailyFactor
from analytics.figures.inputs.period_factors import PeriodFactors
from jieneng.metering.quantities import Carrier, Medium


def own_factors(
    factors: PeriodFactors,
    coal: Mapping[Carrier, float],
    carbon: Mapping[Carrier, float],
    days: int,
) -> PeriodFactors:
    """Return the factors of the rules on the days of a period, overridden by a quota's own.

    Args:
        factors: the factors of the rules.
        coal: the quota's own coal equivalents [kgce per kWh, m3 or GJ].
        carbon: the quota's own carbon factors [kgCO2 per kWh, m3 or GJ].
        days: number of days of the period.
    """

    def daily(value: float) -> DailyFactor:
        return DailyFactor(np.full(days, value), ())

    own_carbon: dict[Medium, float] = dict(carbon.items())
    fixed = {
        source: daily(own_carbon[source[0]]) if source[0] in own_carbon else factor
        for source, factor in factors.carbon["fixed"].items()
    }
    all_coal: dict[Medium, DailyFactor] = {**factors.coal}
    all_coal.update((medium, daily(value)) for medium, value in coal.items())
    return PeriodFactors(all_coal, {**factors.carbon, "fixed": fixed})
