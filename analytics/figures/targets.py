"""The plan's targets, the glide path to them, and the verdict.

Laws:

1. Targets are data: period, base year, operator, value, class, clause. A following plan is another
   block of rows.
2. A verdict needs data: below the coverage floor, of the value or of its baseline, it is
   `insufficient_data`.
3. Only the complete end year is `met` or `missed`, by the operator as it stands (`>` 7 % is not
   met by 7 %). Everything before is compared with the glide path: `on_track` or `at_risk`.
4. A cap is of a whole year. A part of a year may use the part of the cap that these days used of
   the base year, where that is known, and else their share of the year's days.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from analytics.figures.figure import Status
from jieneng.metering.errors import Problem

Operator = Literal[">", ">=", "<", "<="]
Class = Literal["binding", "expected"]

_COMPARE: Final[Mapping[Operator, Callable[[float, float], bool]]] = MappingProxyType(
    {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
)
#: Percentages and shares are compared to so many decimals: 93 of 100 is a decrease of 7 % exactly,
#: whatever binary fractions make of it.
_DECIMALS: Final = 9


class Plan(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A `[[plan]]`: calendar years `from_` to `to`, compared with `base`."""

    id: str
    name: str = ""
    base: Annotated[int, Meta(ge=1990, le=2100)]
    from_: int
    to: int
    path: Literal["geometric", "linear"] = "geometric"
    source: str

    def holds(self, year: int) -> bool:
        """Return True if the plan holds in a year."""
        return self.from_ <= year <= self.to


class Target(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """A `[[target]]`: an intensity falls by `decrease_pct` % from the base year to the end."""

    id: str
    plan: str
    indicator: str
    operator: Operator
    decrease_pct: Annotated[float, Meta(gt=0, lt=100)]
    class_: Class
    clause: str


class Cap(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """A `[[cap]]`: a total of the end year and of the years before.

    Attributes:
        scope: `division`: the whole city, of which a site is a small part; `site`; or an id.
    """

    id: str
    plan: str
    indicator: str
    scope: str
    operator: Operator
    value: Annotated[float, Meta(gt=0)]
    unit: str
    class_: Class
    clause: str


class PlanFile(msgspec.Struct, frozen=True):
    """`plan.toml`."""

    plan: tuple[Plan, ...] = ()
    target: tuple[Target, ...] = ()
    cap: tuple[Cap, ...] = ()


def check_plans(rows: Sequence[Plan]) -> Iterator[tuple[int, Problem]]:
    """Yield the problems of plans, each with its row's number."""
    for number, row in enumerate(rows):
        if not row.base < row.from_ <= row.to:
            yield (
                number,
                Problem(
                    text="plan {id}: base, from and to are not in the order of time.",
                    fix="Write years with base < from <= to.",
                    values={"id": row.id},
                    path=("from",),
                ),
            )
        for other in rows[:number]:
            if row.from_ <= other.to and other.from_ <= row.to:
                yield (
                    number,
                    Problem(
                        text="plans {id} and {other} hold in the same years.",
                        fix="Let one end before the other begins.",
                        values={"id": row.id, "other": other.id},
                        path=("from",),
                    ),
                )


def check_refers(
    rows: Sequence[Target | Cap], plans: Sequence[Plan], units: Mapping[str, str]
) -> Iterator[tuple[int, Problem]]:
    """Targets and caps that refer to nothing, or have another than their indicator's unit."""
    known = {plan.id for plan in plans}
    for number, row in enumerate(rows):
        if row.plan not in known:
            yield number, _refers("plan", row.plan, sorted(known))
        if row.indicator not in units:
            yield number, _refers("indicator", row.indicator, list(units))
        elif isinstance(row, Cap) and row.unit != units[row.indicator]:
            yield (
                number,
                Problem(
                    text="cap {id} is in {unit}, but {indicator} is in {expected}.",
                    fix="Convert the value, and write that unit.",
                    values={
                        "id": row.id,
                        "unit": row.unit,
                        "indicator": row.indicator,
                        "expected": units[row.indicator],
                    },
                    path=("unit",),
                ),
            )


def _refers(key: str, target: str, known: Sequence[str]) -> Problem:
    return Problem(
        text="{key} = {target} refers to nothing.",
        fix="Use one of: {known}.",
        values={"key": key, "target": target, "known": ", ".join(known)},
        path=(key,),
    )


def path_share(plan: Plan, decrease_pct: float, year: int) -> float:
    """The share of the base value that the glide path leaves in a year: 0.9856 in 2021 for 7 %."""
    elapsed = (year - plan.base) / (plan.to - plan.base)
    if plan.path == "geometric":
        return float((1 - decrease_pct / 100) ** elapsed)
    return 1 - decrease_pct / 100 * elapsed


def decrease_status(
    plan: Plan, target: Target, year: int, change_pct: float, *, final: bool
) -> Status:
    """The verdict on an intensity with enough data, in a year of the plan.

    `change_pct` is its value against its baseline [%], negative where it fell; `final` says
    whether it is of the complete end year.
    """
    decrease = round(-change_pct, _DECIMALS)
    if final:
        return "met" if _COMPARE[target.operator](decrease, target.decrease_pct) else "missed"
    share = path_share(plan, target.decrease_pct, year)
    return "on_track" if decrease >= round(100 * (1 - share), _DECIMALS) else "at_risk"


def cap_status(cap: Cap, value: float, allowed: float, *, final: bool) -> Status:
    """The verdict on a total with enough data.

    `allowed` is the cap, or its part for a part of a year; `final` as in `decrease_status`.
    """
    kept = _COMPARE[cap.operator](round(value, _DECIMALS), round(allowed, _DECIMALS))
    if final:
        return "met" if kept else "missed"
    return "on_track" if kept else "at_risk"
