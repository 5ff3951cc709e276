"""Roll up the consumption of meters to scopes. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analytics.counters.consumption import Consumption
from analytics.figures.roll_up import Scope, boundary_weights, roll_up_scope
from analytics.periods import Interval
from jieneng.metering.quantities import MEDIA
from jieneng.metering.site import Meter, Site


def scope_consumption(
    scopes: Sequence[Scope],
    meters: Sequence[Meter],
    computed: Sequence[Mapping[Interval, Consumption]],
    site: Site,
) -> Iterator[tuple[dict[str, str], dict[Interval, Consumption]]]:
    """Yield tags and consumption of each scope and medium, if the scope has a meter of it.

    Args:
        scopes: scopes of the site.
        meters: all meters of the site.
        computed: consumption of the meters, in the same order.
        site: the site.
    """
    for medium in MEDIA:
        numbers = [number for number, meter in enumerate(meters) if meter.medium == medium]
        meter_consumption = [meters[number] for number in numbers]
        for scope in scopes:
            weight = np.array(boundary_weights(scope, meter_consumption, site))
            if weight.any():
                consumption = {
                    interval: roll_up_scope(
                        weight, [computed[number][interval] for number in numbers]
                    )
                    for interval in computed[numbers[0]]
                }
                yield {"kind": scope.kind, "scope": scope.id, "medium": medium}, consumption
