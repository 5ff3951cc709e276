"""Add up the consumption of meters by scope. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.lifetime import Begins, lifetime
from analytics.figures.roll_up import Scope, boundary_weights, roll_up, stacked
from analytics.periods import Interval
from jieneng.metering.quantities import MEDIA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def scope_consumption(
    scopes: Sequence[Scope],
    flows: Sequence[Flow],
    consumption: Sequence[Mapping[Interval, Consumption]],
    grids: "Mapping[Interval, NDArray[np.int64]]",
    counted: frozenset[FlowKind],
    begins: Begins,
) -> Iterator[tuple[dict[str, str], dict[Interval, Consumption]]]:
    """Yield (tags, consumption) of each scope and medium for which a meter counts in the scope.

    Args:
        scopes: scopes of the site.
        flows: flows that the registers of all meters of the site count.
        consumption: consumption of each flow, in the order of `flows`.
        grids: edges of the intervals [UTC, ms].
        counted: kinds of flows that count.
        begins: first days of generation and export.
    """
    structure = scopes[0].structure
    days = {
        interval: periods.interval_days(edges, structure.site.zone)
        for interval, edges in grids.items()
    }
    for medium in MEDIA:
        indices = [index for index, flow in enumerate(flows) if flow.meter.medium == medium]
        of_medium = [flows[index] for index in indices]
        by_interval = {
            interval: stacked(
                [
                    lifetime(structure, flows[index], of_days, begins).applied_to(
                        consumption[index][interval]
                    )
                    for index in indices
                ]
            )
            for interval, of_days in days.items()
            if indices
        }
        for scope in scopes:
            weights = {
                interval: boundary_weights(scope, of_medium, of_days, counted)
                for interval, of_days in days.items()
            }
            if weights["day"].any():
                sums = {
                    interval: roll_up(weights[interval], of_meters)
                    for interval, of_meters in by_interval.items()
                }
                yield {"kind": scope.kind, "scope": scope.id, "medium": medium}, sums
