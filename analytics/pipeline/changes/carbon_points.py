"""Convert the splits of carbon changes to points of the store. Pure.

Law: if a change is not split, its point has the reason and no effects. An unknown value has no
field.
"""

from collections.abc import Iterator, Sequence

from analytics.figures.decomposition.carbon_split import CarbonPart, CarbonSplit, Effects
from analytics.figures.decomposition.carbon_steps import carbon_steps
from jieneng.metering import schema
from jieneng.metering.schema import Point, Value


def carbon_points(site: str, splits: Sequence[CarbonSplit], time_ms: int) -> Iterator[Point]:
    """Yield the points of splits: sums, sources, and the steps of the sums.

    Args:
        site: id of the site.
        splits: the splits.
        time_ms: time of the points: start of the day for which they were computed [UTC, ms].
    """
    for split in splits:
        tags = {
            "site": site,
            "scope": split.scope,
            "indicator": split.indicator,
            "period": split.period,
        }
        yield from _change_points(split, tags, time_ms)
        yield from _step_points(split, tags, time_ms)


def _change_points(split: CarbonSplit, tags: dict[str, str], time_ms: int) -> Iterator[Point]:
    is_split = split.status == "split"
    sums: dict[str, Value | None] = {
        "base_period": split.base_period,
        "base": split.base,
        "value": split.value,
        "change": split.change if is_split else None,
        **_effects(split.effects),
        schema.COVERAGE: split.coverage,
        "status": split.status,
    }
    rows = [(schema.ALL_SOURCES, sums), *((_source(part), _of_part(part)) for part in split.parts)]
    for source, fields in rows:
        found = schema.point(schema.CARBON_CHANGE, {**tags, "source": source}, fields, time_ms)
        if found is not None:
            yield found


def _of_part(part: CarbonPart) -> dict[str, Value | None]:
    change = None if part.base is None or part.value is None else part.value - part.base
    return {"base": part.base, "value": part.value, "change": change, **_effects(part.effects)}


def _source(part: CarbonPart) -> str:
    """Return the value of the tag `source`: the medium, or the class of purchased electricity."""
    return part.medium if part.supply is None else part.supply


def _effects(effects: Effects) -> dict[str, Value | None]:
    return {
        "activity_effect": effects.activity,
        "supply_effect": effects.supply,
        "factor_effect": effects.factor,
        "area_effect": effects.area,
    }


def _step_points(split: CarbonSplit, tags: dict[str, str], time_ms: int) -> Iterator[Point]:
    """Yield the steps of a split, as the parts of stacked bars.

    A stacked bar can't begin below 0. If causes cancel each other so much that a level lies below
    0, there are no steps.
    """
    steps = carbon_steps(split)
    if min((step.end for step in steps), default=0.0) < 0:
        return
    for place, step in enumerate(steps, 1):
        effect = step.effect
        fields: dict[str, Value | None] = {
            "place": float(place),
            "total": step.end if effect is None else 0.0,
            "below": 0.0 if effect is None else min(step.start, step.end),
            "increase": max(effect or 0.0, 0.0),
            "decrease": max(-(effect or 0.0), 0.0),
        }
        found = schema.point(schema.CARBON_STEP, {**tags, "step": step.id}, fields, time_ms)
        if found is not None:
            yield found
