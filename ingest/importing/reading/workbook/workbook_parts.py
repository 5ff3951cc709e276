"""Parse the parts of an XLSX file that describe its cells: sheet names, formats, texts. Pure.

Source: ECMA-376 part 1, SpreadsheetML: 18.2.19 (sheet), 18.2.28 (workbookPr), 18.8.10 (cellXfs),
18.8.30 (numFmt), 18.4.8 (si), 18.3.1.55 (mergeCell).
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple
from xml.etree import ElementTree as ET

SheetKind = Literal["worksheet", "other"]

#: Numbers of the built-in date and time formats (18.8.30). 27 to 36 and 50 to 58 are the formats
#: of Chinese systems.
_DATE_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
#: Parts of a format code whose letters don't mean a date: quoted texts, escaped characters,
#: colours, conditions.
_NO_LETTERS: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]|general', re.IGNORECASE)
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')


class SheetEntry(NamedTuple):
    """Sheet of a workbook.

    Attributes:
        name: its name.
        part: file inside the zip file.
        is_worksheet: False for a sheet that is a chart or a macro.
        is_hidden: True if the spreadsheet program does not show it.
    """

    name: str
    part: str
    is_worksheet: bool
    is_hidden: bool


class MergedCells(NamedTuple):
    """Range of merged cells. Rows count from 1, columns from 0; the last ones are included."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


def sheet_entries(workbook: bytes, relations: bytes) -> tuple[list[SheetEntry], bool]:
    """Return the sheets of a workbook, and True if it counts its days from 1904.

    Args:
        workbook: `xl/workbook.xml`.
        relations: `xl/_rels/workbook.xml.rels`.
    """
    targets = {one.get("Id"): one for one in _parsed(relations)}
    entries, from_1904 = [], False
    for element in _parsed(workbook).iter():
        name = local_name(element.tag)
        if name == "workbookPr":
            from_1904 = element.get("date1904") in {"1", "true", "on"}
        elif name == "sheet":
            relation = targets.get(
                next((value for key, value in element.items() if local_name(key) == "id"), "")
            )
            if relation is not None:
                entries.append(_entry(element, relation))
    return entries, from_1904


def _parsed(source: bytes) -> ET.Element:
    return ET.fromstring(source)  # noqa: S314 - expat bounds the growth of entities since 2.4.1


def _entry(element: ET.Element, relation: ET.Element) -> SheetEntry:
    target = relation.get("Target", "")
    part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    return SheetEntry(
        name=element.get("name", ""),
        part=part,
        is_worksheet=relation.get("Type", "").endswith("/worksheet"),
        is_hidden=element.get("state", "visible") != "visible",
    )


def date_styles(styles: bytes) -> frozenset[str]:
    """Return the numbers of the cell styles that show dates or times.

    Args:
        styles: `xl/styles.xml`.
    """
    own: dict[str, str] = {}
    formats: list[str] = []
    for element in _parsed(styles):
        name = local_name(element.tag)
        if name == "numFmts":
            own = {one.get("numFmtId", ""): one.get("formatCode", "") for one in element}
        elif name == "cellXfs":
            formats = [one.get("numFmtId", "0") for one in element]
    return frozenset(
        str(number) for number, key in enumerate(formats) if _is_date(key, own.get(key))
    )


def _is_date(key: str, code: str | None) -> bool:
    if code is None:
        return key.isdecimal() and int(key) in _DATE_FORMATS
    return any(letter in "ymdhs" for letter in _NO_LETTERS.sub("", code).casefold())


def shared_texts(source: bytes) -> Iterator[str]:
    """Yield the shared strings, in the order in which cells refer to them by number.

    Args:
        source: `xl/sharedStrings.xml`.
    """
    for item in _parsed(source):
        yield "".join(_texts(item))


def _texts(element: ET.Element) -> Iterator[str]:
    """Yield the texts of an element, without its phonetic texts (`rPh`)."""
    for child in element:
        name = local_name(child.tag)
        if name == "t":
            yield child.text or ""
        elif name != "rPh":
            yield from _texts(child)


def merged_cells(tail: bytes) -> list[MergedCells]:
    """Return the merged cells of a sheet.

    Args:
        tail: the part of the sheet's XML after its data.
    """
    return [
        MergedCells(
            int(top), column_number(left.decode()), int(bottom), column_number(right.decode())
        )
        for left, top, right, bottom in _MERGED.findall(tail)
    ]


def column_number(letters: str) -> int:
    """Return the number of a column, from 0 on: A is 0, AB is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def local_name(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]
