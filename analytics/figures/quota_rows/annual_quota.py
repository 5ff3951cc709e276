"""Define the rows `[[annual_quota]]` of `quotas.toml`: the amount that a scope may use in a year.

A cap of `plan.toml` that applies to the site, an area or an institution is an annual quota, too.

Pure: no clock, no file.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from analytics.figures.quota_rows.own_factor_check import own_factor_problems
from analytics.figures.quota_rows.quota import intensity_unit
from analytics.figures.targets import Cap, Confidence, Operator, Plan
from jieneng.metering.errors import Problem
from jieneng.metering.indicators import INDICATORS, Denominator, Indicator
from jieneng.metering.quantities import Carrier

_Positive = Annotated[float, Meta(gt=0)]
_NotNegative = Annotated[float, Meta(ge=0)]

MONTHS: Final = 12
#: Largest difference between 100 % and the sum of the shares that a person wrote [%].
_SHARES_TOLERANCE: Final = 0.05
#: Rule by which an annual quota is divided among the months.
ByMonth = Literal["base_year", "last_year", "equal", "stated"]
#: Indicators that an annual quota may limit: those that are sums over the year.
TOTALS: Final = tuple(
    row.id for row in INDICATORS.values() if row.sum_of is not None and row.denominator is None
)


class AnnualQuota(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[annual_quota]]` of `quotas.toml`.

    Attributes:
        name: name for people; if it is empty, the name of the indicator is shown.
        scope: id of the area, the institution or the site.
        indicator: the total that is limited, such as `electricity`, `water` or `energy_total`.
        value: the limit of a year, in `unit`.
        unit: the indicator's unit, such as `kWh`, `m3` or `tce`; with `per`, the unit of an
            intensity, such as `kWh/m2` or `kgce/person`.
        per: mean of the year by which `value` is multiplied; omitted if `value` is the amount.
        operator: comparison of the year's amount with the limit: `<=` or `<`.
        by_month: shares of the months: those of the plan's base year, those of last year, the same
            for each month, or those of `shares`.
        shares: shares of January to December [%], for `by_month = "stated"`.
        coal: the quota's own coal equivalents [kgce per kWh, m3 or GJ]; a carrier that is omitted
            has the coal equivalent of `factors.toml`.
        carbon: the quota's own carbon factors [kgCO2 per kWh, m3 or GJ]; a carrier that is omitted
            has the base year's factor of `factors.toml`.
        from_: first year in which the quota is in force.
        to: last year; omitted if there is no end.
        source: document that assigned the quota.
        confidence: `published` if the value is from the document's own text, `reported` if it is
            from reports about it.
    """

    id: Annotated[str, Meta(min_length=1)]
    name: str = ""
    scope: str
    indicator: str
    value: _Positive
    unit: str
    per: Denominator | None = None
    operator: Operator = "<="
    by_month: ByMonth = "base_year"
    shares: tuple[_NotNegative, ...] = ()
    coal: Mapping[Carrier, _Positive] = {}
    carbon: Mapping[Carrier, _Positive] = {}
    from_: int
    to: int | None = None
    source: str
    confidence: Confidence = "published"

    def covers(self, year: int) -> bool:
        """Return True if the quota is in force in a year."""
        return self.from_ <= year and (self.to is None or year <= self.to)


def all_annual_quotas(
    rows: Sequence[AnnualQuota], caps: Sequence[Cap], plans: Sequence[Plan], site_id: str
) -> list[AnnualQuota]:
    """Return the annual quotas of all years: the rows, and the caps as annual quotas.

    A cap of the whole division limits no scope of the site, and is left out.
    """
    of_caps = [
        _of_cap(cap, plan, site_id)
        for cap in caps
        for plan in plans
        if cap.plan == plan.id and cap.scope != "division" and cap.indicator in TOTALS
    ]
    return [*rows, *of_caps]


def _of_cap(cap: Cap, plan: Plan, site_id: str) -> AnnualQuota:
    return AnnualQuota(
        id=cap.id,
        scope=site_id if cap.scope == "site" else cap.scope,
        indicator=cap.indicator,
        value=cap.value,
        unit=cap.unit,
        operator=cap.operator,
        from_=plan.from_,
        to=plan.to,
        source=f"{plan.source}: {cap.clause}",
        confidence=plan.confidence,
    )


def check_annual_quotas(rows: Sequence[AnnualQuota]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in rows of annual quotas."""
    for number, row in enumerate(rows):
        if row.indicator not in TOTALS:
            yield (
                number,
                Problem(
                    text="annual quota {id}: {indicator} is no total of a year.",
                    fix="Use one of: {known}. A limit per m2 or person is a total with per = ...",
                    values={
                        "id": row.id,
                        "indicator": row.indicator,
                        "known": ", ".join(TOTALS),
                    },
                    path=("indicator",),
                ),
            )
            continue
        expected = _expected_unit(INDICATORS[row.indicator], row.per)
        if row.unit != expected:
            yield (
                number,
                Problem(
                    text="annual quota {id} is in {unit}, but its indicator and per give"
                    " {expected}.",
                    fix="Convert the value, and write that unit.",
                    values={"id": row.id, "unit": row.unit, "expected": expected},
                    path=("unit",),
                ),
            )
        if row.operator not in ("<=", "<"):
            yield (
                number,
                Problem(
                    text="annual quota {id}: {operator} is no comparison with a limit.",
                    fix="Write <= or <.",
                    values={"id": row.id, "operator": row.operator},
                    path=("operator",),
                ),
            )
        for problem in (
            *_check_shares(row),
            *own_factor_problems(row.id, row.coal, row.carbon),
        ):
            yield number, problem
        for other in rows[:number]:
            if (row.scope, row.indicator) == (other.scope, other.indicator) and _overlap(
                row, other
            ):
                yield (
                    number,
                    Problem(
                        text="annual quotas {id} and {other} limit the same amount in the same"
                        " year.",
                        fix="Let one end before the other begins (from, to).",
                        values={"id": row.id, "other": other.id},
                        path=("from",),
                    ),
                )


def _expected_unit(indicator: Indicator, per: Denominator | None) -> str:
    if per is None or indicator.sum_of is None:
        return indicator.unit
    return intensity_unit(indicator.sum_of, per)


def _check_shares(row: AnnualQuota) -> Iterator[Problem]:
    """Yield the problem of the shares of the months, if there is one."""
    is_complete = len(row.shares) == MONTHS and abs(sum(row.shares) - 100) <= _SHARES_TOLERANCE
    if row.by_month == "stated" and not is_complete:
        yield Problem(
            text="annual quota {id}: its shares are not twelve percentages with the sum 100.",
            fix="Write the shares of January to December, such as shares = [9.0, 8.0, ...].",
            values={"id": row.id},
            path=("shares",) if row.shares else ("by_month",),
        )
    if row.by_month != "stated" and row.shares:
        yield Problem(
            text='annual quota {id} has shares, but by_month is "{by_month}".',
            fix='Write by_month = "stated", or remove the shares.',
            values={"id": row.id, "by_month": row.by_month},
            path=("shares",),
        )


def _overlap(one: AnnualQuota, other: AnnualQuota) -> bool:
    return (one.to is None or other.from_ <= one.to) and (other.to is None or one.from_ <= other.to)
