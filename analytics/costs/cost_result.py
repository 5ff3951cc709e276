"""Define the cost of an account, an area, an institution or the site in a period."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

import msgspec

from jieneng.metering.findings import Finding
from jieneng.metering.quantities import Medium, PricePeriod

#: Subject of a cost: an account of a supplier, or a scope of figures.
CostKind = Literal["account", "site", "area", "institution"]


class BilledAmounts(msgspec.Struct, frozen=True, kw_only=True):
    """The bills of an account that end in a period, with metered amount and computed cost.

    Attributes:
        count: number of bills.
        amount: sum of the bills' amounts, in the unit of the cost.
        cost: sum of their costs [yuan]; None if a bill does not state its cost.
        metered_amount: metered consumption in the time of the bills; None if it is not known.
        computed_cost: computed cost in the time of the bills [yuan]; None if it is not known.
    """

    count: int
    amount: float
    cost: float | None
    metered_amount: float | None
    computed_cost: float | None

    @property
    def amount_difference_pct(self) -> float | None:
        """Difference of the bills' amount from the metered one [%]; None if not known."""
        return _difference_pct(self.amount, self.metered_amount)

    @property
    def cost_difference_pct(self) -> float | None:
        """Difference of the bills' cost from the computed one [%]; None if not known."""
        return _difference_pct(self.cost, self.computed_cost)


def _difference_pct(billed: float | None, computed: float | None) -> float | None:
    return 100 * (billed - computed) / computed if billed is not None and computed else None


class CostResult(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of an account or a scope in a period. Unknown values are None.

    Attributes:
        kind: kind of the subject.
        id: id of the account, the site, the area or the institution.
        medium: medium of the consumption.
        unit: unit of the amounts: kWh, m3 or GJ.
        period: id of the period.
        until: last day of a period that is not over; None for a whole period.
        amount: known consumption.
        cost: cost of energy and demand [yuan].
        energy_cost: cost of the consumption [yuan].
        demand_cost: charge for demand [yuan]; a scope has the share of its consumption.
        average_price: cost divided by amount [yuan per unit].
        amounts: consumption by price period; only the periods that occur.
        costs: cost of the consumption by price period [yuan].
        least: least possible cost, where the time of consumption is not measured [yuan].
        greatest: greatest possible cost [yuan]; None also if demand that is not measured may exceed
            the contract.
        coverage: share of meter-time of which the consumption is known, 0 to 1.
        estimated: share of the consumption that is estimated, 0 to 1.
        unmetered_amount: consumption of an account that no sub-meter measures; None without
            sub-meters.
        unmetered_cost: cost of the unmetered amount [yuan].
        billed: bills of an account that end in the period; None if there is none.
        findings: doubts and remarks.
    """

    kind: CostKind
    id: str
    medium: Medium
    unit: str
    period: str
    until: date | None
    amount: float | None
    cost: float | None
    energy_cost: float | None
    demand_cost: float | None
    average_price: float | None
    amounts: Mapping[PricePeriod, float]
    costs: Mapping[PricePeriod, float | None]
    least: float | None
    greatest: float | None
    coverage: float | None
    estimated: float | None
    unmetered_amount: float | None = None
    unmetered_cost: float | None = None
    billed: BilledAmounts | None = None
    findings: tuple[Finding, ...] = ()
