"""Check the dates of a site: of dated values, installations and replacements. Pure.

Law: at most one of several dated values is valid at a time, and every date is a moment in UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Final, TypeAlias

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import KeyPath, Problem, UnreadKeys
from jieneng.metering.site import DatedAccount, DatedArea, DatedSwitch, DatedValue, Site

_Dated: TypeAlias = DatedValue | DatedArea | DatedAccount | DatedSwitch
#: Keys with a day, and keys with dated values, by table.
_DAYS: Final = {
    "area": ("closed",),
    "meter": ("installed", "removed"),
    "confirmed": ("at", "until"),
}
_DATED: Final = {
    "area": ("floor_area_m2", "headcount", "counts"),
    "meter": ("ct", "pt", "area", "counts", "account"),
}
_YEARS: Final = range(1900, 2200)  # plausible years in `site.toml`


def date_problems(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each impossible year, and for dated values that are not in order."""
    for table, keys in _DAYS.items():
        for number, row in enumerate(getattr(site, table)):
            for key in keys:
                day = getattr(row, key)
                if day is not None and not unread.covers(table, number, key):
                    yield from _impossible_years((table, number, key), [day])
    for number, meter in enumerate(site.meter):
        if not unread.covers("meter", number, "replaced"):
            days = [row.at.date() for row in meter.replaced]
            yield from _impossible_years(("meter", number, "replaced"), days)
    for path, rows in _dated(site):
        if not unread.covers(*path):
            yield from _impossible_years(path, [row.from_ for row in rows])
            yield from _unordered(path, rows)


def _dated(site: Site) -> Iterator[tuple[KeyPath, Sequence[_Dated]]]:
    """Yield (path, rows) of each list of dated values."""
    for table, keys in _DATED.items():
        for number, row in enumerate(getattr(site, table)):
            for key in keys:
                rows = getattr(row, key)
                if isinstance(rows, tuple):  # a single value without dates is not a tuple
                    yield (table, number, key), rows


def _impossible_years(path: KeyPath, days: Sequence[date]) -> Iterator[Problem]:
    """Yield a problem for each day with an implausible year."""
    for day in days:
        if day.year not in _YEARS:
            yield Problem(
                text="{key}: {day} is not a day from {first} to {last}.",
                fix="Write the first day on which the value applies.",
                values={"key": path[-1], "day": day, "first": _YEARS[0], "last": _YEARS[-1]},
                path=path,
            )


def _unordered(path: KeyPath, rows: Sequence[_Dated]) -> Iterator[Problem]:
    for earlier, later in pairwise(rows):
        if later.from_ <= earlier.from_:
            yield Problem(
                text="{key}: {later} does not come after {earlier}, so two values would apply"
                " at the same time.",
                fix="Sort the rows by `from`, each date once.",
                values={"key": path[-1], "later": later.from_, "earlier": earlier.from_},
                path=path,
            )


def replacement_problems(
    site: Site, _: Mapping[str, Model], unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield a problem for each replacement without an offset from UTC, or out of order."""
    for number, meter in enumerate(site.meter):
        if unread.covers("meter", number, "replaced"):
            continue
        path = ("meter", number, "replaced")
        moments = [replacement.at for replacement in meter.replaced]
        for moment in moments:
            if moment.tzinfo is None:
                yield Problem(
                    text="the time {at} of the replacement of meter {meter} has no offset"
                    " from UTC.",
                    fix="Write the time with an offset, such as 2022-05-10T09:30:00+08:00.",
                    values={"meter": meter.id, "at": moment},
                    path=path,
                )
        for earlier, later in pairwise(moments):
            if earlier.tzinfo and later.tzinfo and earlier >= later:
                yield Problem(
                    text="the replacements of meter {meter} are not in the order of time.",
                    fix="Sort the rows by `at`, each moment once.",
                    values={"meter": meter.id},
                    path=path,
                )
