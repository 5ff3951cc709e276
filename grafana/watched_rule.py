"""Define the texts of an alert rule and of its alerts, for boards and Grafana's alerting."""

from collections.abc import Mapping
from typing import Final

import msgspec

from grafana.colours import GREY, ORANGE, TEXT, VERMILION
from jieneng.locale import Translate
from jieneng.metering.alert_signals import SubjectKind

#: Severities of alerts, the greatest first.
SEVERITIES: Final = ("critical", "warning", "info")


class WatchedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of `alerts.toml`, with its texts in the reader's language.

    Attributes:
        id: id of the rule, the tag `rule` of its alerts.
        name: name of the rule.
        unit: unit of its values; empty if there is none.
        subject: kind of its subjects.
    """

    id: str
    name: str
    unit: str
    subject: SubjectKind


def severity_words(translate: Translate) -> Mapping[str, tuple[str, str]]:
    """Return text and colour of each severity."""
    return {
        "critical": (f"✕ {translate('Critical')}", VERMILION),
        "warning": (f"! {translate('Warning')}", ORANGE),
        "info": (f"i {translate('For information')}", TEXT),
    }


def phase_words(translate: Translate) -> Mapping[str, tuple[str, str]]:
    """Return text and colour of each value of the field `phase`."""
    return {
        "0": (f"✓ {translate('over')}", GREY),
        "1": (f"… {translate('pending')}", ORANGE),
        "2": (f"✕ {translate('firing')}", VERMILION),
    }
