"""Define the data of a report: figures, names of their scopes, and the latest readings.

Law: a report shows figures and never computes one. For the charts, the data contain figures of
earlier years and months.
"""

from datetime import datetime

import msgspec

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import AlertRules
from analytics.figures.decomposition.carbon_split import CarbonSplit
from analytics.figures.figure import Figure
from analytics.figures.roll_up import ScopeKind
from analytics.quality.quality_score import QualityReport
from jieneng.locale.finding_text import Labels
from jieneng.metering.quantities import Medium


class NamedScope(msgspec.Struct, frozen=True):
    """Scope of figures with its name: the site, an area or an institution."""

    id: str
    name: str
    kind: ScopeKind


class LatestReading(msgspec.Struct, frozen=True, kw_only=True):
    """Latest reading of a meter.

    Attributes:
        meter: name of the meter.
        medium: medium of the meter.
        time: time of the reply, in the site's zone; None if there is no recent reading.
        register: value of the consumption counter, in `unit`.
        unit: unit of `register`.
        rate: power or flow, in `rate_unit`.
        rate_unit: unit of `rate`.
    """

    meter: str
    medium: Medium
    time: datetime | None
    register: float | None
    unit: str
    rate: float | None = None
    rate_unit: str = ""


class PageData(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the page.

    Attributes:
        site_name: name of the site.
        period: the reported year, such as `2025`.
        generated: time of the report, in the site's zone.
        scopes: the scopes in the order of the page, the site first.
        figures: figures of all scopes in `period`.
        history: figures for the charts. Figures of years (`2020`) are for value and glide path;
            figures of months (`2020-01`) for consumption and coverage. Missing ones are not drawn.
        carbon: change of carbon by cause, of all scopes.
        quality: rating of the data; None if it was not rated.
        labels: names of meters and scopes, and the site's time zone, for texts of findings.
        readings: the latest reading of each meter.
        alerts: alerts that fire or are pending, and recently ended alerts.
        alert_rules: rules of the alerts; None if the site's alerts are not watched. The page then
            has no section about alerts.
        coverage_floor: smallest coverage for a verdict, 0 to 1.
        sources: sources of targets, factors and conventions, one sentence each.
    """

    site_name: str
    period: str
    generated: datetime
    scopes: tuple[NamedScope, ...]
    figures: tuple[Figure, ...]
    history: tuple[Figure, ...] = ()
    carbon: tuple[CarbonSplit, ...] = ()
    quality: QualityReport | None = None
    labels: Labels = Labels()
    readings: tuple[LatestReading, ...] = ()
    alerts: tuple[Alert, ...] = ()
    alert_rules: AlertRules | None = None
    coverage_floor: float = 0.95
    sources: tuple[str, ...] = ()
