"""Check a meter model of any protocol. Pure: a model in, problems out.

Each point is checked by the general rules, and by the rules of its protocol (`model_forms`). Only
the first problem of a point is reported, because further ones are mostly consequences of it.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from jieneng.metering.catalog import value_check
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.model_forms import model_form
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION

#: Largest number of different values of `every` in a model. Each value may double the number of
#: read plans.
MAX_CADENCES: Final = 5


def check(model: Model) -> list[Problem]:
    """Return all problems of a model, each with its path in the file."""
    problems = []
    seen: set[str] = set()
    form = model_form(model)
    for number, point in enumerate(model.point):
        path = ("point", number)
        found = chain(
            value_check.quantity_problems(point, model.model, path),
            form.point_problems(point, model, path),
            value_check.scale_problems(point.scale, path),
            value_check.unit_problems(point, path),
        )
        if problem := next(found, None):
            problems.append(problem)
        if point.quantity in seen:
            problems.append(
                Problem(
                    text="quantity {quantity} occurs twice.",
                    fix="Keep the point that the manual calls the billing value, and remove the"
                    " other.",
                    values={"quantity": point.quantity},
                    path=(*path, "quantity"),
                )
            )
        seen.add(point.quantity)
    return [*problems, *form.model_problems(model), *_counter_problems(model)]


def _counter_problems(model: Model) -> Iterator[Problem]:
    """Yield the problems of the consumption counter, and of the keys `every`."""
    counter = CONSUMPTION[model.model.medium]
    found = next((n for n, row in enumerate(model.point) if row.quantity == counter), None)
    if found is None:
        yield Problem(
            text="model {model} has no point for {quantity}, so it can't measure consumption.",
            fix="Add a [[point]] with this quantity.",
            values={"model": model.id, "quantity": counter},
            path=("model", "medium"),
        )
    elif model.point[found].every > 1:
        yield Problem(
            text="{quantity} is the consumption and must be in every poll.",
            fix="Remove every here; the meter's interval_s says how often it is polled.",
            values={"quantity": counter},
            path=("point", found, "every"),
        )
    if len({1, *(row.every for row in model.point)}) > MAX_CADENCES:
        yield Problem(
            text="the points have more than {most} different values of the key every.",
            fix="Give the same value to points that may be read together.",
            values={"most": MAX_CADENCES},
            path=("model",),
        )
