"""Find the line of each key of a TOML file. Pure: text in, line numbers out.

Law: the text must be valid TOML. Lines inside a multi-line text are skipped.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jieneng.metering.errors import KeyPath

_HEADER: Final = re.compile(r"""^\s*(\[\[?)\s*([\w."' -]+?)\s*\]\]?\s*(?:#.*)?$""")
# Possessive quantifiers prevent backtracking. Without them, a text with many dots that is not a key
# would be split in every possible way.
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
    """Return the key path of a header. Array tables above it count with their latest row."""
    path: KeyPath = ()
    parts = _key_parts(name)
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, parts[-1])


def _key_parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]
