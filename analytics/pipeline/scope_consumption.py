"""Sum the consumption of meters by scope. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from analytics.counters.consumption import Consumption
from analytics.figures.roll_up import Scope, boundary_weights, roll_up, stacked
from analytics.periods import Interval
from jieneng.metering.quantities import MEDIA
from jieneng.metering.site import Meter, Site


def scope_consumption(
    scopes: Sequence[Scope],
    meters: Sequence[Meter],
    consumption: Sequence[Mapping[Interval, Consumption]],
    site: Site,
) -> Iterator[tuple[dict[str, str], dict[Interval, Consumption]]]:
    """Yield tags and consumption of each scope and medium, if a meter of the medium counts there.

    Args:
        scopes: scopes of the site.
        meters: all meters of the site.
        consumption: consumption of each meter, in the order of `meters`.
        site: the site.
    """
    for medium in MEDIA:
        indices = [index for index, meter in enumerate(meters) if meter.medium == medium]
        meters_of_medium = [meters[index] for index in indices]
        for scope in scopes:
            weights = boundary_weights(scope, meters_of_medium, site)
            if weights.any():
                sums = {
                    interval: roll_up(
                        weights[:, None],
                        stacked([consumption[index][interval] for index in indices]),
                    )
                    for interval in consumption[indices[0]]
                }
                yield {"kind": scope.kind, "scope": scope.id, "medium": medium}, sums
