"""Make problems for wrong values in a file: the sentence, and how to write a right value. Pure.

Law: a fix names the kind of value and its limits, and shows a valid example (`value_examples`). If
the form has a `Meta(description=...)`, for example because it has a pattern, this description is
the sentence of the fix.
"""

import types
import typing
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

from msgspec import Meta

from jieneng.metering.errors import KeyPath, Msgid, Problem
from jieneng.metering.spelling import nearest
from jieneng.value_examples import example_line, toml_text
from jieneng.value_forms import Form, forms_of

_MAX_SHOWN: Final = 60  # characters of a wrong value that are shown


def missing_key(key: str, form: Form, path: KeyPath) -> Problem:
    """Return the problem of a table at `path` that lacks a key."""
    header = _header((*path, key))
    values = {"key": key, "header": header, "keys": _keys(form), "example": example_line(key, form)}
    if form.structs and not any(isinstance(part, int) for part in path):
        return Problem(
            text="{key} is missing.",
            fix="Add a line [{header}], and below it a line for each of its keys: {keys}.",
            values=values,
            path=path or (key,),
        )
    return Problem(
        text="{key} is missing.",
        fix="Add the key here, for example: {example}",
        values=values,
        path=path or (key,),
    )


def unknown_key(key: str, known: Sequence[str], path: KeyPath) -> Problem:
    """Return the problem of a key that its table does not have."""
    close = nearest(key, known)
    return Problem(
        text="unknown key {key}.",
        fix="Did you mean {close}?" if close else "Remove it; known here are: {known}.",
        values={"key": key, "close": close, "known": ", ".join(known)},
        path=path,
    )


def not_finite(value: object, path: KeyPath) -> Problem:
    """Return the problem of a number that is infinite or `nan`."""
    return Problem(
        text="{key} can't be {value}.",
        fix="Write a finite number, or leave the key out if the number is not known.",
        values={"key": _last_key(path), "value": value},
        path=path,
    )


def unknown_choice(value: object, choices: Sequence[object], path: KeyPath) -> Problem:
    """Return the problem of a value that is not one of the key's choices."""
    close = nearest(str(value), [str(choice) for choice in choices])
    meant = next((choice for choice in choices if str(choice) == close), None)
    return Problem(
        text="{key} can't be {value}.",
        fix="Use one of: {known}." if close is None else "Did you mean {close}?",
        values={
            "key": _last_key(path),
            "value": toml_text(value, _MAX_SHOWN),
            "known": ", ".join(toml_text(choice) for choice in choices),
            "close": toml_text(meant),
        },
        path=path,
    )


def wrong_value(value: object, form: Form, path: KeyPath) -> Problem:
    """Return the problem of a value that does not have the form of its key."""
    if typing.get_origin(form.base) is Literal:
        return unknown_choice(value, typing.get_args(form.base), path)
    key = _last_key(path)
    items = form.items
    header = _header(path)
    values = {"key": key, "value": toml_text(value, _MAX_SHOWN), "header": header}
    if items and items.structs and isinstance(value, dict) and header == key:
        return Problem(
            text="[{header}] in single brackets is a single table, but this table may occur"
            " several times.",
            fix="Write [[{header}]], in double brackets, before each table.",
            values=values,
            path=path,
        )
    if form.structs and isinstance(value, list):
        return Problem(
            text="{key} is a list, but this table may occur only once.",
            fix="Write [{header}] once, in single brackets.",
            values=values,
            path=path,
        )
    in_list = bool(path) and isinstance(path[-1], int)
    shown = Form(types.GenericAlias(tuple, (form.annotation, ...)), Meta()) if in_list else form
    limits = form.limits
    return Problem(
        text="{key} can't be {value}.",
        fix=_fix(form, is_top=header == key and not in_list),
        values={
            **values,
            "keys": _keys(form) or _keys(items),
            "example": example_line(key, shown, value),
            "low": limits.ge if limits.gt is None else limits.gt,
            "high": limits.le if limits.lt is None else limits.lt,
            "least": limits.min_length,
            "longest": limits.max_length,
        },
        path=path,
    )


#: The fix of each kind of value; of a number also by its limits, which are those of `msgspec.Meta`.
_FIXES: Final[Mapping[str, Msgid]] = {
    "text": "Write text in quotes, for example: {example}",
    "text min_length": "Write text in quotes of at least {least} characters, for example: "
    "{example}",
    "switch": "Write true or false, without quotes, for example: {example}",
    "date": "Write a date without quotes, for example: {example}",
    "moment": "Write a date, a time and the offset from UTC without quotes, for example: {example}",
    "list": "Write a list in brackets, for example: {example}",
    "names": "Write names and their values in braces, for example: {example}",
    "union": "Write a whole number, or text in quotes, for example: {example}",
    "table": "Write a table: a line [{header}], and below it its keys: {keys}.",
    "tables": "Write a line [[{header}]] for each, and below it its keys: {keys}.",
    "whole": "Write a whole number without quotes, for example: {example}",
    "whole ge": "Write a whole number of at least {low}, for example: {example}",
    "whole ge le": "Write a whole number from {low} to {high}, for example: {example}",
    "number": "Write a number without quotes, for example: {example}",
    "number ge": "Write a number of at least {low}, for example: {example}",
    "number gt": "Write a number greater than {low}, for example: {example}",
    "number ge le": "Write a number from {low} to {high}, for example: {example}",
    "number ge lt": "Write a number of at least {low} and less than {high}, for example: {example}",
    "number gt le": "Write a number greater than {low} and at most {high}, for example: {example}",
    "number gt lt": "Write a number greater than {low} and less than {high}, for example: "
    "{example}",
}
_KINDS: Final[Mapping[object, str]] = {
    str: "text",
    bool: "switch",
    date: "date",
    datetime: "moment",
    int: "whole",
    float: "number",
    Decimal: "number",
    tuple: "list",
    dict: "names",
    Mapping: "names",
    typing.Union: "union",
}
_LIMITS: Final = {
    "text": ("min_length",),
    "whole": ("ge", "gt", "le", "lt"),
    "number": ("ge", "gt", "le", "lt"),
}


def _fix(form: Form, *, is_top: bool) -> Msgid:
    """Return the sentence about how to write a value of this form.

    Args:
        form: the form.
        is_top: True for a key at the top level of the file, which can be written as a header.
    """
    if form.limits.description:
        return form.limits.description
    if form.structs:
        kind = "table"
    elif is_top and form.items and form.items.structs:
        kind = "tables"
    else:
        kind = _KINDS[typing.get_origin(form.base) or form.base]
        given = [name for name in _LIMITS.get(kind, ()) if getattr(form.limits, name) is not None]
        kind = " ".join([kind, *given])
    return _FIXES[kind]


def _last_key(path: KeyPath) -> str:
    return next(part for part in reversed(path) if isinstance(part, str))


def _header(path: KeyPath) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _keys(form: Form | None) -> str:
    """Return the keys of a table; empty where the form is none."""
    return ", ".join(forms_of(form.structs[0])) if form and form.structs else ""
