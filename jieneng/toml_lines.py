"""Find the line on which each key of a TOML file stands. Pure: text in, line numbers out.

Law: the text is valid TOML. A line inside a multi-line text is no header and no key.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jieneng.metering.errors import KeyPath

_HEADER: Final = re.compile(r"""^\s*(\[\[?)\s*([\w."' -]+?)\s*\]\]?\s*(?:#.*)?$""")
# Possessive quantifiers never go back: otherwise a text with many dots, which is no key, would be
# split in every possible way.
_KEY: Final = re.compile(r"""^\s*([\w."'-]++(?:\s*\.\s*[\w."'-]++)*+)\s*=""")


def key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Yield each key, table and array table of a valid document with its line, 1-based."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    inside_text = False
    for number, line in enumerate(text.splitlines(), 1):
        begins_inside = inside_text
        inside_text ^= (line.count('"""') + line.count("'''")) % 2 == 1
        if begins_inside:
            continue
        if header := _HEADER.match(line):
            table = _table_path(header[2], counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = (*table, counts[table] - 1)
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_key_parts(key[1])), number


def _table_path(name: str, counts: Mapping[KeyPath, int]) -> KeyPath:
    """Return the path of a header, through the latest row of each array table above it."""
    path: KeyPath = ()
    parts = _key_parts(name)
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, parts[-1])


def _key_parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]
