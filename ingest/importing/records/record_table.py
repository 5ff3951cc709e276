"""Read the rows of a table whose columns have roles, such as account, period and amount. Pure.

Law: if several columns could have a role, the one whose word is earlier in the list of words has
it.
"""

from collections.abc import Iterator, Mapping, Sequence

from ingest.importing.cells.cell import BadCell, Cell, Row
from ingest.importing.cells.number_reader import NumberReader
from ingest.importing.cells.time_reader import Span, TimeReader
from ingest.importing.forms.column_words import plain, split_unit
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.judging.problem_list import ProblemList
from ingest.importing.reading.file_form import ColumnForm, FileForm
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.site import Site

#: Words in the name of a column, by role; the most specific words first.
RoleWords = Mapping[str, str]


class RecordTable:
    """A table of records.

    Attributes:
        columns: number of the column of each role.

    Args:
        form: form of the file.
        words: words of the roles.
        site: the site.
        options: options of the import.
        problems: list to which problems are added.
    """

    def __init__(
        self,
        form: FileForm,
        words: RoleWords,
        site: Site,
        options: ImportOptions,
        problems: ProblemList,
    ) -> None:
        self._form = form
        self._problems = problems
        zone = options.zone or site.zone
        self.columns = dict(_columns_of(form.columns, words))
        self._times = [TimeReader(zone, column.times) for column in form.columns]
        self._numbers = [NumberReader(options.missing, column.numbers) for column in form.columns]

    def require(self, words: RoleWords, *roles: str) -> bool:
        """Return True if the table has columns for the given roles; report missing ones."""
        missing = [role for role in roles if role not in self.columns]
        for role in missing:
            self._problems.add(
                Problem(
                    text="there is no column {names} in this file; its header is {header}.",
                    fix="Give the column this name.",
                    values={
                        "names": " / ".join(words[role].split()[:4]),
                        "header": ", ".join(self._form.header)[:200],
                    },
                    line=self._form.header_line,
                )
            )
        return not missing

    def column(self, role: str) -> ColumnForm:
        """Return the form of the column of a role."""
        return self._form.columns[self.columns[role]]

    def text(self, row: Row, role: str) -> str:
        """Return the text of a cell; "" if there is no column with this role."""
        place = self.columns.get(role)
        return "" if place is None else _text(row[place])

    def number(self, line: int, row: Row, role: str) -> float | None:
        """Return the number of a cell; None if it is empty, or after a problem was reported."""
        place = self.columns.get(role)
        if place is None:
            return None
        try:
            return self._numbers[place].read(row[place])
        except BadCell as error:
            self._report_cell(line, place, error)
            return None

    def span(self, line: int, row: Row, role: str) -> Span | None:
        """Return the time or period of a cell; None after a problem was reported."""
        place = self.columns[role]
        try:
            return self._times[place].read_span(row[place])
        except BadCell as error:
            self._report_cell(line, place, error)
            return None

    def report_row(self, line: int, text: Msgid, fix: Msgid, **values: object) -> None:
        """Report a problem of a row."""
        self._problems.add_of_rows(Problem(text=text, fix=fix, values=values, line=line))

    def _report_cell(self, line: int, place: int, error: BadCell) -> None:
        name = self._form.columns[place].name or str(place + 1)
        self.report_row(line, error.text, error.fix, column=name, **error.values)


def _columns_of(columns: Sequence[ColumnForm], words: RoleWords) -> Iterator[tuple[str, int]]:
    names: dict[str, int] = {}
    for place, column in reversed([*enumerate(columns)]):
        names[plain(split_unit(column.name)[0])] = place
        names[plain(column.name)] = place
    for role, of_role in words.items():
        found = [names[plain(word)] for word in of_role.split() if plain(word) in names]
        if found:
            yield role, found[0]


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()
