"""Render findings as sentences in the reader's language, with names instead of ids.

Laws: the sentence is taken from the row of the finding in `jieneng.metering.findings`, so it is the
same on the page, in the terminal, in JSON and in commands. If a finding has a doubt, the text
states its amount.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from string import Formatter
from typing import Any

import msgspec

from jieneng.locale import Translate
from jieneng.locale.number_texts import number, register, share, unit
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.site import Site


class Labels(msgspec.Struct, frozen=True):
    """A site's names and time zone, for sentences.

    Attributes:
        names: names of meters, areas, institutions and the site, by id.
        zone: time zone in which times are shown.
        site: name of the site.
        places: for each meter and area, by id: the names of the areas around it, outermost first.
        buses: id of the bus of each polled meter, by the meter's id.
        agents: id of the agent of each bus, by the bus's id.
    """

    names: Mapping[str, str] = {}
    zone: tzinfo = UTC
    site: str = ""
    places: Mapping[str, tuple[str, ...]] = {}
    buses: Mapping[str, str] = {}
    agents: Mapping[str, str] = {}

    def name(self, subject: str) -> str:
        """Return the name for an id; the id itself if it has no name."""
        return self.names.get(subject, subject)


def labels(site: Site) -> Labels:
    """Return the names and the time zone of a site."""
    named = (
        *((meter.id, meter.name) for meter in site.meter),
        *((area.id, area.name) for area in site.area),
        *((institution.id, institution.name) for institution in site.institution),
        (site.id, site.site.name),
    )
    return Labels(
        names={subject: name for subject, name in named if name},
        zone=site.zone,
        site=site.site.name or site.id,
        places=_places(site),
        buses={meter.id: meter.bus for meter in site.meter if meter.bus is not None},
        agents={bus.id: bus.agent for bus in site.bus},
    )


def _places(site: Site) -> dict[str, tuple[str, ...]]:
    """Return the names of the areas around each meter and area, outermost first."""
    parents = {
        **{area.id: area.parent for area in site.area},
        **{meter.id: meter.last_area for meter in site.meter},
    }
    return {subject: _areas_around(site, parent) for subject, parent in parents.items()}


def _areas_around(site: Site, area: str | None) -> tuple[str, ...]:
    names: list[str] = []
    while (row := site.areas.get(area or "")) is not None:
        names.insert(0, row.name or row.id)
        area = row.parent
    return tuple(names)


def finding_text(finding: Finding, translate: Translate, labels: Labels) -> str:
    """Return the sentence of a finding; code and subject if its code has no row."""
    kind = finding.kind
    if kind is None:
        return f"{labels.name(finding.subject)}: {finding.code.replace('_', ' ')}"
    values = {"subject": finding.subject, **dict(finding.values)}
    sentence = translate(kind.sentence(values.get("count", 1)))
    text = _SentenceFormatter(translate, labels).vformat(sentence, (), values)
    if finding.doubt:
        text = translate("{finding} {doubt}").format(
            finding=text, doubt=_doubt_text(finding.doubt, str(values.get("unit", "")), translate)
        )
    if finding.is_of_baseline:
        text = translate("Base period: {doubt}").format(doubt=text)
    if finding.confirmed is not None:
        text = translate("{doubt} Confirmed by {by}: {reason}").format(
            doubt=text, by=finding.confirmed.by, reason=finding.confirmed.reason
        )
    return text


def _doubt_text(doubt: float, name: str, translate: Translate) -> str:
    """Return the sentence that states the doubt."""
    if math.isinf(doubt):
        return translate("There is no limit to the possible error of the consumption.")
    return translate("The consumption may be wrong by at most {amount} {unit}.").format(
        amount=number(doubt), unit=unit(name, translate)
    )


class _SentenceFormatter(Formatter):
    """Formats placeholders by the specs that are listed in `jieneng.metering.findings`."""

    def __init__(self, translate: Translate, labels: Labels) -> None:
        self._translate: Translate = translate
        self._by_spec: Mapping[str, Callable[[Any], str]] = {
            "name": labels.name,
            "time": lambda ms: f"{datetime.fromtimestamp(ms / 1000, labels.zone):%Y-%m-%d %H:%M}",
            "date": lambda day: f"{day:%Y-%m-%d}",
            "share": share,
            "number": number,
            "register": register,
            "unit": lambda name: unit(name, translate),
            "word": lambda name: _word(name, translate),
            "words": self._words,
            "indicator": lambda name: _indicator_name(name, translate),
        }

    def format_field(self, value: Any, format_spec: str) -> str:
        return self._by_spec.get(format_spec, str)(value)

    def _words(self, names: str) -> str:
        return self._translate(", ").join(_word(name, self._translate) for name in names.split())


def _indicator_name(name: str, translate: Translate) -> str:
    """Return the name of an indicator; its id if no row has the id."""
    row = INDICATORS.get(name)
    return name if row is None else translate(row.en)


def _word(name: str, translate: Translate) -> str:
    return {
        "electricity": translate("electricity"),
        "water": translate("water"),
        "gas": translate("natural gas"),
        "heat": translate("heat"),
        "direct_green": translate("directly connected green power"),
        "traded": translate("non-fossil power traded on the market"),
        "coal": translate("coal equivalent factor"),
        "carbon": translate("carbon emission factor"),
        "floor_area_m2": translate("floor area"),
        "headcount": translate("headcount"),
    }.get(name, name)
