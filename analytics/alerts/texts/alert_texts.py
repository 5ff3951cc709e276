"""Render the parts of an alert as texts: names, places, values, limits, times and words.

Pure: alerts and names in, texts out. Notices, the terminal and the page take their texts from here,
so an alert reads the same everywhere. Law: an id is shown only where `site.toml` has no name.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from analytics.alerts.alert import Alert, Event
from analytics.alerts.alert_rule import AlertRule, AlertRules, Severity
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels
from jieneng.locale.number_texts import MINUS, UNKNOWN, unit
from jieneng.metering.alert_signals import SIGNALS, SubjectKind
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import QUANTITIES

#: Quantity that is 1 while a device reports that it does not measure.
_FLAG: Final = "fault_flag"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
#: Duration below which seconds are shown in addition to minutes [s].
_SECONDS_SHOWN_S: Final = 600
#: Significant digits of a measured value, and of a limit, which is shown as in `alerts.toml`.
_VALUE_DIGITS: Final = 3
_LIMIT_DIGITS: Final = 7
#: Numbers of at least this size are shown without decimals, and with thousands separators.
_LARGE: Final = 10_000


def find_rule(rules: AlertRules, rule_id: str) -> AlertRule | None:
    """Return the rule with an id; None if `alerts.toml` no longer has it."""
    return next((rule for rule in rules.rules if rule.id == rule_id), None)


def alert_name(rule: AlertRule | None, signal: str, translate: Translate) -> str:
    """Return the rule's own name; the signal's name if the rule has none."""
    if rule is not None and rule.name:
        # The name of a packaged rule is a msgid and is translated. A name in the site's
        # `alerts.toml` is in no catalogue, so it is returned unchanged.
        return translate(rule.name)
    row = SIGNALS.get(signal)
    return signal if row is None else translate(row.en)


def subject_kind(signal: str) -> SubjectKind:
    """Return the kind of a signal's subjects."""
    row = SIGNALS.get(signal)
    return "meter" if row is None else row.subject


def subject_name(signal: str, subject: str, labels: Labels, translate: Translate) -> str:
    """Return the name of a subject; the id of a bus or an agent, which have no names."""
    kind = subject_kind(signal)
    if kind in ("bus", "agent"):
        return subject
    if kind == "indicator":
        scope, _, indicator = subject.partition("/")
        row = INDICATORS.get(indicator)
        shown = indicator if row is None else translate(row.en)
        return f"{labels.name(scope)} · {shown}"
    return labels.name(subject)


def kind_word(kind: SubjectKind, translate: Translate) -> str:
    """Return the word of a kind of subjects."""
    return {
        "meter": translate("Meter"),
        "area": translate("Area"),
        "bus": translate("Bus"),
        "agent": translate("Agent"),
        "scope": translate("Scope"),
        "indicator": translate("Indicator"),
        "site": translate("Site"),
    }[kind]


def place(signal: str, subject: str, labels: Labels, translate: Translate) -> str:
    """Return the areas and the bus of a meter, or the agent of a bus; empty if none is known."""
    parts: list[str] = []
    match subject_kind(signal):
        case "meter":
            parts += labels.places.get(subject, ())
            if (bus := labels.buses.get(subject)) is not None:
                parts.append(translate("bus {bus}").format(bus=bus))
        case "area":
            parts += labels.places.get(subject, ())
        case "bus":
            if (agent := labels.agents.get(subject)) is not None:
                parts.append(translate("agent {agent}").format(agent=agent))
        case _:
            pass
    return " · ".join(parts)


def value_name(rule: AlertRule | None, signal: str, translate: Translate) -> str:
    """Return the name of a signal's values; for the signal `quantity`, the quantity's name."""
    if signal == "quantity" and rule is not None and rule.quantity is not None:
        return _quantity_name(rule.quantity, translate)
    row = SIGNALS.get(signal)
    if row is None or row.value_en is None:
        return translate("Value")
    return translate(row.value_en)


def has_value(rule: AlertRule | None, signal: str) -> bool:
    """Return True if a signal's value is shown; a value that is always the same is not shown."""
    row = SIGNALS.get(signal)
    is_flag = rule is not None and rule.quantity == _FLAG
    return (row is None or row.value_en is not None) and not is_flag


def amount(
    value: float,
    rule: AlertRule | None,
    signal: str,
    translate: Translate,
    *,
    digits: int = _VALUE_DIGITS,
) -> str:
    """Return a value of a signal with its unit; seconds as a duration."""
    if math.isnan(value):
        return UNKNOWN
    name = signal_unit(rule, signal)
    by_unit: Mapping[str, Callable[[], str]] = {
        "s": lambda: duration(value, translate),
        "d": lambda: translate("{count} d").format(count=short_number(value, digits)),
        "times": lambda: translate("{count} times").format(count=short_number(value, digits)),
        "samples": lambda: translate("{count} samples").format(count=short_number(value, digits)),
        "1": lambda: short_number(value, digits),
        "": lambda: short_number(value, digits),
    }
    if name in by_unit:
        return by_unit[name]()
    return f"{short_number(value, digits)} {unit(name, translate)}"


def signal_unit(rule: AlertRule | None, signal: str) -> str:
    """Return the unit of a signal's values; "" if it depends on a rule that is unknown."""
    row = SIGNALS.get(signal)
    if row is not None and row.unit:
        return row.unit
    quantity = QUANTITIES.get(rule.quantity or "") if rule is not None else None
    if quantity is None:
        return ""
    return f"{quantity.unit}/h" if signal == "rate" else quantity.unit


def day_back_from_year_end(alert: Alert, labels: Labels) -> str:
    """Return the day that lies as many days before the end of the year as the alert's value says.

    The year is that of the last evaluated value. The text is empty if the value is unknown.
    """
    if math.isnan(alert.value):
        return ""
    year = datetime.fromtimestamp(alert.seen_ms / 1000, labels.zone).year
    return f"{date(year, 12, 31) - timedelta(days=round(alert.value))}"


def limit_text(alert: Alert, rule: AlertRule | None, translate: Translate) -> str:
    """Return the side and the value of an alert's limit: `above 0.3 m³/h`."""
    shown = amount(alert.limit, rule, alert.signal, translate, digits=_LIMIT_DIGITS)
    text = translate("above {limit}") if is_above(alert, rule) else translate("below {limit}")
    return text.format(limit=shown)


def limit_of(rule: AlertRule, translate: Translate) -> str:
    """Return the side and the value of a rule's limit: `above 0.3 m³/h`."""
    shown = amount(rule.limit, rule, rule.signal, translate, digits=_LIMIT_DIGITS)
    text = translate("above {limit}") if rule.is_above else translate("below {limit}")
    return text.format(limit=shown)


def rule_limit(rule: AlertRule, translate: Translate) -> str:
    """Return a rule's limit, the time `for_s`, and the value at which the alert recovers."""
    text = limit_of(rule, translate)
    if rule.for_s:
        text = translate("{limit} for {time}").format(
            limit=text, time=duration(rule.for_s, translate)
        )
    if rule.clear is not None:
        clear = amount(rule.clear, rule, rule.signal, translate, digits=_LIMIT_DIGITS)
        text = translate("{limit}, recovers at {clear}").format(limit=text, clear=clear)
    return text


def is_above(alert: Alert, rule: AlertRule | None) -> bool:
    """Return True if an alert fires above its limit. Without a rule, the peak decides."""
    return rule.is_above if rule is not None else not alert.peak < alert.limit


def short_number(value: float, digits: int = _VALUE_DIGITS) -> str:
    """Return a number with at most `digits` digits and thousands separators: `0.3`, `81,204`."""
    is_large = abs(value) >= min(_LARGE, 10**digits)
    text = f"{value:,.0f}" if is_large else f"{value:.{digits}g}"
    return text.replace("-", MINUS)


def duration(seconds: float, translate: Translate) -> str:
    """Return a duration in its two largest units: `3 d 4 h`, `4 h 20 min`, `31 min`, `5 s`."""
    whole = max(0, int(seconds))
    days, hours = translate("{count} d"), translate("{count} h")
    minutes, short = translate("{count} min"), translate("{count} s")
    if whole < _MINUTE_S:
        parts = [(short, whole)]
    elif whole < _SECONDS_SHOWN_S:
        parts = [(minutes, whole // _MINUTE_S), (short, whole % _MINUTE_S)]
    elif whole < _HOUR_S:
        parts = [(minutes, whole // _MINUTE_S)]
    elif whole < _DAY_S:
        parts = [(hours, whole // _HOUR_S), (minutes, whole % _HOUR_S // _MINUTE_S)]
    else:
        parts = [(days, whole // _DAY_S), (hours, whole % _DAY_S // _HOUR_S)]
    shown = [text.format(count=count) for text, count in parts if count] or [short.format(count=0)]
    return " ".join(shown)


def local_time(time_ms: int, labels: Labels) -> str:
    """Return a time in the site's zone: `2026-11-30 01:10`."""
    return f"{datetime.fromtimestamp(time_ms / 1000, labels.zone):%Y-%m-%d %H:%M}"


def short_time(time_ms: int, now_ms: int, labels: Labels) -> str:
    """Return a time in the site's zone, with its year only if it is not the present year."""
    time = datetime.fromtimestamp(time_ms / 1000, labels.zone)
    now = datetime.fromtimestamp(now_ms / 1000, labels.zone)
    return f"{time:%m-%d %H:%M}" if time.year == now.year else f"{time:%Y-%m-%d}"


def severity_word(severity: Severity, translate: Translate) -> str:
    """Return the word of a severity."""
    return {
        "info": translate("For information"),
        "warning": translate("Warning"),
        "critical": translate("Critical"),
    }[severity]


def event_word(event: Event, severity: Severity, translate: Translate) -> str:
    """Return the word of an event; for the event `fired`, the word of the severity."""
    return {
        "fired": severity_word(severity, translate),
        "recovered": translate("Recovered"),
        "reminder": translate("Reminder"),
        "flapping": translate("Again and again"),
        "passed": translate("Over already"),
        "withdrawn": translate("Withdrawn"),
        "unwatched": translate("No longer watched"),
    }[event]


def event_name(event: Event, translate: Translate) -> str:
    """Return the word of an event; the event `fired` has a word of its own here."""
    return translate("Fired") if event == "fired" else event_word(event, "info", translate)


def _quantity_name(quantity: str, translate: Translate) -> str:
    """Return the name of a measured quantity, without phase and tariff."""
    names = (
        ("power_factor", translate("Power factor")),
        ("power", translate("Power")),
        ("reactive_power", translate("Reactive power")),
        ("apparent_power", translate("Apparent power")),
        ("voltage", translate("Voltage")),
        ("current", translate("Current")),
        ("frequency", translate("Frequency")),
        ("flow", translate("Flow")),
        ("pressure", translate("Pressure")),
        ("temperature", translate("Temperature")),
    )
    return next((name for start, name in names if quantity.startswith(start)), quantity)
