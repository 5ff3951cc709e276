"""Read TOML files into frozen structs; every problem names file, line and key.

Laws:

1. Unknown keys are refused, and all problems of a file are reported at once.
2. The settings of a file with a problem are never used. Only checks that look for further problems
   use the part that could be read (`decode_draft`).
"""

import math
import re
import tomllib
import typing
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

from jieneng import value_problems
from jieneng.metering.errors import ConfigError, KeyPath, Msgid, Problem, UnreadKeys
from jieneng.metering.spelling import nearest
from jieneng.toml_lines import key_lines
from jieneng.value_forms import Form, form_of, forms_of

_DEEPEST: Final = 20  # most levels of nested tables and lists; valid files have fewer than 10
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class Document(msgspec.Struct, frozen=True):
    """A parsed file, with the line of each key.

    Attributes:
        name: name of the file as the person knows it.
        data: its tables and values.
        lines: line of each key, by path, 1-based.
    """

    name: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def locate(self, problem: Problem) -> Problem:
        """Return a problem with the name of the file and the line of the problem's key.

        If the key has no line, the line of its table is used; for a list of tables, the line of the
        first one.
        """
        path = problem.path
        places = [*(path[:depth] for depth in range(len(path), 0, -1)), (*path, 0)]
        line = next((self.lines[place] for place in places if place in self.lines), None)
        return msgspec.structs.replace(problem, file=self.name, line=line)


def read(path: Path) -> Document:
    """Read and parse a file.

    Raises:
        ConfigError: the file does not exist, is not UTF-8, is not TOML, or is nested too deeply.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Notepad writes a byte order mark
    except FileNotFoundError as error:
        raise _refuse(
            path, "this file does not exist.", "Create it, or check the folder."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _refuse(
            path,
            "this file can't be read: {error}.",
            "Check its permissions, and that it is saved as UTF-8.",
            error=error,
        ) from error
    return parse(text, path.name)


def parse(text: str, name: str) -> Document:
    """Parse a file's text. Raises `ConfigError` if it is not TOML, or is nested too deeply."""
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
    return Document(name, data, dict(key_lines(text)))


class Draft(msgspec.Struct, Generic[_Settings], frozen=True):
    """Settings of a document that may have problems, as far as they could be read.

    Attributes:
        settings: the settings. In place of a value that could not be read, they have the key's
            default, or `msgspec.UNSET` if there is no default. Rows keep their numbers.
        problems: unknown keys, missing keys and wrong values.
        unread: places of the values that could not be read.
    """

    settings: _Settings
    problems: tuple[Problem, ...]
    unread: UnreadKeys


def decode(document: Document, form: type[_Settings]) -> _Settings:
    """Return the settings of a document.

    Raises:
        ConfigError: with every unknown key, missing key and wrong value.
    """
    draft = decode_draft(document, form)
    if draft.problems:
        raise ConfigError(draft.problems)
    return draft.settings


def decode_draft(document: Document, form: type[_Settings]) -> Draft[_Settings]:
    """Return the readable part of a document, and the problems of the other part."""
    decoder = _Decoder()
    settings = decoder.table(document.data, form, ())
    return Draft(
        typing.cast("_Settings", settings),
        tuple(document.locate(problem) for problem in decoder.problems),
        UnreadKeys(frozenset(decoder.unread)),
    )


def _too_deep(name: str) -> ConfigError:
    problem = Problem(
        text="its tables and lists are nested more than {deepest} levels deep.",
        fix="No valid file has so many levels: look for superfluous brackets or dots.",
        values={"deepest": _DEEPEST},
        file=name,
    )
    return ConfigError([problem])


def _depth(data: Mapping[str, Any]) -> int:
    """Return how deeply the tables and lists of a document are nested."""
    depth, level = 0, [*data.values()]
    while level:
        depth += 1
        nested = [
            value.values() if isinstance(value, dict) else value
            for value in level
            if isinstance(value, dict | list)
        ]
        level = [inner for values in nested for inner in values]
    return depth


def _refuse(path: Path, text: Msgid, fix: Msgid, **values: object) -> ConfigError:
    return ConfigError([Problem(text=text, fix=fix, values=values, file=str(path))])


class _Decoder:
    """The decoding of one document: its values are converted, its problems collected."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.unread: list[KeyPath] = []

    def table(
        self, data: Mapping[str, Any], struct: type[msgspec.Struct], path: KeyPath
    ) -> msgspec.Struct:
        """Return the struct of a table, with placeholders for values that can't be read."""
        forms = forms_of(struct)
        for key in data:
            if key not in forms:
                self._refuse_unknown(key, data, forms, path)
        values: dict[str, object] = {}
        for field in _fields(struct):
            key = field.encode_name
            value: object = msgspec.UNSET
            if key in data:
                value = self._value(data[key], forms[key], (*path, key))
            elif field.required:
                self._add_problem(value_problems.missing_key(key, forms[key], path), (*path, key))
            if value is not msgspec.UNSET or field.required:
                values[field.name] = value
        return struct(**values)

    def _value(self, value: object, form: Form, path: KeyPath) -> object:
        """Return a converted value; `UNSET` if it can't be read."""
        if form.structs and isinstance(value, dict):
            return self._tagged_table(value, form.structs, path)
        if (items := form.items) and isinstance(value, list):
            return self._list(value, form, items, path)
        if (mapped := form.mapped) and isinstance(value, dict):
            return self._map(value, form, mapped, path)
        if isinstance(value, Decimal) and not math.isfinite(value):  # nor is 1e400, as a float
            return self._add_problem(value_problems.not_finite(value, path), path)
        if not form.accepts(value):
            return self._add_problem(value_problems.wrong_value(value, form, path), path)
        return msgspec.convert(value, form.annotation)

    def _map(
        self, data: Mapping[str, Any], form: Form, mapped: Form, path: KeyPath
    ) -> dict[str, object]:
        """Return a table whose values all have one form, without values that can't be read."""
        found = {}
        for key, value in data.items():
            if form.keys and key not in form.keys:
                unknown = value_problems.unknown_key(key, form.keys, (*path, key))
                self._add_problem(unknown, (*path, key))
                continue
            converted = self._value(value, mapped, (*path, key))
            if converted is not msgspec.UNSET:
                found[key] = converted
        return found

    def _list(
        self, values: list[object], form: Form, items: Form, path: KeyPath
    ) -> tuple[object, ...] | msgspec.UnsetType:
        """Return a list's values; a row that should be a table but is not becomes placeholders."""
        if len(values) < (form.limits.min_length or 0):
            return self._add_problem(value_problems.wrong_value(values, form, path), path)
        converted = []
        for number, value in enumerate(values):
            item = self._value(value, items, (*path, number))
            if item is msgspec.UNSET and items.structs:
                item = _placeholder(items.structs[0])
            if item is not msgspec.UNSET:
                converted.append(item)
        return tuple(converted)

    def _tagged_table(
        self, data: Mapping[str, Any], structs: typing.Sequence[type[msgspec.Struct]], path: KeyPath
    ) -> msgspec.Struct | msgspec.UnsetType:
        """Return a table's struct; if there are several, the tag (e.g. `kind`) decides which."""
        if len(structs) == 1:
            return self.table(data, structs[0], path)
        by_tag = {str(struct.__struct_config__.tag): struct for struct in structs}
        tag_key = structs[0].__struct_config__.tag_field or ""
        tag = data.get(tag_key)
        tags = form_of(typing.Literal[tuple(by_tag)])
        if tag_key not in data:
            return self._add_problem(value_problems.missing_key(tag_key, tags, path), path)
        if not isinstance(tag, str) or tag not in by_tag:
            return self._add_problem(value_problems.wrong_value(tag, tags, (*path, tag_key)), path)
        rest = {key: value for key, value in data.items() if key != tag_key}
        return self.table(rest, by_tag[tag], path)

    def _add_problem(self, problem: Problem, unread: KeyPath) -> msgspec.UnsetType:
        self.problems.append(problem)
        self.unread.append(unread)
        return msgspec.UNSET

    def _refuse_unknown(
        self, key: str, data: Mapping[str, Any], forms: Mapping[str, Form], path: KeyPath
    ) -> None:
        """Refuse an unknown key. The key that was probably meant counts as unread."""
        self.problems.append(value_problems.unknown_key(key, list(forms), (*path, key)))
        meant = nearest(key, forms)
        if meant is None:
            return
        rows = data.get(meant)
        if rows is None:
            self.unread.append((*path, meant))
        elif isinstance(rows, list):  # the table with the misspelt name counts as one more row
            self.unread.append((*path, meant, len(rows)))


@cache  # msgspec evaluates the annotations at each call, and a file has many tables of one kind
def _fields(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a struct."""
    return msgspec.structs.fields(struct)


def _placeholder(struct: type[msgspec.Struct]) -> msgspec.Struct:
    required = [field.name for field in _fields(struct) if field.required]
    return struct(**dict.fromkeys(required, msgspec.UNSET))
