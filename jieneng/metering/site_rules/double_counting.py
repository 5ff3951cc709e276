"""Find meters and areas that are probably counted twice. Pure: a site in, warnings out.

Laws:

1. A meter without a parent counts in full in the sums of its area. If another meter without a
   parent measures the same consumption, it is counted twice.
2. A virtual meter that counts as a main, or measures a sub-item, contains the consumption of the
   meters that its formula adds. If these count in the same sum, it is counted twice.
3. An area can't be smaller than the sum of its sub-areas.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.formulas.meter_formula import FormulaError
from jieneng.metering.site import Area, Meter, Site, value_in_force

_TOLERANCE: Final = 1.001  # floor areas are rounded to the square metre


def double_counting(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a warning for each probable case of double counting."""
    yield from _sub_items_beside_a_main(site, unread)
    yield from _mains_within_mains(site, unread)
    yield from _formulas_of_counted_meters(site, unread)
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


def _formulas_of_counted_meters(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    if unread.hides_ids("meter") or any("formula" in path for path in unread.paths):
        return
    tops = {meter.id for _, meter in _tops(site, unread)}
    for number, meter in enumerate(site.meter):
        is_main = meter.formula is not None and meter.parent is None and meter.counts is True
        for operand in _added_meters(site, meter):
            path = ("meter", number, "formula")
            if is_main and operand.id in tops:
                yield Problem(
                    text="meter {meter} counts, and so does {operand} in its formula, which has no"
                    " parent: their sum contains the same consumption twice.",
                    fix='Write parent = "{meter}" at {operand}.',
                    values={"meter": meter.id, "operand": operand.id},
                    path=path,
                )
            if meter.item is not None and meter.item == operand.item:
                yield Problem(
                    text="meter {meter} and {operand} in its formula measure the same sub-item"
                    " {item}: its sum contains the same consumption twice.",
                    fix="Remove item from one of them.",
                    values={"meter": meter.id, "operand": operand.id, "item": meter.item},
                    path=path,
                )


def _added_meters(site: Site, meter: Meter) -> list[Meter]:
    """Return the meters that a formula adds; empty if there is none, or it can't be read."""
    try:
        terms = meter.terms
    except FormulaError:
        return []
    return [
        site.meters[term.meter] for term in terms if term.factor > 0 and term.meter in site.meters
    ]


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
        keys = ("medium", "area", "parent", "item", "role", "counts", "removed", "formula")
        is_counted = (
            meter.role == "consumption"
            and meter.counts is None
            and not meter.removed
            and meter.formula is None
        )
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
