"""Find the rule, alert or place that a person names to acknowledge or to silence. Pure.

Laws: if a rule and a place have the same id, the id means the rule. An unknown name is refused, and
the error suggests the known name that is most similar.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from jieneng.metering.errors import UsageError
from jieneng.metering.spelling import nearest

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.alerts.alert import Alert
    from analytics.alerts.alert_rule import AlertRules
    from jieneng.metering.site import Site

#: Text that means all rules, or all subjects.
ALL: Final = "*"


class Target(NamedTuple):
    """Rule and subject of a mark; `*` means all."""

    rule: str
    subject: str

    def __str__(self) -> str:
        if self.subject == ALL:
            return self.rule
        return self.subject if self.rule == ALL else f"{self.rule}/{self.subject}"


def silence_target(text: str, rules: "AlertRules", site: "Site") -> Target:
    """Return the target of a silence: `RULE`, `RULE/SUBJECT`, or a meter, area, bus or agent.

    Raises:
        UsageError: the text names no rule, alert or place.
    """
    rule, _, subject = text.partition("/")
    known_rules = [one.id for one in (*rules.rules, *rules.disabled)]
    if rule in known_rules:
        return Target(rule, subject or ALL)
    places = _places(site)
    if text in places:
        return Target(ALL, text)
    raise _unknown(text, [*known_rules, *places])


def alerts_to_acknowledge(names: Sequence[str], alerts: Iterable["Alert"]) -> "list[Alert]":
    """Return the alerts named by `RULE` or `RULE/SUBJECT` that are not over.

    Raises:
        UsageError: a name matches no alert that fires or is pending.
    """
    active = [one for one in alerts if one.phase != "inactive" or one.flapping_ms]
    found: dict[str, Alert] = {}
    for name in names:
        meant = [one for one in active if name in (one.rule, one.key)]
        if not meant:
            raise _not_firing(name, active)
        found.update((one.key, one) for one in meant)
    return [*found.values()]


def _places(site: "Site") -> list[str]:
    agents = dict.fromkeys(bus.agent for bus in site.bus)
    return [*site.meters, *site.areas, *site.buses, *agents]


def _unknown(text: str, known: Sequence[str]) -> UsageError:
    close = nearest(text, known)
    if close is None:
        return UsageError(
            "there is no rule, meter, area, bus or agent {text}. List the rules with: jieneng "
            "alerts rules.",
            text=text,
        )
    return UsageError(
        "there is no rule, meter, area, bus or agent {text}. Did you mean {close}?",
        text=text,
        close=close,
    )


def _not_firing(name: str, active: "Sequence[Alert]") -> UsageError:
    known = dict.fromkeys(text for one in active for text in (one.rule, one.key))
    close = nearest(name, known)
    if close is None:
        return UsageError(
            "no alert {name} fires, so there is nothing to acknowledge. List the alerts with: "
            "jieneng alerts list.",
            name=name,
        )
    return UsageError("no alert {name} fires. Did you mean {close}?", name=name, close=close)
