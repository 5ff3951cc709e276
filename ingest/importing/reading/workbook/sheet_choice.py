"""Choose the sheets of a workbook that are read as one table. Pure.

Law: every sheet is read, or a note says why it is not read. If the columns of the sheets differ, no
sheet is ignored: a problem asks the user to name the sheets to read.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ingest.importing.reading.file_form import ColumnForm, FormNote
from ingest.importing.reading.form_detection import TableForm
from ingest.importing.reading.workbook.workbook_parts import SheetEntry
from jieneng.metering.errors import Msgid, Problem, UsageError

_SKIPPED: Final[dict[str, Msgid]] = {
    "chart": "sheet {sheet} was not read: it is a chart.",
    "hidden": "sheet {sheet} was not read: it is hidden.",
    "empty": "sheet {sheet} was not read: it has no rows of numbers.",
}


class SheetChoice(NamedTuple):
    """Sheets that are read as one table.

    Attributes:
        sheets: the sheets, with the form of each.
        columns: form of the columns, common to all sheets.
        notes: sentences on the sheets that are not read, and on what is assumed.
        problems: questions that must be answered before the file can be read.
    """

    sheets: tuple[tuple[SheetEntry, TableForm], ...]
    columns: tuple[ColumnForm, ...]
    notes: tuple[FormNote, ...]
    problems: tuple[Problem, ...]


def choose_sheets(
    file: str,
    entries: Sequence[SheetEntry],
    wanted: Sequence[str],
    detect: Callable[[SheetEntry], TableForm | None],
) -> SheetChoice:
    """Return the sheets to read.

    Args:
        file: name of the file, for messages.
        entries: all sheets of the workbook.
        wanted: names of the sheets that a person selected; () for all.
        detect: returns the form of a sheet; None for a sheet without rows.

    Raises:
        UsageError: a sheet that is wanted is not there.
    """
    notes: list[FormNote] = []
    found: list[tuple[SheetEntry, TableForm]] = []
    for entry in _wanted(file, entries, wanted):
        reason = _skipped(entry, is_wanted=bool(wanted))
        form = detect(entry) if reason is None else None
        if form is None or not (form.has_numbers or wanted):
            notes.append(FormNote(text=_SKIPPED[reason or "empty"], values={"sheet": entry.name}))
        else:
            found.append((entry, form))
    problems = [
        _other_columns(entry, found[0][0], form.header.line)
        for entry, form in found[1:]
        if _names(form) != _names(found[0][1])
    ]
    notes += found[0][1].notes if found else ()
    return SheetChoice(tuple(found), _columns(found), tuple(notes), tuple(problems))


def _wanted(
    file: str, entries: Sequence[SheetEntry], wanted: Sequence[str]
) -> Sequence[SheetEntry]:
    by_name = {entry.name: entry for entry in entries}
    for name in wanted:
        if name not in by_name:
            raise UsageError(
                "{file} has no sheet {sheet}; it has {known}.",
                file=file,
                sheet=name,
                known=", ".join(by_name),
            )
    return [by_name[name] for name in wanted] or entries


def _skipped(entry: SheetEntry, *, is_wanted: bool) -> str | None:
    if not entry.is_worksheet:
        return "chart"
    return "hidden" if entry.is_hidden and not is_wanted else None


def _names(form: TableForm) -> list[str]:
    return [column.name for column in form.columns]


def _other_columns(entry: SheetEntry, first: SheetEntry, line: int) -> Problem:
    return Problem(
        text="sheet {sheet} has other columns than sheet {first}: they are not one table.",
        fix="State the sheets to read, for example: --sheet {first}.",
        values={"sheet": entry.name, "first": first.name, "sheet_line": line},
    )


def _columns(found: Sequence[tuple[SheetEntry, TableForm]]) -> tuple[ColumnForm, ...]:
    """Return the form of each column, from the first sheet in which its notation is certain."""
    if not found:
        return ()
    columns = list(found[0][1].columns)
    for _, form in found[1:]:
        for number, (column, other) in enumerate(zip(columns, form.columns, strict=False)):
            if column.name == other.name and not column.is_determined and other.is_determined:
                columns[number] = other
    return tuple(columns)
