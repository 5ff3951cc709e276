"""Say in plain words why a key can't have a value, and how to write a value that it can have.

Law: a fix names the kind of value and its limits, and shows an example that is accepted. The
example is the form's own (`Meta(examples=...)`), the key's default, or made from the limits. Where
a pattern says more than a limit can, `Meta(description=...)` is the sentence of the fix. Pure.
"""

import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from jieneng.metering.errors import KeyPath, Problem
from jieneng.metering.spelling import nearest

_MAX_SHOWN: Final = 60  # characters of a wrong value that are shown
_BARE_KEY: Final = re.compile(r"^[A-Za-z0-9_-]+$")
_HOST_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_LONGEST_HOST: Final = 253  # characters of a name (RFC 1035, section 2.3.4, less the length bytes)
_NOT_OF_AN_ID: Final = re.compile(r"[^a-z0-9]+")


class Form(NamedTuple):
    """The form of a key's value.

    Attributes:
        base: its type, without limits and without None.
        limits: its limits.
        default: the key's default; None where it has none.
    """

    base: Any
    limits: Meta
    default: object = None

    @property
    def items(self) -> "Form | None":
        """Return the form of a list's items; None if this is no list of any length."""
        arguments = typing.get_args(self.base)
        if typing.get_origin(self.base) is tuple and len(arguments) == 2 and arguments[1] is ...:
            return form_of(arguments[0])
        return None

    @property
    def mapped(self) -> "Form | None":
        """Return the form of the values under names of any kind; None if this is no such table."""
        if typing.get_origin(self.base) in (dict, Mapping):
            return form_of(typing.get_args(self.base)[1])
        return None

    @property
    def structs(self) -> Sequence[type[msgspec.Struct]]:
        """Return the struct, or the structs of a tagged union; none if this is something else."""
        is_union = typing.get_origin(self.base) in (typing.Union, types.UnionType)
        members = typing.get_args(self.base) if is_union else (self.base,)
        found = [
            one for one in members if isinstance(one, type) and issubclass(one, msgspec.Struct)
        ]
        return found if len(found) == len(members) else ()

    def accepts(self, value: object) -> bool:
        """Return True if a value has this form, and meets the condition that its limits name."""
        try:
            converted = msgspec.convert(value, self.annotation)
        except msgspec.ValidationError:
            return False
        condition = (self.limits.extra or {}).get("condition")
        return condition is None or _CONDITIONS[condition](converted)

    @property
    def annotation(self) -> Any:
        """Return the type with its limits, as msgspec takes it."""
        return Annotated[self.base, self.limits]


def form_of(annotation: Any, default: object = None) -> Form:
    """Return the form of an annotated type. `X | None` is X: TOML can't write None."""
    limits = Meta()
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation, *metas = typing.get_args(annotation)
            limits = next((meta for meta in metas if isinstance(meta, Meta)), limits)
        elif origin in (typing.Union, types.UnionType):
            members = [one for one in typing.get_args(annotation) if one is not type(None)]
            if len(members) > 1:
                union: Any = typing.Union[tuple(members)]  # noqa: UP007 - built at run time
                return Form(union, limits, default)
            annotation = members[0]
        else:
            return Form(annotation, limits, default)


@cache  # a table may have thousands of rows
def forms_of(struct: type[msgspec.Struct]) -> Mapping[str, Form]:
    """Return the form of each key of a table, by key."""
    return {
        field.encode_name: form_of(
            field.type, None if field.default is msgspec.NODEFAULT else field.default
        )
        for field in msgspec.structs.fields(struct)
    }


def is_host(text: str) -> bool:
    """Return True for an IP address, and for a name that can be a host's (RFC 1123, section 2.1).

    A name whose last part is a number is a mistyped address.
    """
    try:
        ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return (
            len(text) <= _LONGEST_HOST
            and all(_HOST_LABEL.fullmatch(label) for label in labels)
            and not labels[-1].isdecimal()
        )
    return True


#: Conditions that `Meta(extra={"condition": name})` may name, beside the limits of msgspec.
_CONDITIONS: Final[Mapping[str, Callable[[Any], bool]]] = {"host": is_host}


# --- problems -----------------------------------------------------------------------------------


def missing_key(key: str, form: Form, path: KeyPath) -> Problem:
    """Return the problem of a table at `path` that lacks a key."""
    header = _header((*path, key))
    values = {"key": key, "header": header, "keys": _keys(form), "example": _assignment(key, form)}
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


def endless_number(value: object, path: KeyPath) -> Problem:
    """Return the problem of a number that is infinite, or that is none (`nan`)."""
    return Problem(
        text="{key} can't be {value}.",
        fix="Write a finite number; leave the key out where it is not known.",
        values={"key": _last_key(path), "value": value},
        path=path,
    )


def no_choice(value: object, choices: Sequence[object], path: KeyPath) -> Problem:
    """Return the problem of a value that is none of those among which the key chooses."""
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
        return no_choice(value, typing.get_args(form.base), path)
    key = _last_key(path)
    items = form.items
    header = _header(path)
    values = {"key": key, "value": toml_text(value, _MAX_SHOWN), "header": header}
    if items and items.structs and isinstance(value, dict) and header == key:
        return Problem(
            text="[{header}] in single brackets is one table, but there may be several of it.",
            fix="Write [[{header}]], in double brackets, before each.",
            values=values,
            path=path,
        )
    if form.structs and isinstance(value, list):
        return Problem(
            text="{key} is a list, but there is only one of it.",
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
            "example": _assignment(key, shown, value),
            "low": limits.ge if limits.gt is None else limits.gt,
            "high": limits.le if limits.lt is None else limits.lt,
            "least": limits.min_length,
            "longest": limits.max_length,
        },
        path=path,
    )


class _Kind(NamedTuple):
    """A kind of value, and the fix that says how it is written.

    Attributes:
        kind: name of the kind; of a number also its limits, which are those of `msgspec.Meta`.
    """

    kind: str
    fix: str


_FIXES: Final = (
    _Kind("text", fix="Write text in quotes, for example: {example}"),
    _Kind(
        "text min_length",
        fix="Write text in quotes of at least {least} characters, for example: {example}",
    ),
    _Kind("switch", fix="Write true or false, without quotes, for example: {example}"),
    _Kind("date", fix="Write a date without quotes, for example: {example}"),
    _Kind(
        "moment",
        fix="Write a date, a time and the offset from UTC without quotes, for example: {example}",
    ),
    _Kind("list", fix="Write a list in brackets, for example: {example}"),
    _Kind("names", fix="Write names and their values in braces, for example: {example}"),
    _Kind("union", fix="Write a whole number, or text in quotes, for example: {example}"),
    _Kind("table", fix="Write a table: a line [{header}], and below it its keys: {keys}."),
    _Kind("tables", fix="Write a line [[{header}]] for each, and below it its keys: {keys}."),
    _Kind("whole", fix="Write a whole number without quotes, for example: {example}"),
    _Kind("whole ge", fix="Write a whole number of at least {low}, for example: {example}"),
    _Kind("whole ge le", fix="Write a whole number from {low} to {high}, for example: {example}"),
    _Kind("number", fix="Write a number without quotes, for example: {example}"),
    _Kind("number ge", fix="Write a number of at least {low}, for example: {example}"),
    _Kind("number gt", fix="Write a number greater than {low}, for example: {example}"),
    _Kind("number ge le", fix="Write a number from {low} to {high}, for example: {example}"),
    _Kind(
        "number ge lt",
        fix="Write a number of at least {low} and less than {high}, for example: {example}",
    ),
    _Kind(
        "number gt le",
        fix="Write a number greater than {low} and at most {high}, for example: {example}",
    ),
    _Kind(
        "number gt lt",
        fix="Write a number greater than {low} and less than {high}, for example: {example}",
    ),
)
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


def _fix(form: Form, *, is_top: bool) -> str:
    """Return the sentence that says how a value of this form is written.

    Args:
        form: the form.
        is_top: True for a key of the file itself, which a header can give.
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
    return next(row.fix for row in _FIXES if row.kind == kind)


# --- examples -----------------------------------------------------------------------------------


def example(form: Form, wrong: object = None) -> object:
    """Return a value that a form accepts; where text is wanted, the wrong value as text."""
    if isinstance(wrong, int | Decimal | date) and form.accepts(str(wrong)):
        return str(wrong)
    if isinstance(wrong, str) and form.limits.pattern and form.accepts(_as_id(wrong)):
        return _as_id(wrong)
    return next((value for value in _examples(form) if form.accepts(value)), "...")


def _as_id(text: str) -> str:
    """Return the id that a text was meant to be: `Plant Room` is `plant-room`."""
    return _NOT_OF_AN_ID.sub("-", text.casefold()).strip("-")


def _examples(form: Form) -> Iterator[object]:
    """Yield values that a form may accept, the most telling ones first."""
    limits = form.limits
    yield from limits.examples or ()
    if form.default not in (None, msgspec.UNSET, ()):
        yield form.default
    if form.items:
        yield [example(form.items)]
    elif form.mapped:
        yield {"name": example(form.mapped)}
    elif form.structs:
        struct = form.structs[0]
        required = [field for field in msgspec.structs.fields(struct) if field.required]
        config = struct.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field else {}
        yield tag | {field.encode_name: example(form_of(field.type)) for field in required}
    elif typing.get_origin(form.base) is Literal:
        yield typing.get_args(form.base)[0]
    elif typing.get_origin(form.base) is tuple:
        yield [example(form_of(one)) for one in typing.get_args(form.base)]
    yield from (1, 10, limits.ge, limits.le)
    if limits.gt is not None and limits.lt is not None:
        yield (limits.gt + limits.lt) / 2
    yield from ("...", "." * (limits.min_length or 0), True)
    yield from (date(2020, 1, 1), datetime.fromisoformat("2022-05-10T09:30:00+08:00"))


def _assignment(key: str, form: Form, wrong: object = None) -> str:
    """Return the line that gives a key an example of its form."""
    return f"{_key_text(key)} = {toml_text(example(form, wrong))}"


def toml_text(value: object, longest: int | None = None) -> str:
    """Write a value as TOML does; cut where it is longer than so many characters."""
    text = _toml_text(value)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def _toml_text(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key_text(k)} = {_toml_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_text(item) for item in value) + "]"
    if isinstance(value, date):  # `datetime` is one
        return value.isoformat()
    return str(value)


def _key_text(key: str) -> str:
    return key if _BARE_KEY.match(key) else f'"{key}"'


def _last_key(path: KeyPath) -> str:
    return next(part for part in reversed(path) if isinstance(part, str))


def _header(path: KeyPath) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _keys(form: Form | None) -> str:
    """Return the keys of a table; empty where the form is none."""
    return ", ".join(forms_of(form.structs[0])) if form and form.structs else ""
