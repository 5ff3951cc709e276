"""Compute the charge for demand of two-part tariffs (基本电费), in one of three ways.

Laws:

1. By capacity: the capacity of the transformers [kVA].
2. By contract: the contract demand [kW], which is at least 40 % of the capacity. Demand above 105 %
   of the contract demand is charged twice.
3. By greatest demand: the greatest mean power of 15 min in the month [kW].
4. Each day has the same share of the month's charge. So a month that is not over has the charge of
   its days so far. If the price changes within the month, each day has its own price.

The percentages are keys of the tariff. Source: 发改办价格〔2016〕1583号. Pure: numbers in, numbers
out.
"""

import math
from typing import Literal

from analytics.tariffs.tariff import DatedDemand, Price, Tariff


def charged_kw(demand: DatedDemand, tariff: Tariff, greatest_kw: float) -> float:
    """Return the demand that is charged for a month [kW], of the basis `contract` or `actual`.

    Args:
        demand: basis, capacity and contract demand.
        tariff: rules of the contract demand.
        greatest_kw: greatest demand of the month [kW]; NaN if it is unknown.

    Returns:
        NaN if it is unknown. With a contract and an unknown greatest demand, the contract demand.
    """
    if demand.basis == "actual":
        return greatest_kw
    least = tariff.least_contract_share * (demand.capacity_kva or 0.0)
    contract = max(demand.contract_kw or 0.0, least)
    if math.isnan(greatest_kw):
        return contract
    excess = max(greatest_kw - tariff.contract_margin * contract, 0.0)
    return contract + tariff.excess_factor * excess


def demand_price_key(demand: DatedDemand) -> Literal["capacity", "demand"]:
    """Return the key of the price that applies to a demand."""
    return "capacity" if demand.basis == "capacity" else "demand"


def month_charge(demand: DatedDemand, tariff: Tariff, price: Price, greatest_kw: float) -> float:
    """Return the charge for demand of a month [yuan]; NaN if a price or the demand is unknown."""
    unit_price: float | None = getattr(price, demand_price_key(demand))
    if demand.basis == "capacity":
        charged = demand.capacity_kva or math.nan
    else:
        charged = charged_kw(demand, tariff, greatest_kw)
    return math.nan if unit_price is None else unit_price * charged
