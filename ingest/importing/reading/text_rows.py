"""Divide the text of a file into rows of cells. Pure.

Law: if the text is incomplete or can't be decoded, the rows end there with a problem.
"""

import csv
import zlib
from collections.abc import Iterable, Iterator

from ingest.importing.cells.cell import ProblemHandler, Row
from jieneng.metering.errors import Msgid, Problem


def text_rows(
    text: Iterable[str], delimiter: str, encoding: str, on_problem: ProblemHandler
) -> Iterator[tuple[int, Row]]:
    """Yield (line number, cells) of each line.

    Args:
        text: lines of the file.
        delimiter: sign between the cells.
        encoding: encoding, for messages.
        on_problem: called with an error inside the file; the rows end there.
    """
    reader = csv.reader(text, delimiter=delimiter)
    line = 0
    try:
        for row in reader:
            line = reader.line_num
            yield line, row
    except UnicodeError:
        on_problem(
            _problem(
                "from about this line on, the file is not {encoding}.",
                'Save it as "CSV UTF-8", or state its encoding: --encoding gb18030.',
                line + 1,
                encoding=encoding,
            )
        )
    except csv.Error as error:
        on_problem(
            _problem(
                "this line can't be read as CSV ({reason}).",
                "Correct the quotes of this line.",
                line + 1,
                reason=error,
            )
        )
    except (EOFError, zlib.error, OSError) as error:
        on_problem(damaged(line + 1, error))


def damaged(line: int, reason: Exception) -> Problem:
    """Return the problem for a file that is damaged from a line on."""
    return _problem(
        "from about this line on, the file is damaged ({reason}).",
        "Copy the file again.",
        line,
        reason=reason,
    )


def _problem(text: Msgid, fix: Msgid, line: int, **values: object) -> Problem:
    return Problem(text=text, fix=fix, values=values, line=line)
