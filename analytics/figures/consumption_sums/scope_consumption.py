"""Add up the consumption of meters by scope. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.lifetime import Begins, living_consumption
from analytics.figures.roll_up import (
    Scope,
    boundary_weights,
    mean_amount,
    roll_up,
    scope_rows,
    stacked,
)
from analytics.periods import Interval
from jieneng.metering.quantities import MEDIA

if TYPE_CHECKING:
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
    zone = scopes[0].structure.site.zone
    days = {interval: periods.interval_days(edges, zone) for interval, edges in grids.items()}
    living = living_consumption(scopes[0].structure, flows, consumption, days, begins)
    for medium in MEDIA:
        indices = [index for index, flow in enumerate(flows) if flow.meter.medium == medium]
        of_medium = [flows[index] for index in indices]
        means = {
            interval: mean_amount((living[index][interval] for index in indices), len(of_days))
            for interval, of_days in days.items()
        }
        for scope, rows in zip(scopes, scope_rows(scopes, of_medium, days["day"]), strict=True):
            members = [of_medium[row] for row in rows]
            by_day = boundary_weights(scope, members, days["day"], counted)
            kept = np.flatnonzero(by_day.any(axis=1)).tolist()
            if not kept:
                continue
            members = [members[number] for number in kept]
            sums = {
                interval: roll_up(
                    boundary_weights(scope, members, of_days, counted),
                    stacked([living[indices[rows[number]]][interval] for number in kept]),
                    means[interval],
                )
                for interval, of_days in days.items()
            }
            yield {"kind": scope.kind, "scope": scope.id, "medium": medium}, sums
