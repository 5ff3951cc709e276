"""TOML -> frozen structs. Unknown keys are refused, and every error names file, line and key.

Law: all problems of a file are reported at once, never only the first; a file that has one
yields nothing.
"""

import math
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from jieneng.metering.errors import ConfigError, Problem

_DEEPEST: Final = 20  # tables and lists in one another: none of our files needs half as many
KeyPath = tuple[str | int, ...]
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class Document(msgspec.Struct, frozen=True):
    """A parsed file that still knows on which line each key stands."""

    name: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def locate(self, problem: Problem) -> Problem:
        """The problem with this file's name, and the line of its path or of what surrounds it."""
        line = next(
            (
                self.lines[problem.path[:depth]]
                for depth in range(len(problem.path), 0, -1)
                if problem.path[:depth] in self.lines
            ),
            None,
        )
        return msgspec.structs.replace(problem, file=self.name, line=line)


def read(path: Path) -> Document:
    """Read and parse a file.

    Raises:
        ConfigError: it isn't there, isn't UTF-8, isn't TOML, or is nested without end.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Notepad writes a byte order mark
    except FileNotFoundError as error:
        raise _refuse(path, "this file is not there.", "Create it, or check the folder.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _refuse(
            path,
            "this file can't be read: {error}.",
            "Check its permissions, and that it is saved as UTF-8.",
            error=error,
        ) from error
    return parse(text, path.name)


def parse(text: str, name: str) -> Document:
    """Parse a file's text. Raises `ConfigError` where it isn't TOML, or is nested without end."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except RecursionError as error:
        raise _too_deep(name) from error
    except ValueError as error:  # `TOMLDecodeError`, and a number of thousands of digits
        found = re.search(r"at line (\d+)", str(error))
        raise ConfigError(
            [
                Problem(
                    text="this is not TOML: {error}.",
                    fix="Check quotes, brackets and the = of this line.",
                    values={"error": error},
                    file=name,
                    line=int(found[1]) if found else None,
                )
            ]
        ) from error
    if _depth(data) > _DEEPEST:
        raise _too_deep(name)
    return Document(name, data, dict(_key_lines(text)))


def decode(document: Document, form: type[_Settings]) -> _Settings:
    """The settings of a document.

    Raises:
        ConfigError: with every unknown key, missing key and wrong value.
    """
    problems: list[Problem] = []
    settings = _struct(document.data, form, (), problems)
    if problems:
        raise ConfigError([document.locate(problem) for problem in problems])
    return typing.cast("_Settings", settings)


def _too_deep(name: str) -> ConfigError:
    problem = Problem(
        text="its values stand in one another more than {deepest} deep.",
        fix="Nothing here needs that: look for brackets or dots that are too many.",
        values={"deepest": _DEEPEST},
        file=name,
    )
    return ConfigError([problem])


def _depth(data: Mapping[str, Any]) -> int:
    """How many tables and lists stand in one another at most."""
    depth, level = 0, [*data.values()]
    while level:
        depth += 1
        tables = [
            one.values() if isinstance(one, dict) else one
            for one in level
            if isinstance(one, dict | list)
        ]
        level = [inner for one in tables for inner in one]
    return depth


def _refuse(path: Path, text: str, fix: str, **values: object) -> ConfigError:
    return ConfigError([Problem(text=text, fix=fix, values=values, file=str(path))])


# --- values -------------------------------------------------------------------------------------

_BAD: Final = object()


def _struct(
    data: Mapping[str, Any], form: type[msgspec.Struct], path: KeyPath, problems: list[Problem]
) -> object:
    fields = {field.encode_name: field for field in msgspec.structs.fields(form)}
    problems.extend(
        _unknown_key(key, list(fields), (*path, key)) for key in data if key not in fields
    )
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key in data:
            values[field.name] = _value(data[key], field.type, (*path, key), problems)
        elif field.required:
            problems.append(_missing(key, path))
            values[field.name] = _BAD
    return _BAD if _BAD in values.values() else form(**values)


def _missing(key: str, path: KeyPath) -> Problem:
    return Problem(
        text="{key} is missing.",
        fix="Add {key} = ... here.",
        values={"key": key},
        path=path or (key,),
    )


def _unknown_key(key: str, known: Sequence[str], path: KeyPath) -> Problem:
    close = get_close_matches(key, known, 1)
    if close:
        return Problem(
            text="unknown key {key}.",
            fix="Did you mean {close}?",
            values={"key": key, "close": close[0]},
            path=path,
        )
    return Problem(
        text="unknown key {key}.",
        fix="Remove it; known here are: {known}.",
        values={"key": key, "known": ", ".join(known)},
        path=path,
    )


def _value(value: object, form: Any, path: KeyPath, problems: list[Problem]) -> object:
    form = _without_none(form)
    origin, arguments = typing.get_origin(form), typing.get_args(form)
    if isinstance(value, dict) and (structs := _structs(form)):
        return _one_of(structs, value, path, problems)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ... and isinstance(value, list):
        items = [_value(v, arguments[0], (*path, i), problems) for i, v in enumerate(value)]
        return _BAD if _BAD in items else tuple(items)
    if origin in (dict, Mapping) and isinstance(value, dict):
        rows = {k: _value(v, arguments[1], (*path, k), problems) for k, v in value.items()}
        return _BAD if _BAD in rows.values() else rows
    if isinstance(value, Decimal) and not math.isfinite(value):  # nor is 1e400, as a float
        problems.append(
            Problem(
                text="{key} can't be {value}.",
                fix="Write a finite number; leave the key out where it is not known.",
                values={"key": path[-1], "value": value},
                path=path,
            )
        )
        return _BAD
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        problems.append(_wrong_value(value, form, error, path))
        return _BAD


def _structs(form: Any) -> Sequence[type[msgspec.Struct]]:
    """The struct, or the structs of a tagged union; none where the form is something else."""
    is_union = typing.get_origin(form) in (typing.Union, types.UnionType)
    members = typing.get_args(form) if is_union else (form,)
    found = [one for one in members if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return found if len(found) == len(members) else ()


def _one_of(
    forms: Sequence[type[msgspec.Struct]],
    data: Mapping[str, Any],
    path: KeyPath,
    problems: list[Problem],
) -> object:
    """A table; where there are several forms of it, its tag (e.g. `kind`) decides which."""
    if len(forms) == 1:
        return _struct(data, forms[0], path, problems)
    kinds = {str(one.__struct_config__.tag): one for one in forms}
    tag = forms[0].__struct_config__.tag_field or ""
    if tag not in data:
        problems.append(_missing(tag, path))
        return _BAD
    if not isinstance(data[tag], str) or data[tag] not in kinds:
        problems.append(_no_choice(data[tag], list(kinds), (*path, tag)))
        return _BAD
    rest = {key: value for key, value in data.items() if key != tag}
    return _struct(rest, kinds[data[tag]], path, problems)


def _without_none(form: Any) -> Any:
    """TOML has no null, so `X | None` is X wherever a key is present."""
    if typing.get_origin(form) in (typing.Union, types.UnionType):
        rest = [one for one in typing.get_args(form) if one is not type(None)]
        return typing.Union[tuple(rest)]  # noqa: UP007 - built at run time
    return form


def _wrong_value(value: object, form: object, error: Exception, path: KeyPath) -> Problem:
    key = next(part for part in reversed(path) if isinstance(part, str))
    if typing.get_origin(form) is Literal:
        return _no_choice(value, [str(choice) for choice in typing.get_args(form)], path)
    return Problem(
        text="{key} can't be {value}: {reason}.",
        fix="Write a value of that kind.",
        values={"key": key, "value": value, "reason": str(error).split(" - at ")[0]},
        path=path,
    )


def _no_choice(value: object, choices: Sequence[str], path: KeyPath) -> Problem:
    close = get_close_matches(str(value), choices, 1)
    return Problem(
        text="{key} can't be {value}.",
        fix="Did you mean {close}?" if close else "Use one of: {known}.",
        values={
            "key": next(part for part in reversed(path) if isinstance(part, str)),
            "value": value,
            "known": ", ".join(choices),
            "close": "".join(close),
        },
        path=path,
    )


# --- lines --------------------------------------------------------------------------------------

_HEADER: Final = re.compile(r"""^\s*(\[\[?)\s*([\w."' -]+?)\s*\]\]?\s*(?:#.*)?$""")
# Possessive: a text of many dots, which is no key, is not taken apart in every way that there is.
_KEY: Final = re.compile(r"""^\s*([\w."'-]++(?:\s*\.\s*[\w."'-]++)*+)\s*=""")


def _key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """On which line each key of a valid document stands, tables and array tables included."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    inside_text = False
    for number, line in enumerate(text.splitlines(), 1):
        begins_inside = inside_text
        inside_text ^= (line.count('"""') + line.count("'''")) % 2 == 1
        if begins_inside:
            continue
        if header := _HEADER.match(line):
            table = _table(header[2], counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = (*table, counts[table] - 1)
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number


def _table(name: str, counts: Mapping[KeyPath, int]) -> KeyPath:
    """The path of a header, through the latest element of the array tables above it."""
    path: KeyPath = ()
    parts = _parts(name)
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, parts[-1])


def _parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]
