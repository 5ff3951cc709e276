"""Write a rule as a row of `alerts.toml`, to be pasted there. Pure."""

import json
from typing import Any

import msgspec

from analytics.alerts.alert_rule import AlertRule


def rule_toml(rule: AlertRule) -> str:
    """Return the row of a rule, without the keys that have their defaults."""
    defaults = AlertRule(id=rule.id, signal="")
    keys = (name for name in rule.__struct_fields__ if name != "id")
    lines = [
        f"{name} = {_value(value)}"
        for name in keys
        if (value := getattr(rule, name)) != getattr(defaults, name)
    ]
    return "\n".join(["[[rule]]", f"id = {_value(rule.id)}", *lines])


def _value(value: Any) -> str:
    """Return a value in TOML. Strings of JSON are strings of TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
