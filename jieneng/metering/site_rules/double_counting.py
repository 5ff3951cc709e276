"""Find meters and areas that are probably counted twice. Pure: a site in, warnings out.

Laws:

1. A meter without a parent counts in full in the sums of its area. If another meter without a
   parent measures the same consumption, it is counted twice.
2. An area can't be smaller than the sum of its sub-areas.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.site import Area, Meter, Site, value_in_force

_TOLERANCE: Final = 1.001  # floor areas are rounded to the square metre


def double_counting(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a warning for each probable case of double counting."""
    yield from _sub_items_beside_a_main(site, unread)
    yield from _mains_within_mains(site, unread)
    yield from _areas_smaller_than_their_parts(site, unread)


def _sub_items_beside_a_main(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    mains = [meter for _, meter in _tops(site, unread) if meter.item is None]
    for number, meter in _tops(site, unread):
        if meter.item is None:
            continue
        main = _main_around(meter, mains, [meter.last_area, *_areas_around(site, meter.last_area)])
        if main is not None:
            yield Problem(
                text="meter {meter} measures a sub-item and has no parent, and there is a"
                " main meter {main}: {meter} is regarded as a part of {main} and is not"
                " added.",
                fix='If {main} measures its consumption too, write parent = "{main}"; if not,'
                " write counts = true.",
                values={"meter": meter.id, "main": main.id},
                path=("meter", number),
            )


def _mains_within_mains(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    mains = [meter for _, meter in _tops(site, unread) if meter.item is None]
    for number, meter in _tops(site, unread):
        main = _main_around(meter, mains, _areas_around(site, meter.last_area))
        if main is not None and meter.item is None:
            yield Problem(
                text="meter {meter} in {area} and meter {main} in {around} have no parent,"
                " and {area} is part of {around}: their sum may contain the same"
                " consumption twice.",
                fix='If {main} measures its consumption too, write parent = "{main}".',
                values={
                    "meter": meter.id,
                    "area": meter.last_area,
                    "main": main.id,
                    "around": main.last_area,
                },
                path=("meter", number),
            )


def _areas_smaller_than_their_parts(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    if unread.covers("area"):
        return
    keys: tuple[Literal["floor_area_m2", "headcount"], ...] = ("floor_area_m2", "headcount")
    for number, area in enumerate(site.area):
        parts = [other for other in site.area if other.parent == area.id and other is not area]
        for key in keys:
            for day in _days(key, area, *parts):
                whole, together = _value(area, key, day), _sum(parts, key, day)
                if whole is not None and together > whole * _TOLERANCE:
                    yield Problem(
                        text="{key} of {area} is {whole:.10g} on {day}, but the sum of its"
                        " parts {parts} is {together:.10g}.",
                        fix="The value of an area includes those of the areas within it: correct "
                        "one of them.",
                        values={
                            "key": key,
                            "area": area.id,
                            "whole": whole,
                            "day": day,
                            "parts": ", ".join(part.id for part in parts),
                            "together": together,
                        },
                        path=("area", number, key),
                    )
                    break  # report each area only once


def _tops(site: Site, unread: UnreadKeys) -> Iterator[tuple[int, Meter]]:
    """Yield (row number, meter) of the meters without a parent."""
    if unread.covers("area") or unread.hides_ids("meter"):
        return
    for number, meter in enumerate(site.meter):
        keys = ("medium", "area", "parent", "item", "role", "counts", "removed")
        is_counted = meter.role == "consumption" and meter.counts is None and not meter.removed
        if meter.parent is None and is_counted and not unread.covers_row("meter", number, *keys):
            yield number, meter


def _areas_around(site: Site, area_id: str) -> list[str]:
    """Return the areas that contain an area, nearest first."""
    around: list[str] = []
    area = site.areas.get(area_id)
    while area is not None and area.parent is not None and area.parent not in around:
        around.append(area.parent)
        area = site.areas.get(area.parent)
    return around


def _main_around(meter: Meter, mains: list[Meter], areas: list[str]) -> Meter | None:
    """Return the main of the meter's medium in the first of the areas that has one."""
    return next(
        (
            main
            for area in areas
            for main in mains
            if main.last_area == area and main.medium == meter.medium and main.id != meter.id
        ),
        None,
    )


def _days(key: str, *areas: Area) -> list[date]:
    """Return the days on which the value of any of the areas changes."""
    return sorted({row.from_ for area in areas for row in getattr(area, key)})


def _value(area: Area, key: str, day: date) -> float | None:
    return value_in_force(getattr(area, key), day)


def _sum(areas: list[Area], key: str, day: date) -> float:
    return sum(_value(area, key, day) or 0.0 for area in areas)
