"""Count exported energy that a formula deducts as purchased, for the carbon of a scope. Pure.

Law: carbon is counted for all energy that was purchased, and exported energy is not deducted
(`flows`). The amount of a virtual meter is net of exported energy (`virtual_meters`). So if a
virtual meter is a main, what went out through the meters in its formula is added again:

    main = feeder - canteen, 8,000 kWh in and 1,500 kWh out at the feeder, 2,000 kWh in the canteen
    energy      8,000 - 1,500 - 2,000 = 4,500 kWh
    purchased   4,500 + 1,500 = 6,000 kWh

Below a main, a virtual meter measures consumption, and no purchase; there, nothing is added.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.site_structure import SiteStructure

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray


def export_weights(
    weight: "NDArray[np.float64]",
    flows: Sequence[Flow],
    days: Sequence["date"],
    structure: SiteStructure,
) -> "NDArray[np.float64]":
    """Return the weights with which export registers count as purchased energy.

    Args:
        weight: shape (flows, days), weights of flows in the carbon of a scope.
        flows: the flows, with those of the meters in their formulas.
        days: ascending local days.
        structure: structure of the site by day.

    Returns:
        Shape (flows, days); 0 for all flows that are not export registers.
    """
    ranks, found = structure.virtual_ranks, np.zeros(weight.shape)
    exports = {flow.meter.id: row for row, flow in enumerate(flows) if flow.is_export}
    if not exports:
        return found
    in_formulas: dict[str, NDArray[np.float64]] = {}
    virtual = [(row, flow.meter) for row, flow in enumerate(flows) if flow.meter.id in ranks]
    for row, meter in sorted(virtual, key=lambda one: ranks[one[1].id], reverse=True):
        own = in_formulas.get(meter.id, 0.0) + _as_main(weight[row], meter.id, days, structure)
        for term in meter.terms:
            if term.meter in exports:
                found[exports[term.meter]] += term.factor * own
            elif term.meter in ranks:
                in_formulas[term.meter] = in_formulas.get(term.meter, 0.0) + term.factor * own
    return found


def _as_main(
    weight: "NDArray[np.float64]", meter: str, days: Sequence["date"], structure: SiteStructure
) -> "NDArray[np.float64]":
    """Return the weight of a meter on the days on which it has no parent, and 0 on others."""
    found = np.zeros(len(weight))
    for span, on_days in structure.spans(days):
        if on_days.places[meter].parent is None:
            found[span] = weight[span]
    return found
