"""Convert costs to points of the measurement `cost`. Pure.

Law: the time of a point is the start of its period, so a month has one point of each subject.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from analytics import periods
from analytics.costs.cost_result import CostResult
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.schema import Point


def cost_points(site: str, zone: ZoneInfo, results: Sequence[CostResult]) -> list[Point]:
    """Return a point for each cost."""
    made = (
        schema.point(
            schema.COST,
            {
                "site": site,
                "kind": result.kind,
                "scope": result.id,
                "medium": result.medium,
                "period": result.period,
            },
            _fields(result),
            _start_ms(result.period, zone),
        )
        for result in results
    )
    return [point for point in made if point is not None]


def _fields(result: CostResult) -> Mapping[str, float | None]:
    billed = result.billed
    fields = {
        CONSUMPTION[result.medium]: result.amount,
        schema.COST_YUAN: result.cost,
        "energy_yuan": result.energy_cost,
        "demand_yuan": result.demand_cost,
        "average_price": result.average_price,
        "least_yuan": result.least,
        "greatest_yuan": result.greatest,
        "unmetered_yuan": result.unmetered_cost,
        schema.COVERAGE: result.coverage,
        schema.ESTIMATED: result.estimated,
        "billed_yuan": None if billed is None else billed.cost,
        "amount_difference_pct": None if billed is None else billed.amount_difference_pct,
        "cost_difference_pct": None if billed is None else billed.cost_difference_pct,
    }
    if result.medium == "electricity":
        fields |= {f"energy_{name}_kwh": amount for name, amount in result.amounts.items()}
        fields |= {f"{name}_yuan": yuan for name, yuan in result.costs.items()}
    return fields


def _start_ms(period: str, zone: ZoneInfo) -> int:
    start: date = periods.parse(period).start
    return periods.midnight_ms(start, zone)
