"""Merge the floor areas and headcounts of `denominators.toml` into a site. Pure.

Laws:

1. The values of `site.toml` and `denominators.toml` are merged. If both files have different values
   for the same date, this is a problem: neither file takes precedence.
2. After the merge, the values of an area are in the order of time.
"""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.site import Area, DatedValue, Id, Site
from jieneng.metering.spelling import nearest

DenominatorKey = Literal["floor_area_m2", "headcount"]
KEYS: Final[tuple[DenominatorKey, ...]] = ("floor_area_m2", "headcount")


class AreaDenominators(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[area]]` of `denominators.toml`.

    Attributes:
        id: id of an area of `site.toml`.
    """

    id: Id
    floor_area_m2: tuple[DatedValue, ...] = ()
    headcount: tuple[DatedValue, ...] = ()


class Denominators(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `denominators.toml`."""

    area: tuple[AreaDenominators, ...] = ()


def merge(site: Site, denominators: Denominators) -> Site:
    """Return a site with further floor areas and headcounts."""
    rows = {row.id: row for row in denominators.area}
    if not rows:
        return site
    return replace(
        site,
        area=tuple(_merged(area, rows[area.id]) if area.id in rows else area for area in site.area),
    )


def denominator_problems(
    site: Site, denominators: Denominators, unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield the problems of `denominators.toml`, checked with the site; paths are in this file."""
    seen: set[str] = set()
    for number, row in enumerate(denominators.area):
        area = site.areas.get(row.id)
        if row.id in seen:
            yield Problem(
                text="the id {id} occurs more than once in the table {table}.",
                fix="Give each row a different id.",
                values={"id": row.id, "table": "area"},
                path=("area", number, "id"),
            )
        elif area is not None:
            yield from _value_problems(number, row, area)
        elif not unread.hides_ids("area"):
            close = nearest(row.id, site.areas)
            yield Problem(
                text="{id} is not an area of site.toml.",
                fix="Did you mean {close}?" if close else "Known are: {known}.",
                values={"id": row.id, "close": close, "known": ", ".join(site.areas)},
                path=("area", number, "id"),
            )
        seen.add(row.id)


def _merged(area: Area, row: AreaDenominators) -> Area:
    return replace(
        area,
        floor_area_m2=_sorted((*area.floor_area_m2, *row.floor_area_m2)),
        headcount=_sorted((*area.headcount, *row.headcount)),
    )


def _sorted(dated: tuple[DatedValue, ...]) -> tuple[DatedValue, ...]:
    by_day = {one.from_: one for one in dated}
    return tuple(by_day[day] for day in sorted(by_day))


def _value_problems(number: int, row: AreaDenominators, area: Area) -> Iterator[Problem]:
    for key in KEYS:
        known = {one.from_: one.value for one in getattr(area, key)}
        for place, one in enumerate(getattr(row, key)):
            path = ("area", number, key, place)
            if one.from_ in known and known[one.from_] != one.value:
                yield Problem(
                    text="{key} of {area} from {day} on is {value:g} in this row, but"
                    " {other:g} in another place.",
                    fix="Remove one of the two values.",
                    values={
                        "key": key,
                        "area": row.id,
                        "value": one.value,
                        "day": one.from_,
                        "other": known[one.from_],
                    },
                    path=path,
                )
            known[one.from_] = one.value
