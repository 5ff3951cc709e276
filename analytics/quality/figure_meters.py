"""Compute the part of a scope's figure that each meter measures.

Laws:

1. A meter below another meter of the scope has no weight, because its consumption is a part of the
   consumption of the meter above.
2. If consumption of a meter is missing, the expected consumption is that at the rate of the rest of
   the period. If no consumption is known, it is that of the same days of the last year, or else
   that of the average meter of the medium.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.roll_up import Scope, boundary_weights
from analytics.figures.site_consumption import MeterConsumption
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from analytics.figures.boundary.flows import FlowKind

#: Indicators whose data are rated. Energy is in kgce, water in m3.
RatedFigure: TypeAlias = Literal["energy_total", "water_total"]

#: Smallest share of the time from which the rate of a meter is taken.
_LEAST_KNOWN: Final = 0.05


class ExpectedAmounts(msgspec.Struct, frozen=True):
    """Known and expected consumption of the meters of a medium, in arrays of shape (meters,).

    Attributes:
        meters: ids of the meters.
        known: known consumption [kWh, m3 or GJ].
        expected: expected consumption (law 2); 0 if unknown.
        bounded: share of the time for which consumption is known, 0 to 1.
    """

    meters: tuple[str, ...]
    known: "NDArray[np.float64]"
    expected: "NDArray[np.float64]"
    bounded: "NDArray[np.float64]"


def expected_amounts(
    metered: MeterConsumption, last_year: MeterConsumption | None
) -> ExpectedAmounts:
    """Return the known and the expected consumption of a medium's meters."""
    known, bounded = _known(metered)
    rates = np.where(bounded >= _LEAST_KNOWN, known / np.maximum(bounded, _LEAST_KNOWN), np.nan)
    if last_year is not None:
        past, share = _known(last_year)
        of_past = {
            meter: amount / part
            for meter, amount, part in zip(
                last_year.without_exports().meters, past.tolist(), share.tolist(), strict=True
            )
            if part >= _LEAST_KNOWN
        }
        before = np.array([of_past.get(one, math.nan) for one in metered.without_exports().meters])
        rates = np.where(np.isnan(rates), before, rates)
    is_known = np.isfinite(rates)
    mean = float(rates[is_known].mean()) if is_known.any() else 0.0
    expected = np.where(is_known, rates, mean)
    return ExpectedAmounts(metered.without_exports().meters, known, expected, bounded)


def _known(metered: MeterConsumption) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the known consumption of each register, and the share of the time with it."""
    registers = metered.without_exports()
    return zero_where_unknown(registers.amount).sum(axis=1), registers.bounded.mean(axis=1)


class FigureMeters(msgspec.Struct, frozen=True):
    """The meters of a scope's figure.

    Attributes:
        expected: expected value of the figure, with all consumption (law 2) [kgce or m3]; 0 if the
            scope has no meter, or nothing is known.
        factors: value in the figure of one unit of each meter's consumption [kgce or m3 per kWh, m3
            or GJ]; only meters of the scope.
        amounts: expected consumption of each meter [kWh, m3 or GJ].
        missing: missing consumption of each meter [kWh, m3 or GJ].
    """

    expected: float
    factors: Mapping[str, float]
    amounts: Mapping[str, float]
    missing: Mapping[str, float]

    def value(self, meter: str, amount: float) -> float:
        """Return the value of a meter's consumption in the figure; NaN for its whole consumption.

        The result is 0 for a meter outside of the figure.
        """
        whole = self.amounts.get(meter, 0.0) if math.isnan(amount) else abs(amount)
        return self.factors.get(meter, 0.0) * whole

    def share(self, meter: str, amount: float) -> float:
        """Return `value` as a share of the figure, 0 to 1."""
        return min(self.value(meter, amount) / self.expected, 1.0) if self.expected > 0 else 0.0


def figure_meters(
    scope: Scope,
    media: Mapping[Medium, MeterConsumption],
    expected: Mapping[Medium, ExpectedAmounts],
    days: Sequence["date"],
    counted: "frozenset[FlowKind]",
    coal_factors: Mapping[Medium, float],
    figure: RatedFigure,
) -> FigureMeters:
    """Return the meters of a scope's figure.

    Args:
        scope: the scope.
        media: consumption of all meters on the days.
        expected: results of `expected_amounts`.
        days: local days of the period.
        counted: kinds of flows that count.
        coal_factors: mean coal equivalents in the period [kgce per kWh, m3 or GJ].
        figure: the figure.
    """
    of_figure: Mapping[Medium, float] = {"water": 1.0} if figure == "water_total" else coal_factors
    total = 0.0
    factors: dict[str, float] = {}
    amounts: dict[str, float] = {}
    missing: dict[str, float] = {}
    for medium, factor in of_figure.items():
        if medium not in media:
            continue
        registers = media[medium].without_exports()
        weights = boundary_weights(scope, registers.flows(scope.structure.site), days, counted)
        by_meter = expected[medium]
        lost = by_meter.expected * (1 - by_meter.bounded)
        total += factor * float((weights.mean(axis=1) * by_meter.expected).sum())
        for index in np.flatnonzero(weights.any(axis=1)).tolist():
            meter = by_meter.meters[index]
            factors[meter] = factor * float(np.abs(weights[index]).mean())
            amounts[meter] = float(by_meter.expected[index])
            missing[meter] = float(lost[index])
    return FigureMeters(total, factors, amounts, missing)
