"""Determine the roles of a file's columns: times, meters, values and others. Pure.

Laws:

1. If the name of a column is a meter of the site, or a person maps it to a meter, the column
   contains values of this meter, whatever other words its name contains.
2. If several columns have the same role, the first one is used. There is one exception: if the file
   has a start and an end, the first column of amounts is used as the column of values.
3. Columns with money, remarks and sums are left out; the report lists them.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from ingest.importing.forms.column_words import (
    Role,
    plain,
    role_of,
    says_money,
    says_reading,
)
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_finder import MeterFinder
from ingest.importing.reading.file_form import ColumnForm

_TIME_ROLES: Final[frozenset[Role]] = frozenset(("time", "year", "month", "day", "start", "end"))
#: (role by the name of the column, content of its cells) -> role.
_BY_CONTENT: Final[Mapping[tuple[Role | None, str], Role]] = {
    ("time", "clock"): "clock",
    ("day", "time"): "time",
}
_TIMES: Final = frozenset({"time", "period"})


class ColumnRoles(msgspec.Struct, frozen=True, kw_only=True):
    """Roles of the columns of a file; columns are counted from 0.

    Attributes:
        by_role: number of the column of each role.
        others: named columns without a role: they may be meters, parts of a day, or months.
        ignored: columns that are left out.
        unnamed: columns without a name.
    """

    by_role: Mapping[Role, int]
    others: tuple[int, ...]
    ignored: tuple[int, ...]
    unnamed: tuple[int, ...]

    def get(self, role: Role) -> int | None:
        """Return the column of a role; None if there is none."""
        return self.by_role.get(role)

    @property
    def has_time(self) -> bool:
        """Return True if a column contains the time of each row."""
        return bool(self.by_role.keys() & _TIME_ROLES)


def column_roles(
    columns: tuple[ColumnForm, ...], options: ImportOptions, meters: MeterFinder
) -> ColumnRoles:
    """Return the roles of the columns of a file."""
    by_role: dict[Role, int] = {}
    others, ignored, unnamed = list[int](), list[int](), list[int]()
    for place, column in enumerate(columns):
        role = _role(column, options, meters)
        if role == "time" and "time" in by_role and column.content == "number":
            role = "clock"  # times of day without a colon, such as 0015
        if role == "ignored":
            ignored.append(place)
        elif role is not None and role not in by_role:
            by_role[role] = place
        elif column.name:
            others.append(place)
        else:
            unnamed.append(place)
    _prefer_amounts(columns, by_role, others)
    if unnamed[:1] == [0] and (role := _role_of_first(columns[0], by_role)) is not None:
        by_role[role] = unnamed.pop(0)
    return ColumnRoles(
        by_role=by_role, others=tuple(others), ignored=tuple(ignored), unnamed=tuple(unnamed)
    )


def _prefer_amounts(
    columns: tuple[ColumnForm, ...], by_role: dict[Role, int], others: list[int]
) -> None:
    """Use a column of amounts, not of readings, if rows have a start and an end (law 2)."""
    value = by_role.get("value")
    if value is None or not {"start", "end"} <= by_role.keys():
        return
    if not says_reading(columns[value].name):
        return
    for place in others:
        name = columns[place].name
        if role_of(name) == "value" and not says_reading(name):
            others[others.index(place)] = value
            others.sort()
            by_role["value"] = place
            return


def _role(column: ColumnForm, options: ImportOptions, meters: MeterFinder) -> Role | None:
    """Return the role of a column; None if the column may contain values of a meter."""
    name = column.name
    if options.time_column is not None and plain(name) == plain(options.time_column):
        return "time"
    if meters.is_left_out(name):
        return "ignored"
    role = role_of(name)
    if not name or meters.is_named(name):
        return None
    if role is None and says_money(name):
        return "ignored"
    if role in _TIME_ROLES and options.time_column is not None:
        return None
    return _BY_CONTENT.get((role, column.content), role)


def _role_of_first(column: ColumnForm, by_role: Mapping[Role, int]) -> Role | None:
    """Return the role of the first column if it has no name."""
    if column.content in _TIMES and not by_role.keys() & _TIME_ROLES:
        return "time"
    return "meter" if column.content == "text" and "meter" not in by_role else None
