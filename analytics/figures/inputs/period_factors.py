"""Find the coal equivalent and carbon factors on the days of a period. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final, get_args

import msgspec
import numpy as np

from analytics.figures.boundary.flows import CarbonSource
from analytics.figures.factors import DailyFactor, FactorKind, daily_factor, factor_series
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

    @property
    def coal_values(self) -> "dict[Medium, NDArray[np.float64]]":
        """Coal equivalent factors by energy carrier, shape (days,) each."""
        return {medium: factor.values for medium, factor in self.coal.items()}

    @property
    def carbon_values(self) -> "dict[FactorSeries, dict[CarbonSource, NDArray[np.float64]]]":
        """Carbon factors by series and source, shape (days,) each."""
        return {
            series: {source: factor.values for source, factor in factors.items()}
            for series, factors in self.carbon.items()
        }


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
    fixed_days = ordinals(fixed_on, date(fixed_on.year + 1, 1, 1))
    sources = _daily_factors(rules, site, "carbon", _CARBON_SOURCES, fixed_days)
    return PeriodFactors(
        {
            medium: factor
            for (medium, _), factor in _daily_factors(
                rules, site, "coal", [(medium, None) for medium in CARRIERS], period_days
            ).items()
        },
        {
            "fixed": {
                source: DailyFactor(np.full(len(period_days), factor.values[0]), factor.findings)
                for source, factor in sources.items()
            },
            "current": _daily_factors(rules, site, "carbon", _CARBON_SOURCES, period_days),
        },
    )


def _daily_factors(
    rules: Rules,
    site: Site,
    kind: FactorKind,
    sources: Sequence[tuple[Carrier, Supply | None]],
    on_days: "NDArray[np.int64]",
) -> dict[CarbonSource, DailyFactor]:
    """Return the factors of the sources that have one. Sources with the same rows share it."""
    by_rows: dict[tuple[str, ...], DailyFactor] = {}
    found: dict[CarbonSource, DailyFactor] = {}
    for medium, supply in sources:
        series = factor_series(
            rules.factors,
            kind,
            medium,
            convention=rules.convention,
            division=site.site.division,
            supply=supply,
        )
        if series:
            rows = tuple(row.id for row in series)
            if rows not in by_rows:
                by_rows[rows] = daily_factor(series, on_days)
            found[medium, supply] = by_rows[rows]
    return found
