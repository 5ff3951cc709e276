"""Data of a report: figures, the names of their scopes, and the latest readings.

Law: a report shows figures and never computes one. Its charts draw figures too: those of other
periods than the one reported on.
"""

from datetime import datetime
from typing import Literal

import msgspec

from analytics.figures.figure import Figure
from jieneng.locale.finding_text import Labels
from jieneng.metering.quantities import Medium

ScopeKind = Literal["site", "area", "institution"]


class NamedScope(msgspec.Struct, frozen=True):
    """Subject of figures, with its name: the centre, a building or an institution."""

    id: str
    name: str
    kind: ScopeKind


class LatestReading(msgspec.Struct, frozen=True, kw_only=True):
    """Latest reading of a meter.

    Attributes:
        meter: its name for people.
        time: of the meter's reply, in the site's zone; None if it has never replied.
        register: of its consumption counter, in `unit`.
        rate: power or flow, in `rate_unit`.
    """

    meter: str
    medium: Medium
    time: datetime | None
    register: float | None
    unit: str
    rate: float | None = None
    rate_unit: str = ""


class PageData(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the whole page.

    Attributes:
        site_name: for people.
        period: the one reported on, a year such as `2025`.
        generated: in the site's zone.
        scopes: in the order in which they are shown, the centre first.
        figures: of `period`, of every scope.
        history: figures of the centre and its scopes for the charts: of years (`2020`...) for
            value against path, of months (`2020-01`...) for consumption and coverage. What is
            missing is not drawn.
        labels: names of meters and scopes, and the site's zone, for sentences.
        readings: one a meter.
        coverage_floor: below it there is no verdict, 0 to 1.
        sources: where targets, factors and conventions come from, a sentence each.
    """

    site_name: str
    period: str
    generated: datetime
    scopes: tuple[NamedScope, ...]
    figures: tuple[Figure, ...]
    history: tuple[Figure, ...] = ()
    labels: Labels = Labels()
    readings: tuple[LatestReading, ...] = ()
    coverage_floor: float = 0.95
    sources: tuple[str, ...] = ()
