"""Check the rows `[[rule]]` of `alerts.toml`. Pure: rows and a site in, problems out.

Law: a check is not applied if a value that it needs could not be read (`UnreadKeys`). The
unreadable value has a problem of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.checking.id_check import repeated_ids, unknown_ids
from jieneng import value_problems
from jieneng.metering.alert_signals import SIGNALS, AlertSignal, SubjectKind
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import Site
from jieneng.metering.spelling import nearest
from jieneng.value_examples import toml_text
from jieneng.value_forms import forms_of

_ALL_CHOOSING_KEYS: Final = ("medium", "area", "meter", "except_meter")
#: Keys by which a rule chooses its subjects, for each kind of subject. A bus or an agent is chosen
#: if one of its meters is chosen.
_CHOOSING_KEYS: Final[Mapping[SubjectKind, tuple[str, ...]]] = MappingProxyType(
    {
        "meter": _ALL_CHOOSING_KEYS,
        "bus": _ALL_CHOOSING_KEYS,
        "agent": _ALL_CHOOSING_KEYS,
        "area": ("area",),
        "scope": ("area",),
        "indicator": ("area",),
        "site": (),
    }
)


class RuleContext(msgspec.Struct, frozen=True):
    """The site, the packaged rules and the unread places that the checks of rules need.

    Attributes:
        site: the site, which may have mistakes.
        packaged: packaged rules by id.
        unread: places of `alerts.toml` that could not be read.
        site_unread: places of `site.toml` that could not be read.
    """

    site: Site
    packaged: Mapping[str, AlertRule]
    unread: UnreadKeys
    site_unread: UnreadKeys


def switches_off(rule: AlertRule, packaged: Mapping[str, AlertRule]) -> bool:
    """Return True for a row that only switches a packaged rule off, without any other key."""
    return not rule.enabled and not rule.signal and rule.id in packaged


def rule_problems(rules: Sequence[AlertRule], context: RuleContext) -> Iterator[Problem]:
    """Yield the problems of the rows of a site's file."""
    yield from repeated_ids("rule", rules, context.unread)
    for number, rule in enumerate(rules):
        if switches_off(rule, context.packaged):
            continue
        for needed, check in _CHECKS:
            if not context.unread.covers_row("rule", number, *needed):
                for problem in check(rule, context):
                    yield msgspec.structs.replace(problem, path=("rule", number, *problem.path))


def _signal_problems(rule: AlertRule, context: RuleContext) -> Iterator[Problem]:
    if not rule.signal:
        yield _missing_signal(rule, context)
    elif rule.signal in QUANTITIES:
        yield Problem(
            text="{quantity} is a quantity, not a signal.",
            fix='Write two lines: signal = "quantity" and quantity = "{quantity}"',
            values={"quantity": rule.signal},
            path=("signal",),
        )
    elif rule.signal not in SIGNALS:
        named = next((row.name for row in SIGNALS.values() if rule.signal in (row.zh, row.en)), "")
        problem = value_problems.unknown_choice(named or rule.signal, list(SIGNALS), ("signal",))
        shown = {**problem.values, "value": toml_text(rule.signal)}
        yield msgspec.structs.replace(problem, values=shown)


def _missing_signal(rule: AlertRule, context: RuleContext) -> Problem:
    """Return the problem of a row without a signal, with the most probable correction."""
    packaged = context.packaged.get(rule.id)
    if packaged is not None:
        return Problem(
            text="this row replaces the packaged rule {rule} as a whole, but it has no signal.",
            fix='Copy all of its keys and change what differs: signal = "{signal}"',
            values={"rule": rule.id, "signal": packaged.signal},
        )
    close = nearest(rule.id, context.packaged)
    if not rule.enabled and close is not None:
        return Problem(
            text="there is no packaged rule {rule} that could be switched off.",
            fix="Did you mean {close}?",
            values={"rule": rule.id, "close": close},
            path=("id",),
        )
    return value_problems.missing_key("signal", forms_of(AlertRule)["signal"], ())


def _quantity_problems(rule: AlertRule, _: RuleContext) -> Iterator[Problem]:
    signal = SIGNALS.get(rule.signal)
    if signal is None:
        return
    values = {"rule": rule.id, "signal": signal.name, "quantity": rule.quantity}
    if signal.has_quantity and rule.quantity is None:
        yield Problem(
            text="rule {rule} does not say which quantity it watches.",
            fix='Add a line, for example: quantity = "power_kw"',
            values=values,
        )
    elif rule.quantity is not None and not signal.has_quantity:
        yield Problem(
            text="rule {rule}: the signal {signal} has no quantity.",
            fix='Remove this line, or write signal = "quantity".',
            values=values,
            path=("quantity",),
        )
    elif rule.quantity is not None and rule.quantity not in QUANTITIES:
        yield value_problems.unknown_choice(rule.quantity, list(QUANTITIES), ("quantity",))


def _medium_problems(rule: AlertRule, _: RuleContext) -> Iterator[Problem]:
    """Yield a problem if no meter of the rule's media can measure its quantity."""
    quantity = QUANTITIES.get(rule.quantity or "")
    if quantity and rule.medium and not set(rule.medium) & set(quantity.media):
        yield Problem(
            text="rule {rule}: no meter of {media} measures {quantity}.",
            fix="Choose one of the media {known}, or another quantity.",
            values={
                "rule": rule.id,
                "media": ", ".join(rule.medium),
                "quantity": quantity.name,
                "known": ", ".join(quantity.media),
            },
            path=("medium",),
        )
    if rule.signal == "night_flow" and rule.medium and "water" not in rule.medium:
        yield Problem(
            text="rule {rule}: the signal {signal} is about water meters.",
            fix='Write medium = ["water"], or remove this line.',
            values={"rule": rule.id, "signal": rule.signal},
            path=("medium",),
        )


def _limit_problems(rule: AlertRule, _: RuleContext) -> Iterator[Problem]:
    signal = SIGNALS.get(rule.signal)
    if rule.above is not None and rule.below is not None:
        yield Problem(
            text="rule {rule} has two limits, above and below.",
            fix="Keep one of them, and write a second rule with the other.",
            values={"rule": rule.id},
            path=("below",),
        )
    elif signal is not None and rule.above is None and rule.below is None:
        quantity = QUANTITIES.get(rule.quantity or "")
        unit = quantity.unit if quantity else signal.unit
        yield Problem(
            text="rule {rule} has no limit.",
            fix="Add a line below = with a number in {unit}."
            if signal.side == "below"
            else "Add a line above = with a number in {unit}.",
            values={"rule": rule.id, "unit": unit},
        )


def _side_problems(rule: AlertRule, _: RuleContext) -> Iterator[Problem]:
    """Yield a problem for a limit on the wrong side, or outside of the signal's range."""
    signal = SIGNALS.get(rule.signal)
    if signal is None or (rule.above is None) == (rule.below is None):
        return
    given = "above" if rule.above is not None else "below"
    values = {
        "rule": rule.id,
        "signal": signal.name,
        "given": given,
        "limit": toml_text(rule.limit),
        "unit": signal.unit,
    }
    if signal.side not in ("either", given):
        yield Problem(
            text="rule {rule}: low values of the signal {signal} are a fault, high values are"
            " normal."
            if given == "above"
            else "rule {rule}: high values of the signal {signal} are a fault, low values are"
            " normal.",
            fix="Write below = {limit}." if given == "above" else "Write above = {limit}.",
            values=values,
            path=(given,),
        )
    elif is_share(signal) and not _lies_in_share(rule):
        yield Problem(
            text="rule {rule}: this limit alerts always or never, because the signal {signal} lies"
            " between 0 and 100 %.",
            fix="Write a limit greater than 0 and less than 100.",
            values=values,
            path=(given,),
        )
    elif signal.side == "above" and signal.of_data and rule.limit < 0:
        yield Problem(
            text="rule {rule}: this limit alerts always, because the signal {signal} is never"
            " less than 0.",
            fix="Write a limit of at least 0.",
            values=values,
            path=(given,),
        )


def _lies_in_share(rule: AlertRule) -> bool:
    """Return True if a share of 0 to 100 % can be on both sides of the limit."""
    return 0 <= rule.limit < 100 if rule.is_above else 0 < rule.limit <= 100


def is_share(signal: AlertSignal) -> bool:
    """Return True for a signal whose values lie between 0 and 100 %."""
    return signal.of_data and signal.unit == "%"


def _clear_problems(rule: AlertRule, _: RuleContext) -> Iterator[Problem]:
    if rule.clear is None or (rule.above is None) == (rule.below is None):
        return
    if rule.clear > rule.limit if rule.is_above else rule.clear < rule.limit:
        yield Problem(
            text="rule {rule}: its alerts would recover at {clear}, which is still beyond the limit"
            " {limit}.",
            fix="Write a number of at most {limit}, for example: clear = {limit}"
            if rule.is_above
            else "Write a number of at least {limit}, for example: clear = {limit}",
            values={
                "rule": rule.id,
                "clear": toml_text(rule.clear),
                "limit": toml_text(rule.limit),
            },
            path=("clear",),
        )


def _hours_problems(rule: AlertRule, _: RuleContext) -> Iterator[Problem]:
    signal = SIGNALS.get(rule.signal)
    if signal is not None and rule.when != "always" and not signal.by_hours:
        yield Problem(
            text="rule {rule}: the signal {signal} can't be watched in some hours only.",
            fix="Remove this line. To have no notices at night, see [hours] quiet.",
            values={"rule": rule.id, "signal": signal.name},
            path=("when",),
        )


def _choice_problems(rule: AlertRule, context: RuleContext) -> Iterator[Problem]:
    """Yield a problem for each key that chooses subjects wrongly."""
    signal = SIGNALS.get(rule.signal)
    useful = _CHOOSING_KEYS[signal.subject] if signal else _ALL_CHOOSING_KEYS
    for key in _ALL_CHOOSING_KEYS:
        if getattr(rule, key) and key not in useful:
            yield Problem(
                text="rule {rule}: {key} has no effect, because the signal {signal} is not about"
                " meters.",
                fix="Remove this line; {known} can be used." if useful else "Remove this line.",
                values={
                    "rule": rule.id,
                    "key": key,
                    "signal": rule.signal,
                    "known": ", ".join(useful),
                },
                path=(key,),
            )
    areas, meters = context.site.areas, context.site.meters
    for key, known, table in (
        ("area", areas, "area"),
        ("meter", meters, "meter"),
        ("except_meter", meters, "meter"),
    ):
        if key in useful and not context.site_unread.hides_ids(table):
            yield from unknown_ids(getattr(rule, key), known, (key,))


#: Checks, each with the keys that must have been read for it.
_CHECKS: Final[
    Sequence[tuple[tuple[str, ...], Callable[[AlertRule, RuleContext], Iterator[Problem]]]]
] = (
    (("signal",), _signal_problems),
    (("signal", "quantity"), _quantity_problems),
    (("signal", "quantity", "medium"), _medium_problems),
    (("signal", "above", "below"), _limit_problems),
    (("signal", "above", "below"), _side_problems),
    (("above", "below", "clear"), _clear_problems),
    (("signal", "when"), _hours_problems),
    (("signal", "medium", "area", "meter", "except_meter"), _choice_problems),
)
