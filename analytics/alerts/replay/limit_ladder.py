"""Choose other limits to compare with the limit of a rule. Pure.

Laws: the ladder is a list of rules that contains the rule itself. The hysteresis keeps its
proportion to the limit. A limit near 100 % is scaled by its distance from 100 %: the steps next to
95 % are 97.5 % and 90 %, never 190 %.
"""

from typing import Final

from msgspec.structs import replace

from analytics.alerts.alert_rule import AlertRule

#: Signals that are shares, from 0 to 100 %.
_SHARES: Final = frozenset({"failed_polls", "coverage", "spool_share", "disk_used"})
#: Steps of the ladder, as factors of the distance of a limit from 0 or from 100 %.
_FACTORS: Final = (1 / 3, 0.5, 2 / 3, 1.0, 1.5, 2.0, 3.0, 5.0)
#: Steps of the ladder, as factors of a lower limit such as 220 V.
_BELOW: Final = (0.5, 2 / 3, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
_FULL: Final = 100.0
#: Significant digits of a limit of the ladder.
_DIGITS: Final = 2


def ladder(rule: AlertRule) -> tuple[AlertRule, ...]:
    """Return copies of the rule with its own and other limits, the rule that fires most first.

    A limit of 0 can't be scaled: then only the rule itself is returned.
    """
    if not rule.limit:
        return (rule,)
    origin = _FULL if _is_share(rule) else 0.0
    is_level_below = not rule.is_above and rule.limit > 0 and not origin
    rungs = [
        _with_limit(rule, factor, origin) for factor in (_BELOW if is_level_below else _FACTORS)
    ]
    return tuple(sorted(rungs, key=lambda one: one.limit, reverse=not rule.is_above))


def _is_share(rule: AlertRule) -> bool:
    return rule.signal in _SHARES and _FULL / 2 <= rule.limit < _FULL


def _with_limit(rule: AlertRule, factor: float, origin: float) -> AlertRule:
    """Return the rule with its limits at a multiple of their distances from an origin."""
    if factor == 1.0:
        return rule

    def scaled(limit: float) -> float:
        return origin + float(f"{(limit - origin) * factor:.{_DIGITS}g}")

    limit = scaled(rule.limit)
    clear = None if rule.clear is None else scaled(rule.clear)
    if rule.is_above:
        return replace(rule, above=limit, clear=clear)
    return replace(rule, below=limit, clear=clear)
