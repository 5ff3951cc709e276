"""Find the places of an alert's subject: bus, agent and areas. Pure: no clock, no file.

Silences, maintenance and the groups of notices refer to these places.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from jieneng.metering.alert_signals import SIGNALS, SubjectKind
from jieneng.metering.site import Meter, Site


class AlertPlaces:
    """The places of the subjects of a site.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._around: dict[tuple[SubjectKind, str], frozenset[str]] = {}

    def around(self, signal: str, subject: str) -> frozenset[str]:
        """Return the ids of a subject, and of the bus, the agent and the areas that it belongs to.

        A bus belongs to its agent. An agent belongs to nothing. Buses and agents have no areas
        here: their meters may be in several areas, and maintenance in one area must not silence
        the alert of a bus for the others.
        """
        row = SIGNALS.get(signal)
        if row is None:  # an alert of an older version
            return frozenset((subject,))
        kind = row.subject
        found = self._around.get((kind, subject))
        if found is None:
            found = frozenset((subject, *_PLACES[kind](self, subject)))
            self._around[kind, subject] = found
        return found

    def group(self, signal: str, subject: str) -> str:
        """Return the id of the place by which an alert is grouped with others in one notice.

        This is the bus for silent meters, the agent for buses, and the site for agents. For other
        alerts it is the area of the subject.
        """
        row, site = SIGNALS.get(signal), self._site
        if row is None:
            return subject
        meter = site.meters.get(subject) if row.subject == "meter" else None
        if meter is not None:
            return meter.bus if row.of_data and meter.bus else meter.last_area
        if row.subject == "bus" and subject in site.buses:
            return site.buses[subject].agent
        if row.subject == "area" and subject in site.areas:
            return site.areas[subject].parent or site.id
        if row.subject == "indicator":
            return subject.partition("/")[0]
        return subject if row.subject == "meter" else site.id

    def causes(self, signal: str, subject: str) -> tuple[tuple[str, str], ...]:
        """Return signal and subject of each possible cause of an alert, the root cause first."""
        row = SIGNALS.get(signal)
        if row is None:
            return ()
        above = self._above(row.subject, subject)
        return tuple(
            (cause, above[SIGNALS[cause].subject])
            for cause in reversed(row.caused_by)
            if SIGNALS[cause].subject in above
        )

    def _above(self, kind: SubjectKind, subject: str) -> dict[SubjectKind, str]:
        """Return the bus, the agent and the site of a subject."""
        site = self._site
        above: dict[SubjectKind, str] = {"site": site.id, kind: subject}
        if kind == "meter" and subject in site.meters:
            bus = site.meters[subject].bus
            if bus is not None:
                above["bus"] = bus
        if "bus" in above and above["bus"] in site.buses:
            above["agent"] = site.buses[above["bus"]].agent
        return above

    def _meter(self, subject: str) -> tuple[str, ...]:
        meter: Meter | None = self._site.meters.get(subject)
        if meter is None:
            return ()
        above = self._above("meter", subject)
        return (
            above.get("bus", subject),
            above.get("agent", subject),
            *self._areas(meter.last_area),
        )

    def _bus(self, subject: str) -> tuple[str, ...]:
        return (self._above("bus", subject).get("agent", subject),)

    def _areas(self, area: str) -> tuple[str, ...]:
        """Return an area and the areas that contain it, the innermost first."""
        found: dict[str, None] = {}
        at: str | None = area
        while at is not None and at not in found and at in self._site.areas:
            found[at] = None
            at = self._site.areas[at].parent
        return tuple(found)

    def _scope(self, subject: str) -> tuple[str, ...]:
        scope = subject.partition("/")[0]
        return (scope, *self._areas(scope))


_PLACES: Final[Mapping[SubjectKind, Callable[[AlertPlaces, str], tuple[str, ...]]]] = (
    MappingProxyType(
        {
            "meter": AlertPlaces._meter,  # noqa: SLF001 - rows of this class
            "bus": AlertPlaces._bus,  # noqa: SLF001
            "agent": lambda _, subject: (subject,),
            "area": AlertPlaces._areas,  # noqa: SLF001
            "scope": AlertPlaces._scope,  # noqa: SLF001
            "indicator": AlertPlaces._scope,  # noqa: SLF001
            "site": lambda _, subject: (subject,),
        }
    )
)
