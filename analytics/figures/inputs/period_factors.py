"""Find the coal equivalent and carbon factors on the days of a period. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Final, get_args

import msgspec
import numpy as np

from analytics.figures.boundary.flows import CarbonSource
from analytics.figures.factors import DailyFactor, FactorKind, daily_factor
from analytics.figures.figure import FactorSeries
from analytics.figures.rule_files import Rules
from analytics.periods import Period, ordinals
from jieneng.metering.quantities import CARRIERS, Carrier, Medium
from jieneng.metering.site import Site, Supply

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The sources of carbon. For electricity, each class of supply is a source with its own factor.
_CARBON_SOURCES: Final[tuple[tuple[Carrier, Supply | None], ...]] = (
    *(("electricity", supply) for supply in get_args(Supply)),
    ("gas", None),
    ("heat", None),
)


class PeriodFactors(msgspec.Struct, frozen=True):
    """The factors on the days of a period.

    Attributes:
        coal: coal equivalent factors by energy carrier.
        carbon: carbon factors by series and source.
    """

    coal: Mapping[Medium, DailyFactor]
    carbon: Mapping[FactorSeries, Mapping[CarbonSource, DailyFactor]]


def period_factors(rules: Rules, site: Site, period: Period, fixed_on: date) -> PeriodFactors:
    """Return the factors on the days of a period.

    Args:
        rules: rules, of which the factor rows and the convention are used.
        site: site, of which the division code is used.
        period: the period.
        fixed_on: day whose carbon factors the series `fixed` uses on all days. Its findings are
            about the rest of the year of this day. The series `current` uses the factors of each
            day.
    """
    period_days = ordinals(period.start, period.end)

    def found(
        kind: FactorKind,
        medium: Carrier,
        on_days: "NDArray[np.int64]",
        supply: Supply | None = None,
    ) -> DailyFactor | None:
        return daily_factor(
            rules.factors,
            kind,
            medium,
            convention=rules.convention,
            division=site.site.division,
            ordinals=on_days,
            supply=supply,
        )

    def carbon_on(on_days: "NDArray[np.int64]") -> dict[CarbonSource, DailyFactor]:
        factors = {
            (medium, supply): found("carbon", medium, on_days, supply)
            for medium, supply in _CARBON_SOURCES
        }
        return {source: factor for source, factor in factors.items() if factor is not None}

    coal = {medium: found("coal", medium, period_days) for medium in CARRIERS}
    fixed = {
        source: DailyFactor(np.full(len(period_days), factor.values[0]), factor.findings)
        for source, factor in carbon_on(ordinals(fixed_on, date(fixed_on.year + 1, 1, 1))).items()
    }
    return PeriodFactors(
        {medium: factor for medium, factor in coal.items() if factor is not None},
        {"fixed": fixed, "current": carbon_on(period_days)},
    )
