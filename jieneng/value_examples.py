"""Make examples of values for people, and write values as TOML. Pure.

Law: an example is always a valid value of its form. It is taken from `Meta(examples=...)` of the
form, or from the key's default, or made from the limits.
"""

import re
import typing
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from jieneng.value_forms import Form, form_of

_BARE_KEY: Final = re.compile(r"^[A-Za-z0-9_-]+$")
_NO_ID_CHARACTERS: Final = re.compile(r"[^a-z0-9]+")


def example(form: Form, wrong: object = None) -> object:
    """Return a value that a form accepts, similar to the wrong value if possible."""
    is_unquoted = isinstance(wrong, int | Decimal | date) and not isinstance(wrong, bool)
    if is_unquoted and form.accepts(str(wrong)):
        return str(wrong)
    if isinstance(wrong, str) and form.limits.pattern and form.accepts(_as_id(wrong)):
        return _as_id(wrong)
    if form.items and form.items.accepts(wrong):
        return [wrong]  # only the brackets are missing
    return next((value for value in _examples(form) if form.accepts(value)), "...")


def _as_id(text: str) -> str:
    """Return the id that a text was meant to be: `Plant Room` is `plant-room`."""
    return _NO_ID_CHARACTERS.sub("-", text.casefold()).strip("-")


def _examples(form: Form) -> Iterator[object]:
    """Yield values that a form may accept, the most telling ones first."""
    limits = form.limits
    yield from limits.examples or ()
    if form.default not in (None, msgspec.UNSET, ()):
        yield form.default
    if form.items:
        yield [example(form.items)]
    elif form.mapped:
        yield {next(iter(form.keys), "name"): example(form.mapped)}
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


def example_line(key: str, form: Form, wrong: object = None) -> str:
    """Return the line that gives a key an example of its form."""
    return f"{_key_text(key)} = {toml_text(example(form, wrong))}"


def toml_text(value: object, longest: int | None = None) -> str:
    """Return a value as TOML text, cut if it is longer than a number of characters."""
    text = _toml_text(value)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def _toml_text(value: object) -> str:
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()  # TOML reads JSON strings alike
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
