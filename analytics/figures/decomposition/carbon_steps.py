"""Arrange the split of a carbon change as steps from the base year to this year. Pure.

A step begins at the level at which the one before it ends, so the steps can be drawn as a
waterfall: base year, effects of activity, supply, emission factors and floor area, this year. The
order of the effects is fixed, and does not change their size: an effect is a mean over all orders
(`product_effects`).
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from analytics.figures.decomposition.carbon_split import CarbonSplit

StepId = Literal["base", "activity", "supply", "factor", "area", "value"]


class CarbonStep(msgspec.Struct, frozen=True):
    """A step of the change, in the unit of the indicator.

    Attributes:
        id: `base` or `value` for the carbon of a year, or the cause of an effect.
        start: level at which the step begins; 0 for the carbon of a year.
        end: level at which the step ends.
    """

    id: StepId
    start: float
    end: float

    @property
    def is_total(self) -> bool:
        """True for the carbon of a year, False for an effect."""
        return self.id in ("base", "value")

    @property
    def effect(self) -> float | None:
        """The effect; None for the carbon of a year."""
        return None if self.is_total else self.end - self.start


def carbon_steps(split: CarbonSplit) -> tuple[CarbonStep, ...]:
    """Return the steps of a split; none if the change is not split."""
    return tuple(_steps(split)) if split.status == "split" else ()


def _steps(split: CarbonSplit) -> Iterator[CarbonStep]:
    # A split with the status `split` has a value in both years.
    level = split.base or 0.0
    yield CarbonStep("base", 0.0, level)
    causes: tuple[tuple[StepId, float | None], ...] = (
        ("activity", split.effects.activity),
        ("supply", split.effects.supply),
        ("factor", split.effects.factor),
        ("area", split.effects.area),
    )
    for cause, effect in causes:
        if effect is not None:
            yield CarbonStep(cause, level, level + effect)
            level += effect
    yield CarbonStep("value", 0.0, split.value or 0.0)
