"""Compare figures with the plan's targets and caps, and with the glide path towards them.

Laws:

1. Targets are data: period, base year, operator, value, class, clause. A new plan needs only new
   rows.
2. If the coverage of the value or of its baseline is below the floor, the verdict is
   `insufficient_data`.
3. Only when the last year of the plan is over is a target `met` or `missed`. The operator applies
   exactly: a decrease of 7 % does not meet `>` 7 %. Earlier periods are compared with the glide
   path: `on_track` or `at_risk`.
4. A cap is a limit for a whole year. A part of a year has a part of the cap: the share that the
   same days had in the consumption of the base year. If this share is unknown, it is the share of
   days.
5. A verdict is `doubtful` in three cases. First, if the verdict on the smallest or the largest
   possible value is another one. Second, if too much of the value or of its baseline contradicts
   the past of its meters: more than a share of 1 minus the coverage floor. Third, if a register is
   reset repeatedly.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from analytics.figures.figure import Status
from jieneng.metering.errors import Problem

Operator = Literal[">", ">=", "<", "<="]
TargetClass = Literal["binding", "expected"]
Year = Annotated[int, Meta(ge=1990, le=2100)]
#: Source of a plan's targets: its published text, or reports about it.
Confidence = Literal["published", "reported"]

_COMPARE: Final[Mapping[Operator, Callable[[float, float], bool]]] = MappingProxyType(
    {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
)
#: Decimals to which percentages are rounded before a comparison. From 100 to 93 is a decrease of
#: exactly 7 %, but computed with floats it is 6.999999999999995.
_DECIMALS: Final = 9


class Plan(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[plan]]` of `plan.toml`.

    Attributes:
        name: name for people.
        base: base year with which the plan's years are compared.
        from_: first year of the plan.
        to: last year of the plan, in which its targets must be met.
        path: form of the glide path: a decrease by equal percentages each year, or by equal
            amounts.
        export_deducted: true if exported energy is deducted from the consumption.
        export_carbon_deducted: true if carbon is also deducted for exported electricity.
        confidence: `published` if the targets are from the plan's own text, `reported` if they are
            from reports about it.
        source: document and table of the targets.
    """

    id: str
    name: str = ""
    base: Year
    from_: int
    to: int
    path: Literal["geometric", "linear"] = "geometric"
    export_deducted: bool = True
    export_carbon_deducted: bool = False
    confidence: Confidence = "published"
    source: str

    def covers(self, year: int) -> bool:
        """Return True if the plan includes a year."""
        return self.from_ <= year <= self.to


class Target(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """A row `[[target]]` of `plan.toml`: required decrease of an intensity, such as kgce/m2.

    Attributes:
        plan: id of the plan.
        indicator: id of the indicator.
        operator: comparison of the decrease with `decrease_pct`.
        decrease_pct: decrease from the base year to the plan's last year [%].
        class_: `binding` (约束性) or `expected` (预期性).
        clause: place in the plan's text.
    """

    id: str
    plan: str
    indicator: str
    operator: Operator
    decrease_pct: Annotated[float, Meta(gt=0, lt=100)]
    class_: TargetClass
    clause: str


class Cap(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """A row `[[cap]]` of `plan.toml`: the limit of a yearly total.

    Attributes:
        plan: id of the plan.
        indicator: id of the indicator.
        scope: `division` if the cap is for the whole city, and does not apply to one site; `site`;
            or the id of an area or institution.
        operator: comparison of the total with `value`.
        value: the limit, in `unit`.
        unit: the indicator's unit.
        class_: `binding` (约束性) or `expected` (预期性).
        clause: place in the plan's text.
    """

    id: str
    plan: str
    indicator: str
    scope: str
    operator: Operator
    value: Annotated[float, Meta(gt=0)]
    unit: str
    class_: TargetClass
    clause: str


class Baseline(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[baseline]]` of `plan.toml`: years to compare figures with, without a verdict.

    Attributes:
        name: name for people.
        from_: first year.
        to: last year; None for the first year alone.
        reason: reason for comparing with these years.
    """

    id: Annotated[str, Meta(min_length=1, examples=["2019"])]
    name: str = ""
    from_: Year
    to: Year | None = None
    reason: Annotated[str, Meta(min_length=1)]

    @property
    def years(self) -> range:
        """The calendar years."""
        return range(self.from_, (self.to or self.from_) + 1)


class PlanFile(msgspec.Struct, frozen=True):
    """The content of `plan.toml`."""

    plan: tuple[Plan, ...] = ()
    target: tuple[Target, ...] = ()
    cap: tuple[Cap, ...] = ()
    baseline: tuple[Baseline, ...] = ()


def check_plans(rows: Sequence[Plan]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in plan rows."""
    for number, row in enumerate(rows):
        if not row.base < row.from_ <= row.to:
            yield (
                number,
                Problem(
                    text="plan {id}: base, from and to are not in chronological order.",
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
                        text="plans {id} and {other} cover the same years.",
                        fix="Let one plan end before the other begins. If this plan is to"
                        " replace {other}, give it the id {other}.",
                        values={"id": row.id, "other": other.id},
                        path=("from",),
                    ),
                )


def check_references(
    rows: Sequence[Target | Cap], plans: Sequence[Plan], units: Mapping[str, str]
) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each unknown reference and each wrong unit of a cap.

    `units` are the units of all indicators by id.
    """
    known = {plan.id for plan in plans}
    for number, row in enumerate(rows):
        if row.plan not in known:
            yield number, _unknown_reference("plan", row.plan, sorted(known))
        if row.indicator not in units:
            yield number, _unknown_reference("indicator", row.indicator, list(units))
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


def _unknown_reference(key: str, target: str, known: Sequence[str]) -> Problem:
    return Problem(
        text="{key} = {target}, but {target} is not defined.",
        fix="Use one of: {known}.",
        values={"key": key, "target": target, "known": ", ".join(known)},
        path=(key,),
    )


def check_baselines(rows: Sequence[Baseline]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each baseline that ends before it begins."""
    for number, row in enumerate(rows):
        if not row.years:
            yield (
                number,
                Problem(
                    text="baseline {id} ends before it begins.",
                    fix="Write years with from <= to, or leave to out for a single year.",
                    values={"id": row.id},
                    path=("to",),
                ),
            )


def glide_path_share(plan: Plan, decrease_pct: float, year: int) -> float:
    """Return the share of the base value that the glide path allows in a year.

    With the base year 2020, the last year 2025 and a decrease of 7 %, it is 0.9856 in 2021 and 0.93
    in 2025.
    """
    elapsed = (year - plan.base) / (plan.to - plan.base)
    if plan.path == "geometric":
        return float((1 - decrease_pct / 100) ** elapsed)
    return 1 - decrease_pct / 100 * elapsed


class Range(msgspec.Struct, frozen=True):
    """A value, with its smallest and its largest possible value; NaN if no limit is known.

    Attributes:
        value: the value.
        least: smallest possible value.
        greatest: largest possible value.
    """

    value: float
    least: float
    greatest: float

    @classmethod
    def around(cls, value: float, doubt: float) -> "Range":
        """Return the range from `value - doubt` to `value + doubt`."""
        return cls(value, value - doubt, value + doubt)

    @classmethod
    def exact(cls, value: float) -> "Range":
        """Return the range of a value without doubt."""
        return cls(value, value, value)

    def widened(self, missing: float) -> "Range":
        """Return the range extended by a missing amount: upwards if positive, else downwards."""
        return Range(self.value, self.least + min(missing, 0.0), self.greatest + max(missing, 0.0))

    def per(self, base: "Range") -> "Range":
        """Return the range of the quotient of two ranges. The value of `base` must be above 0.

        If `base` may be 0, the limits of the quotient are NaN.
        """
        if not base.least > 0:
            return Range(self.value / base.value, math.nan, math.nan)
        return Range(
            self.value / base.value, self.least / base.greatest, self.greatest / base.least
        )

    def times(self, factor: float) -> "Range":
        """Return the range multiplied by a factor above 0."""
        return Range(self.value * factor, self.least * factor, self.greatest * factor)


def certain_verdict(
    status: Callable[..., Status], values: Sequence[float], *extremes: Sequence[float]
) -> Status:
    """Return the verdict on values; `doubtful` if the verdict on extreme values differs (law 5).

    Args:
        status: function that returns the verdict on values.
        values: the values.
        extremes: the smallest and the largest possible values; NaN if no limit is known.
    """
    found = status(*values)
    is_certain = all(
        all(map(math.isfinite, extreme)) and status(*extreme) == found for extreme in extremes
    )
    return found if is_certain else "doubtful"


def decrease_status(
    plan: Plan, target: Target, year: int, change_pct: float, *, is_final: bool
) -> Status:
    """Return the verdict on an intensity with enough data.

    Args:
        plan: the plan.
        target: the target of the intensity.
        year: a year of the plan.
        change_pct: change against the baseline [%]; negative for a decrease.
        is_final: True for the plan's complete last year.
    """
    decrease = round(-change_pct, _DECIMALS)
    if is_final:
        return "met" if _COMPARE[target.operator](decrease, target.decrease_pct) else "missed"
    share = glide_path_share(plan, target.decrease_pct, year)
    return "on_track" if decrease >= round(100 * (1 - share), _DECIMALS) else "at_risk"


def limit_status(comparison: Operator, value: float, allowed: float, *, is_final: bool) -> Status:
    """Return the verdict on a total with enough data.

    Args:
        comparison: comparison of the total with its limit: `<=` or `<`.
        value: the total.
        allowed: the cap or annual quota, or its part for a part of a year.
        is_final: True if the verdict is `met` or `missed`.
    """
    is_kept = _COMPARE[comparison](round(value, _DECIMALS), round(allowed, _DECIMALS))
    if is_final:
        return "met" if is_kept else "missed"
    return "on_track" if is_kept else "at_risk"
