"""Define the rows `[[quota]]` of `quotas.toml`: levels of yearly consumption per m2 or person.

Pure: no clock, no file.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, get_args

import msgspec
from msgspec import Meta

from analytics.figures.quota_rows.own_factor_check import own_factor_problems
from analytics.figures.targets import Confidence
from jieneng.metering.errors import Problem
from jieneng.metering.indicators import Denominator, SumOf
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Carrier
from jieneng.metering.site import AreaKind

_Positive = Annotated[float, Meta(gt=0)]

#: Unit of a sum, before "/m2" or "/person".
_SUM_UNITS: Final[Mapping[SumOf, str]] = {
    "coal_equivalent": "kgce",
    "carbon": "kgCO2",
    **{medium: QUANTITIES[CONSUMPTION[medium]].unit for medium in CONSUMPTION},
}
_PER_UNITS: Final[Mapping[Denominator, str]] = {"floor_area_m2": "m2", "headcount": "person"}


class Quota(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[quota]]` of `quotas.toml`.

    Attributes:
        name: name for people; if it is empty, the id is shown.
        of: sum over the year: `coal_equivalent` or `carbon` of all energy carriers, or consumption
            of a medium.
        per: mean over the year by which the sum is divided.
        kind: kinds of areas to which the quota applies.
        scope: ids of areas and institutions to which it applies, beside those of `kind`.
        constraint: constraint level (约束值), which must not be exceeded, in `unit`.
        benchmark: benchmark level (基准值); omitted if there is none.
        guide: guide level (引导值), which advanced buildings reach; omitted if there is none.
        unit: unit of the levels, such as `kgce/m2`; must be that of `of` and `per`.
        coal: the quota's own coal equivalents [kgce per kWh, m3 or GJ]; a carrier that is omitted
            has the coal equivalent of `factors.toml`.
        carbon: the quota's own carbon factors [kgCO2 per kWh, m3 or GJ]; a carrier that is omitted
            has the base year's factor of `factors.toml`.
        from_: first year in which the quota is in force.
        to: last year; omitted if there is no end.
        source: document and table of the levels.
        confidence: `published` if the levels are from the document's own text, `reported` if they
            are from reports about it.
    """

    id: Annotated[str, Meta(min_length=1)]
    name: str = ""
    of: SumOf
    per: Denominator
    kind: tuple[AreaKind, ...] = ()
    scope: tuple[str, ...] = ()
    constraint: _Positive
    benchmark: _Positive | None = None
    guide: _Positive | None = None
    unit: str
    coal: Mapping[Carrier, _Positive] = {}
    carbon: Mapping[Carrier, _Positive] = {}
    from_: int
    to: int | None = None
    source: str
    confidence: Confidence = "published"

    def covers(self, year: int) -> bool:
        """Return True if the quota is in force in a year."""
        return self.from_ <= year and (self.to is None or year <= self.to)


def intensity_unit(sum_of: SumOf, per: Denominator) -> str:
    """Return the unit of a sum that is divided by a denominator, such as `kgce/m2`."""
    return f"{_SUM_UNITS[sum_of]}/{_PER_UNITS[per]}"


def check_quotas(rows: Sequence[Quota]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in quota rows."""
    for number, row in enumerate(rows):
        expected = intensity_unit(row.of, row.per)
        if row.unit != expected:
            yield (
                number,
                Problem(
                    text="quota {id} is in {unit}, but its sum and denominator give {expected}.",
                    fix="Convert the levels, and write that unit.",
                    values={"id": row.id, "unit": row.unit, "expected": expected},
                    path=("unit",),
                ),
            )
        levels = [one for one in (row.constraint, row.benchmark, row.guide) if one is not None]
        if levels != sorted(levels, reverse=True):
            yield (
                number,
                Problem(
                    text="quota {id}: its levels are not in descending order.",
                    fix="Write constraint >= benchmark >= guide.",
                    values={"id": row.id},
                    path=("constraint",),
                ),
            )
        for problem in own_factor_problems(row.id, row.coal, row.carbon):
            yield number, problem
        if not row.kind and not row.scope:
            yield (
                number,
                Problem(
                    text="quota {id} applies to nothing.",
                    fix="Write kind = [...] with kinds of areas ({kinds}), or scope = [...] with"
                    " ids.",
                    values={"id": row.id, "kinds": ", ".join(get_args(AreaKind))},
                    path=("id",),
                ),
            )
