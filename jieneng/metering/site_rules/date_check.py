"""Check the dates of a site: of dated values, installations and replacements. Pure.

Law: two values never hold at once, and every date has a moment in UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Final

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import KeyPath, Problem, UnreadKeys
from jieneng.metering.site import DatedValue, Site

_YEARS: Final = range(1900, 2200)  # years that can be meant in the description of a meter


def date_problems(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each impossible year, and for dated values that are not in order."""
    dated: list[tuple[KeyPath, Sequence[DatedValue]]] = []
    for number, area in enumerate(site.area):
        dated.append((("area", number, "floor_area_m2"), area.floor_area_m2))
        dated.append((("area", number, "headcount"), area.headcount))
    for number, meter in enumerate(site.meter):
        dated.append((("meter", number, "ct"), meter.ct))
        dated.append((("meter", number, "pt"), meter.pt))
        if meter.installed is not None:
            yield from _impossible_years(("meter", number, "installed"), [meter.installed])
        if not unread.covers("meter", number, "replaced"):
            days = [row.at.date() for row in meter.replaced]
            yield from _impossible_years(("meter", number, "replaced"), days)
    for number, row in enumerate(site.confirmed):
        if not unread.covers("confirmed", number, "at"):
            yield from _impossible_years(("confirmed", number, "at"), [row.at])
        if row.until is not None and not unread.covers("confirmed", number, "until"):
            yield from _impossible_years(("confirmed", number, "until"), [row.until])
    for path, rows in dated:
        if not unread.covers(*path):
            yield from _impossible_years(path, [row.from_ for row in rows])
            yield from _unordered(path, rows)


def _impossible_years(path: KeyPath, days: Sequence[date]) -> Iterator[Problem]:
    """Yield a problem for each day at an end of the calendar, which has no moment in UTC."""
    for day in days:
        if day.year not in _YEARS:
            yield Problem(
                text="{key}: {day} is no day of {first} to {last}.",
                fix="Write the day from which it holds.",
                values={"key": path[-1], "day": day, "first": _YEARS[0], "last": _YEARS[-1]},
                path=path,
            )


def _unordered(path: KeyPath, rows: Sequence[DatedValue]) -> Iterator[Problem]:
    for earlier, later in pairwise(rows):
        if later.from_ <= earlier.from_:
            yield Problem(
                text="{key}: {later} does not come after {earlier}: two values would hold at once.",
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
                    text="the replacement of meter {meter} at {at} has no offset from UTC.",
                    fix="Write it with one, such as 2022-05-10T09:30:00+08:00.",
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
