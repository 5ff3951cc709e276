"""Open an XLSX file, and read its sheets.

Laws:

- The size that a sheet states, and the ending of the file's name, are ignored: both may be wrong.
- A sheet is read in pieces, so that memory does not grow with it.
"""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile

from ingest.importing.cells.cell import ProblemHandler, Row
from ingest.importing.reading.container import check_zip
from ingest.importing.reading.text_rows import damaged
from ingest.importing.reading.workbook.sheet_xml import SheetContext, filled_down, sheet_rows
from ingest.importing.reading.workbook.workbook_parts import (
    MergedCells,
    SheetEntry,
    date_styles,
    merged_cells,
    shared_texts,
    sheet_entries,
)
from jieneng.metering.errors import UsageError

_CHUNK: Final = 1 << 18
_DATA_END: Final = re.compile(rb"</(?:\w+:)?sheetData>|<(?:\w+:)?sheetData/>")
_DAMAGED: Final = (
    BadZipFile, zlib.error, ExpatError, ParseError, EOFError, KeyError, IndexError, ValueError,
    NotImplementedError,
)  # fmt: skip


class WorkbookFile:
    """Open XLSX file.

    Attributes:
        sheets: its sheets.
        from_1904: True if it counts its days from 1904.

    Args:
        path: the file, for messages.
        file: its bytes.

    Raises:
        UsageError: the file is no XLSX file, or damaged.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        try:
            self._zip = ZipFile(file)
            check_zip(path.name, self._zip.namelist())
            self.sheets, self.from_1904 = sheet_entries(
                self._zip.read("xl/workbook.xml"), self._zip.read("xl/_rels/workbook.xml.rels")
            )
            self._context = SheetContext(
                list(shared_texts(self._part("xl/sharedStrings.xml", b"<sst/>"))),
                date_styles(self._part("xl/styles.xml", b"<styleSheet/>")),
                from_1904=self.from_1904,
            )
        except _DAMAGED as error:
            raise UsageError(
                "{file} is not an XLSX file: open it in a spreadsheet program and save it as XLSX.",
                file=path.name,
            ) from error

    def rows(self, sheet: SheetEntry, on_problem: ProblemHandler) -> Iterator[tuple[int, Row]]:
        """Yield (line number, cells) of each row of a sheet.

        Args:
            sheet: the sheet.
            on_problem: called with an error inside the file. No row is yielded after it.
        """
        line = 0
        try:
            rows = sheet_rows(self._chunks(sheet.part), self._context)
            for line, cells in filled_down(rows, self._merged(sheet.part)):
                yield line, cells
        except _DAMAGED as error:
            on_problem(damaged(line + 1, error))

    def _part(self, name: str, missing: bytes) -> bytes:
        return self._zip.read(name) if name in self._zip.namelist() else missing

    def _chunks(self, part: str) -> Iterator[bytes]:
        with self._zip.open(part) as source:
            while chunk := source.read(_CHUNK):
                yield chunk

    def _merged(self, part: str) -> list[MergedCells]:
        """Return the merged cells of a sheet: its XML lists them after the data."""
        tail, is_behind = b"", False
        for chunk in self._chunks(part):
            tail += chunk
            if not is_behind:
                found = _DATA_END.search(tail)
                is_behind = found is not None
                tail = tail[found.end() :] if found else tail[-32:]
        return merged_cells(tail)
