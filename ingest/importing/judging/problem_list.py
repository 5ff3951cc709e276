"""List the problems of a file: keep the first ones, and count all."""

from collections.abc import Sequence
from typing import Final

from ingest.importing.reading.line_numbers import placed
from jieneng.metering.errors import Problem

#: Number of problems that are listed. The others are only counted.
MAX_LISTED: Final = 100


class ProblemList:
    """The problems of a file: the first ones in full, and the number of all.

    Law: a problem of a row can be solved by leaving out the row. A problem of the file, or of a
    whole series, can't be solved that way. A doubt is shown to the user, and the file is imported
    anyway.

    Attributes:
        listed: the first `MAX_LISTED` problems.
        count: number of all problems.
        of_file: number of problems of the file or of a whole series.
        lines: lines of all rows with problems.
        sheets: names of the sheets that are read; () for a text file.
        doubts: the first `MAX_LISTED` doubts; a doubt is about values that look wrong but may be
            right.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.listed: list[Problem] = []
        self.count = 0
        self.of_file = 0
        self.lines: set[int] = set()
        self.sheets: Sequence[str] = ()
        self.doubts: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Add a problem of the file or of a whole series."""
        self.of_file += 1
        self._list(problem)

    def add_of_rows(self, problem: Problem, *lines: int) -> None:
        """Add a problem of the row at its line, and of the rows at further lines."""
        self.lines.update(lines if problem.line is None else (problem.line, *lines))
        self._list(problem)

    def judge(self, problem: Problem, *, is_sure: bool) -> None:
        """Add a problem of the file, or only a doubt if a person is sure that the file is right."""
        if is_sure:
            self.doubt(problem)
        else:
            self.add(problem)

    def doubt(self, problem: Problem) -> None:
        """Add a doubt."""
        if len(self.doubts) < MAX_LISTED:
            self.doubts.append(placed(problem, self._file, self.sheets))

    def _list(self, problem: Problem) -> None:
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(placed(problem, self._file, self.sheets))
