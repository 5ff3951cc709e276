"""Number lines so that numbers are unique in a file with several sheets. Pure.

The number of the sheet is added in the upper bits. Law: in a text file, and in the first sheet, the
unique number equals the line number. Unique numbers are in the order of the lines.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from jieneng.metering.errors import Problem

#: Number of bits for the line: a sheet has at most 2**20 lines.
_BITS: Final = 21


def unique_line(sheet: int, line: int) -> int:
    """Return the unique number of a line in a sheet; sheets are counted from 0."""
    return sheet << _BITS | line


def sheet_of(line: int) -> int:
    """Return the sheet of a unique line number, counted from 0."""
    return line >> _BITS


def placed(problem: Problem, file: str, sheets: Sequence[str]) -> Problem:
    """Return a problem with unique line numbers replaced by file, sheet and line.

    Args:
        problem: the problem; its line, and the lines in its values, are unique line numbers.
        file: name of the file.
        sheets: names of the sheets that are read; () for a text file.
    """
    if len(sheets) < 2:
        return msgspec.structs.replace(problem, file=file)
    sheet, line = _divided(problem.line or 0)
    values = {
        name: _shown(value, sheets) if name in _LINES and isinstance(value, int) else value
        for name, value in problem.values.items()
    }
    place = file if problem.line is None else f"{file}[{sheets[sheet]}]"
    return msgspec.structs.replace(
        problem, file=place, line=None if problem.line is None else line, values=values
    )


def _by_sheet(lines: Iterable[int], sheets: Sequence[str]) -> dict[str, set[int]]:
    """Return line numbers by the name of the sheet; by "" if the file has only one table."""
    found: dict[str, set[int]] = {}
    for line in sorted(lines):
        sheet, own = _divided(line)
        found.setdefault(sheets[sheet] if len(sheets) > 1 else "", set()).add(own)
    return found


def line_ranges(lines: Iterable[int], sheets: Sequence[str]) -> str:
    """Return lines as text, by sheet if there are several: `12, 20-31`, `1月: 5; 2月: 7-9`."""
    return "; ".join(
        f"{sheet}: {_ranges(own)}".removeprefix(": ")
        for sheet, own in _by_sheet(lines, sheets).items()
    )


def _ranges(lines: Iterable[int]) -> str:
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and found[-1][1] == line - 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found)


#: Names of placeholders whose values are line numbers.
_LINES: Final = frozenset({"line", "earlier", "other_line"})


def _shown(line: int, sheets: Sequence[str]) -> str:
    sheet, own = _divided(line)
    return f"{own} [{sheets[sheet]}]"


def _divided(line: int) -> tuple[int, int]:
    return line >> _BITS, line & ((1 << _BITS) - 1)
