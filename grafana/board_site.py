"""The site that boards are built for: its names, time zone and limits, and the reader's language.

Laws: queries and links of a board contain ids; a reader sees names. The names are copied from
`site.toml` into the board, so boards must be built again when names, areas or meters change.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

import msgspec

from grafana.board_quota import BoardQuotas
from grafana.watched_rule import WatchedRule
from jieneng.locale import Translate
from jieneng.locale.finding_text import labels
from jieneng.locale.number_texts import unit
from jieneng.metering import indicators
from jieneng.metering.quantities import CONSUMPTION, MEDIA, QUANTITIES, Medium
from jieneng.metering.site import Meter, Site, descendants

#: Grafana's unit ids, for units that Grafana knows. It scales their values, e.g. kWh to MWh.
_GRAFANA_UNITS: Final[Mapping[str, str]] = {
    "kWh": "kwatth",
    "kW": "kwatt",
    "V": "volt",
    "A": "amp",
    "Hz": "hertz",
    "°C": "celsius",
    "1": "none",
}


class NamedBaseline(msgspec.Struct, frozen=True):
    """A row `[[baseline]]` of `plan.toml`: its id, its name and the reason for it."""

    id: str
    name: str
    reason: str


class BoardSite(msgspec.Struct, frozen=True, dict=True):
    """A site, with the texts and limits that its boards need.

    Attributes:
        site: the site.
        tr: translates the texts of the boards.
        coverage_floor: smallest coverage for which a verdict is given, 0 to 1 (`analytics.toml`).
        alert_rules: rules of `alerts.toml`, including those that are switched off.
        evaluates_alerts: True if the analytics evaluates alerts.
        quotas: quotas of `quotas.toml`, and indicators that caps of `plan.toml` limit.
        baselines: further baselines of `plan.toml`.
    """

    site: Site
    tr: Translate
    coverage_floor: float = 0.95
    alert_rules: tuple[WatchedRule, ...] = ()
    evaluates_alerts: bool = True
    quotas: BoardQuotas = BoardQuotas()
    baselines: tuple[NamedBaseline, ...] = ()

    @property
    def id(self) -> str:
        """Id of the site."""
        return self.site.id

    @property
    def name(self) -> str:
        """Name of the site."""
        return self.site.site.name

    @property
    def timezone(self) -> str:
        """IANA name of the site's time zone."""
        return self.site.site.timezone

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Names of the site, its areas, institutions and meters, by id."""
        return labels(self.site).names

    @property
    def scopes(self) -> Mapping[str, str]:
        """Names of all scopes that have indicators: the site, then areas and institutions."""
        return self._named(
            (self.site.id, *self.site.areas, *(row.id for row in self.site.institution))
        )

    @property
    def areas(self) -> Mapping[str, str]:
        """Names of the areas, each followed by its sub-areas."""
        below = self.site.areas_below
        return self._named(one for top in below.get(None, ()) for one in descendants(below, [top]))

    @property
    def buildings(self) -> Mapping[str, str]:
        """Names of the areas directly below the site."""
        return self._named(area.id for area in self.site.area if area.parent is None)

    @property
    def institutions(self) -> Mapping[str, str]:
        """Names of the institutions."""
        return self._named(row.id for row in self.site.institution)

    @property
    def agents(self) -> tuple[str, ...]:
        """Ids of the agents."""
        return tuple(sorted({bus.agent for bus in self.site.bus}))

    @property
    def media(self) -> tuple[Medium, ...]:
        """The media that the site meters."""
        there = {meter.medium for meter in self.site.meter}
        return tuple(medium for medium in MEDIA if medium in there)

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the meters that have sub-meters, by area."""
        above = {meter.parent for meter in self.site.meter}
        return tuple(meter.id for meter in self.meters() if meter.id in above)

    def meters(self, *media: Medium) -> tuple[Meter, ...]:
        """Return the meters of the given media, ordered by area; all meters if none is given."""
        places = {area: place for place, area in enumerate(self.areas)}
        found = [meter for meter in self.site.meter if not media or meter.medium in media]
        return tuple(sorted(found, key=lambda meter: places.get(meter.last_area, 0)))

    def meter_names(self, *media: Medium) -> Mapping[str, str]:
        """Return the names of meters, each preceded by the name of its area, by the meter's id."""
        return {
            meter.id: f"{self.names.get(meter.last_area, meter.last_area)} · {meter.name}"
            for meter in self.meters(*media)
        }

    def indicator_name(self, indicator: str) -> str:
        """Return the name of an indicator."""
        return self.tr(indicators.INDICATORS[indicator].en)

    def definition(self, indicator: str) -> str:
        """Return the definition of an indicator."""
        return self.tr(indicators.INDICATORS[indicator].definition_en)

    def indicator_unit(self, indicator: str) -> str:
        """Return Grafana's id of an indicator's unit."""
        return self.unit(indicators.INDICATORS[indicator].unit)

    def quantity_unit(self, quantity: str) -> str:
        """Return Grafana's id of a quantity's unit."""
        return self.unit(QUANTITIES[quantity].unit)

    def consumption_unit(self, medium: Medium) -> str:
        """Return Grafana's id of the unit of a medium's consumption."""
        return self.quantity_unit(CONSUMPTION[medium])

    def unit(self, name: str) -> str:
        """Return Grafana's id of a unit: `kwatth`, or `suffix:m²` for a unit unknown to Grafana."""
        return _GRAFANA_UNITS.get(name) or f"suffix:{unit(name, self.tr)}"

    def _named(self, ids: Iterable[str]) -> Mapping[str, str]:
        return {one: self.names.get(one, one) for one in ids}
