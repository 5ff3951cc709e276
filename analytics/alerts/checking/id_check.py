"""Check the ids of rows, and lists that refer to ids. Pure: rows in, problems out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from jieneng.metering.errors import KeyPath, Problem, UnreadKeys
from jieneng.metering.spelling import nearest


class _Row(Protocol):
    @property
    def id(self) -> str: ...


def repeated_ids(table: str, rows: Sequence[_Row], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each row with the id of an earlier row."""
    seen: set[str] = set()
    for number, row in enumerate(rows):
        if unread.covers(table, number, "id"):
            continue
        if row.id in seen:
            yield Problem(
                text="the id {id} occurs more than once in the table {table}.",
                fix="Give each row a different id.",
                values={"id": row.id, "table": table},
                path=(table, number, "id"),
            )
        seen.add(row.id)


def _id_of_name(name: str, known: Collection[str]) -> str | None:
    """Return the id of the row with a name for people; None if no row has the name."""
    if not isinstance(known, Mapping):
        return None
    return next((key for key, row in known.items() if getattr(row, "name", None) == name), None)


def unknown_ids(targets: Sequence[str], known: Collection[str], path: KeyPath) -> Iterator[Problem]:
    """Yield a problem for each id in the list at `path` that does not exist.

    If `known` maps ids to rows of a site, and the list has the name of a row, the problem suggests
    the id of the row.
    """
    for number, target in enumerate(targets):
        if target in known:
            continue
        close = _id_of_name(target, known) or nearest(target, known)
        yield Problem(
            text="{key} = {target}, but {target} is not defined.",
            fix="Did you mean {close}?" if close else "Define it, or correct the name.",
            values={"key": path[-1], "target": target, "close": close},
            path=(*path, number),
        )
