"""Merge the rows of packaged rule files with those of a site, and locate their mistakes.

Laws: a row in a site's file replaces the whole packaged row with the same id; all other packaged
rows stay. A mistake is reported with the file and the line of its row.

Pure: documents in, rows out.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from jieneng.config_file import Document, decode
from jieneng.metering.errors import ConfigError, Problem

_File = TypeVar("_File", bound=msgspec.Struct)


class _Row(Protocol):
    @property
    def id(self) -> str: ...


_AnyRow = TypeVar("_AnyRow", bound=_Row)
#: (row, its document, its index in the document).
LocatedRow = tuple[_AnyRow, Document, int]


def decoded(
    documents: Sequence[Document], form: type[_File], problems: list[Problem]
) -> list[tuple[_File, Document]]:
    """Return the decoded documents. Documents with a wrong form are added to `problems`."""
    found = []
    for document in documents:
        try:
            found.append((decode(document, form), document))
        except ConfigError as error:
            problems += error.problems
    return found


def merge_rows(
    files: Iterable[tuple[Sequence[_AnyRow], Document]],
) -> list[LocatedRow[_AnyRow]]:
    """Return one row for each id: the one of the last document that contains the id."""
    merged: dict[str, LocatedRow[_AnyRow]] = {}
    for rows, document in files:
        for number, row in enumerate(rows):
            merged[row.id] = (row, document, number)
    return list(merged.values())


def rows_of(located: Sequence[LocatedRow[_AnyRow]]) -> tuple[_AnyRow, ...]:
    """Return the rows without their places."""
    return tuple(row for row, _, _ in located)


def check_located(
    table: str,
    located: Sequence[LocatedRow[_AnyRow]],
    check: Callable[[Sequence[_AnyRow]], Iterable[tuple[int, Problem]]],
) -> Iterator[Problem]:
    """Yield the problems that a check finds in rows, each with the file and line of its row."""
    for number, problem in check(rows_of(located)):
        _, document, row_index = located[number]
        path = (table, row_index, *problem.path)
        yield document.locate(msgspec.structs.replace(problem, path=path))


def check_scopes(
    table: str,
    located: Sequence[LocatedRow[_AnyRow]],
    named: Callable[[_AnyRow], Iterable[str]],
    scope_ids: Collection[str] | None,
) -> Iterator[Problem]:
    """Yield a problem for each id in rows that is not the id of a scope of the site.

    Args:
        table: name of the table of the rows.
        located: the rows.
        named: function that returns the ids that a row names.
        scope_ids: ids of the site, its areas and institutions; None to accept any id.
    """

    def check(rows: Sequence[_AnyRow]) -> Iterator[tuple[int, Problem]]:
        for number, row in enumerate(rows):
            for scope in named(row):
                if scope_ids is not None and scope not in scope_ids:
                    yield (
                        number,
                        Problem(
                            text="{id}: {scope} is no area or institution of site.toml.",
                            fix="Use one of: {known}.",
                            values={"id": row.id, "scope": scope, "known": ", ".join(scope_ids)},
                            path=("scope",),
                        ),
                    )

    return check_located(table, located, check)
