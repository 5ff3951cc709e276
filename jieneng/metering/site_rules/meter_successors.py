"""Find the meter that took the place of a removed meter under an id of its own. Pure.

Laws:

1. A meter took the place of another if both have the same medium, role, sub-item, area and parent,
   the other was removed, and the meter was installed on its last day or later. Parents of which one
   took the place of the other count as the same.
2. A removed meter may have several successors, and a meter several predecessors.
3. A virtual meter has neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import TypeAlias

from jieneng.metering.site import Item, Meter, Role, Site

_Place: TypeAlias = tuple[str, Role, Item | None, str]


class MeterSuccessors:
    """The predecessors and successors of the meters of a site.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._removed: dict[_Place, list[Meter]] = {}
        for meter in site.meter:
            if meter.removed is not None and meter.formula is None:
                self._removed.setdefault(_place(meter, meter.removed), []).append(meter)
        self._before: dict[str, tuple[Meter, ...]] = {}

    def before(self, meter_id: str) -> tuple[Meter, ...]:
        """Return the meters whose place a meter took, in the order of `site.toml`."""
        if meter_id not in self._before:
            self._before[meter_id] = ()  # of a cycle of parents, which the check refuses
            self._before[meter_id] = tuple(self._found(self._site.meters[meter_id]))
        return self._before[meter_id]

    def _found(self, meter: Meter) -> Iterator[Meter]:
        if meter.installed is None or meter.formula is not None:
            return
        for other in self._removed.get(_place(meter, meter.installed), ()):
            is_earlier = other.installed is None or other.installed < meter.installed
            is_over = other.removed is not None and other.removed <= meter.installed
            if is_earlier and is_over and self._has_parent_of(meter, other):
                yield other

    def _has_parent_of(self, meter: Meter, other: Meter) -> bool:
        """Return True if both meters have the same parent, or one that took its place."""
        if meter.parent == other.parent:
            return True
        parent = self._site.meters.get(meter.parent or "")
        return parent is not None and any(
            before.id == other.parent for before in self.before(parent.id)
        )

    @cached_property
    def _after(self) -> Mapping[str, Sequence[Meter]]:
        """Successors of each removed meter, by its id."""
        found: dict[str, list[Meter]] = {}
        for meter in self._site.meter if self._removed else ():
            for other in self.before(meter.id):
                found.setdefault(other.id, []).append(meter)
        return found

    def after(self, meter_id: str) -> Sequence[Meter]:
        """Return the meters that took the place of a meter, in the order of `site.toml`."""
        return self._after.get(meter_id, ())

    def present(self, meter: Meter, day: date) -> Meter:
        """Return the meter that is in the place of a meter on a local day.

        That is the meter itself if nothing else is known to be in its place.
        """
        if exists(meter, day):
            return meter
        others = (*self.before(meter.id), *self.after(meter.id))
        return next((other for other in others if exists(other, day)), meter)


def exists(meter: Meter, day: date) -> bool:
    """Return True if a meter is installed on a local day, as far as its dates are stated."""
    is_installed = meter.installed is None or meter.installed <= day
    return is_installed and (meter.removed is None or day <= meter.removed)


def _place(meter: Meter, day: date) -> _Place:
    return meter.medium, meter.role, meter.item, meter.area_on(day)
