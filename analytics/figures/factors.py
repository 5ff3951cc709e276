"""Factors that convert consumption to coal equivalent or carbon, with their dates and sources.

Laws:

1. Factors are stored as published, and never recomputed. Water has no factor, because it is not an
   energy carrier.
2. On each day, at most one row is valid for the same kind, medium, convention, region and class of
   supply. Files with overlapping rows are refused. Rows with `in_use = false` are ignored.
3. If no row is valid on a day, the latest row that ended before it is used, and reported as
   provisional. Before all rows, the first row is used, and reported as a substitute.
4. A site uses the rows of the smallest region that contains its division code.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from analytics.figures.figure import Convention
from jieneng.metering.errors import Problem
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Carrier
from jieneng.metering.site import Supply

if TYPE_CHECKING:
    from numpy.typing import NDArray

FactorKind = Literal["coal", "carbon"]

_RESULT_UNIT: Final = {"coal": "kgce", "carbon": "kgCO2"}


class Factor(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[factor]]` of `factors.toml`.

    Attributes:
        kind: coal equivalent or carbon.
        medium: energy carrier to whose consumption the factor is applied.
        convention: convention of electricity's coal equivalent; omitted for all other factors.
        region: first digits of the division codes (行政区划) of the region; empty for the whole
            country.
        supply: class of purchased electricity to which a carbon factor applies. If omitted, the
            factor applies to all classes without a row of their own. Only for carbon of
            electricity.
        value: coal equivalent or carbon of one unit of consumption, in `unit`.
        unit: kgce or kgCO2 per kWh, m3 or GJ, as `kind` and `medium` require.
        from_: first valid local day; omitted if there is no lower limit.
        to: last valid local day; omitted if there is no upper limit.
        in_use: false for an alternative value, which a site may select.
        source: document, table and page of the value.
        confidence: `verified` if the value was read in the official text, `transcribed` if it was
            read in a third party's copy, `recalled` if neither text was seen.
    """

    id: Annotated[str, Meta(min_length=1)]
    kind: FactorKind
    medium: Carrier
    convention: Convention | None = None
    region: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{0,6}$",
            description="Write the first digits of an administrative division in quotes, at most "
            "six, for example: {example}",
            examples=["32"],
        ),
    ] = ""
    supply: Supply | None = None
    value: Annotated[float, Meta(ge=0)]
    unit: str
    from_: date | None = None
    to: date | None = None
    in_use: bool = True
    source: Annotated[str, Meta(min_length=8, examples=["GB/T 2589-2020, annex A"])]
    confidence: Literal["verified", "transcribed", "recalled"]

    @property
    def first_ordinal(self) -> int:
        """Proleptic Gregorian ordinal of the first valid day."""
        return (self.from_ or date.min).toordinal()

    @property
    def last_ordinal(self) -> int:
        """Proleptic Gregorian ordinal of the last valid day."""
        return (self.to or date.max).toordinal()

    @property
    def series_key(self) -> tuple[object, ...]:
        """Key of a series of rows; at most one row of a series may be valid on a day."""
        return self.kind, self.medium, self.convention, self.supply, self.region


class FactorsFile(msgspec.Struct, frozen=True):
    """The content of `factors.toml`."""

    factor: tuple[Factor, ...] = ()


class DailyFactor(msgspec.Struct, frozen=True):
    """The factor for each day of a period.

    Attributes:
        values: shape (days,), kgce or kgCO2 per unit of consumption.
        findings: one for each row that is used on days on which it is not valid.
    """

    values: "NDArray[np.float64]"
    findings: tuple[Finding, ...] = ()


def check_factors(rows: Sequence[Factor]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in factor rows."""
    for index, row in enumerate(rows):
        required_unit = f"{_RESULT_UNIT[row.kind]}/{QUANTITIES[CONSUMPTION[row.medium]].unit}"
        if row.unit != required_unit:
            yield (
                index,
                Problem(
                    text="factor {id} is in {unit}; it must be in {expected}.",
                    fix="Convert the value, and write that unit.",
                    values={"id": row.id, "unit": row.unit, "expected": required_unit},
                    path=("unit",),
                ),
            )
        if row.value == 0 and row.supply is None:
            yield (
                index,
                Problem(
                    text="factor {id} is 0, so the energy carrier would always count as 0.",
                    fix="Correct the value. Only the carbon factor of a class of supply may be 0.",
                    values={"id": row.id},
                    path=("value",),
                ),
            )
        needs_convention = (row.kind, row.medium) == ("coal", "electricity")
        if needs_convention and row.convention is None:
            yield (
                index,
                Problem(
                    text="factor {id} is a coal equivalent of electricity without a convention.",
                    fix='Write convention = "equivalent" (GB/T 2589, 当量值) or convention ='
                    ' "coal_consumption" (等价值).',
                    values={"id": row.id},
                    path=("convention",),
                ),
            )
        if row.convention is not None and not needs_convention:
            yield (
                index,
                Problem(
                    text="factor {id} has the key convention, which only coal equivalents of"
                    " electricity may have.",
                    fix="Remove convention.",
                    values={"id": row.id},
                    path=("convention",),
                ),
            )
        if row.supply is not None and (row.kind, row.medium) != ("carbon", "electricity"):
            yield (
                index,
                Problem(
                    text="factor {id} has the key supply, which only carbon factors of"
                    " electricity may have.",
                    fix="Remove supply.",
                    values={"id": row.id},
                    path=("supply",),
                ),
            )
        if row.last_ordinal < row.first_ordinal:
            yield (
                index,
                Problem(
                    text="factor {id} ends before it begins.",
                    fix="Correct from or to.",
                    values={"id": row.id},
                    path=("to",),
                ),
            )
        for other in rows[:index]:
            if _overlap(row, other):
                yield (
                    index,
                    Problem(
                        text="factors {id} and {other} are valid on the same days.",
                        fix="Let one end (to = ...) before the other begins, or write"
                        " in_use = false in one of them.",
                        values={"id": row.id, "other": other.id},
                        path=("from",),
                    ),
                )


def _overlap(one: Factor, other: Factor) -> bool:
    both_apply = one.in_use and other.in_use and one.series_key == other.series_key
    return (
        both_apply
        and one.first_ordinal <= other.last_ordinal
        and other.first_ordinal <= one.last_ordinal
    )


def factor_series(
    rows: Sequence[Factor],
    kind: FactorKind,
    medium: Carrier,
    *,
    convention: Convention,
    division: str,
    supply: Supply | None = None,
) -> tuple[Factor, ...]:
    """Return the rows of an energy carrier's factor, in order of time; empty if there are none.

    Args:
        rows: all factor rows.
        kind: coal equivalent or carbon.
        medium: energy carrier.
        convention: convention of electricity's coal equivalent.
        division: division code of the site, by which the region is selected.
        supply: class of purchased electricity. A class without rows of its own uses the rows
            without a class.
    """
    candidates = [
        row
        for row in rows
        if row.in_use
        and (row.kind, row.medium) == (kind, medium)
        and row.convention in (None, convention)
        and division.startswith(row.region)
    ]
    own = [row for row in candidates if supply is not None and row.supply == supply]
    candidates = own or [row for row in candidates if row.supply is None]
    narrowest = max((len(row.region) for row in candidates), default=0)
    in_region = (row for row in candidates if len(row.region) == narrowest)
    return tuple(sorted(in_region, key=lambda row: row.first_ordinal))


def daily_factor(series: Sequence[Factor], ordinals: "NDArray[np.int64]") -> DailyFactor:
    """Return the factor on each day.

    Args:
        series: result of `factor_series`; at least one row.
        ordinals: proleptic Gregorian ordinals of the local days, ascending.
    """
    starts = np.array([row.first_ordinal for row in series])
    lasts = np.array([row.last_ordinal for row in series])
    values = np.array([row.value for row in series])
    # For each day, the index of the latest row that has begun; -1 before the first row.
    latest_started = starts.searchsorted(ordinals, side="right") - 1
    chosen = np.maximum(latest_started, 0)
    findings = [
        _substitute_finding(code, series[index], ordinals[is_substitute & (chosen == index)])
        for code, is_substitute in (
            ("proxy_factor", latest_started < 0),
            ("provisional_factor", ordinals > lasts[chosen]),
        )
        if is_substitute.any()
        for index in np.unique(chosen[is_substitute]).tolist()
    ]
    return DailyFactor(values[chosen], tuple(findings))


def _substitute_finding(code: str, row: Factor, ordinals: "NDArray[np.int64]") -> Finding:
    """Return the finding that a row is used on these days although it is not valid."""
    first, last = (date.fromordinal(int(ordinal)) for ordinal in (ordinals[0], ordinals[-1]))
    return Finding.of(
        code,
        row.id,
        factor=row.kind,
        medium=row.medium,
        value=row.value,
        unit=row.unit,
        first=first,
        last=last,
    )
