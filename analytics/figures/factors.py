"""Convert consumption to coal equivalent and carbon: dated factors, each with its source.

Laws:

1. Published values are stored as published and never recomputed. Water is not energy: it has no
   factor.
2. At most one row is in force on a day. Two rows that overlap are refused.
3. A day after the last row takes that row, and the figure says that the factor is provisional. A
   day before the first row takes the first, and the figure says that the factor is a proxy.
4. A site uses the rows of the narrowest region that it lies in, by its division code.
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

FactorKind = Literal["coal", "carbon"]

_PRODUCT_UNIT: Final = {"coal": "kgce", "carbon": "kgCO2"}


class Factor(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[factor]]` of `factors.toml`.

    Attributes:
        kind: coal equivalent or carbon.
        medium: energy carrier to whose consumption the factor is applied.
        convention: convention of electricity's coal equivalent; omitted for all other factors.
        region: first digits of the division codes (行政区划) for which the row holds; empty for the
            whole country.
        value: coal equivalent or carbon of one unit of consumption, in `unit`.
        unit: kgce or kgCO2 per kWh, m3 or GJ, as `kind` and `medium` require.
        from_: first local day in force; omitted if there is no earlier limit.
        to: last local day in force; omitted if there is no later limit.
        in_use: false for an alternative value, which a site can switch to.
        source: document, table and page of the value.
        confidence: `verified` if the official text was seen, `transcribed` if a third party's copy
            was, `recalled` if neither was.
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
    value: Annotated[float, Meta(gt=0)]
    unit: str
    from_: date | None = None
    to: date | None = None
    in_use: bool = True
    source: Annotated[str, Meta(min_length=8, examples=["GB/T 2589-2020, annex A"])]
    confidence: Literal["verified", "transcribed", "recalled"]

    @property
    def first_ordinal(self) -> int:
        """Proleptic Gregorian ordinal of the first day in force."""
        return (self.from_ or date.min).toordinal()

    @property
    def last_ordinal(self) -> int:
        """Proleptic Gregorian ordinal of the last day in force."""
        return (self.to or date.max).toordinal()

    @property
    def series_key(self) -> tuple[object, ...]:
        """Key of a dated series: rows of one key follow each other in time."""
        return self.kind, self.medium, self.convention, self.region


class FactorsFile(msgspec.Struct, frozen=True):
    """The form of `factors.toml`."""

    factor: tuple[Factor, ...] = ()


class DailyFactor(msgspec.Struct, frozen=True):
    """A factor by day.

    Attributes:
        values: shape (days,), kgce or kgCO2 per unit of consumption.
        findings: one for each row that stands in for a missing one.
    """

    values: "NDArray[np.float64]"
    findings: tuple[Finding, ...] = ()


def check_factors(rows: Sequence[Factor]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in factor rows."""
    for number, row in enumerate(rows):
        unit = f"{_PRODUCT_UNIT[row.kind]}/{QUANTITIES[CONSUMPTION[row.medium]].unit}"
        if row.unit != unit:
            yield (
                number,
                Problem(
                    text="factor {id} is in {unit}; it must be in {expected}.",
                    fix="Convert the value, and write that unit.",
                    values={"id": row.id, "unit": row.unit, "expected": unit},
                    path=("unit",),
                ),
            )
        if row.last_ordinal < row.first_ordinal:
            yield (
                number,
                Problem(
                    text="factor {id} ends before it begins.",
                    fix="Correct from or to.",
                    values={"id": row.id},
                    path=("to",),
                ),
            )
        for other in rows[:number]:
            if _overlap(row, other):
                yield (
                    number,
                    Problem(
                        text="factors {id} and {other} are in force on the same days.",
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


def daily_factor(
    rows: Sequence[Factor],
    kind: FactorKind,
    medium: Carrier,
    *,
    convention: Convention,
    division: str,
    days: Sequence[date],
) -> DailyFactor | None:
    """Return the factor of an energy carrier on each day.

    Args:
        rows: all factor rows.
        kind: coal equivalent or carbon.
        medium: energy carrier.
        convention: convention of electricity's coal equivalent.
        division: division code of the site, which selects the region.
        days: local days, ascending.

    Returns:
        None if no row matches.
    """
    matching = [
        row
        for row in rows
        if row.in_use
        and (row.kind, row.medium) == (kind, medium)
        and row.convention in (None, convention)
        and division.startswith(row.region)
    ]
    if not matching:
        return None
    narrowest = max(len(row.region) for row in matching)
    matching = sorted(
        (row for row in matching if len(row.region) == narrowest),
        key=lambda row: row.first_ordinal,
    )
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    starts = [row.first_ordinal for row in matching]
    in_force = np.searchsorted(starts, ordinals, side="right") - 1
    chosen = np.maximum(in_force, 0)
    is_expired = ordinals > np.array([row.last_ordinal for row in matching])[chosen]
    findings = [
        _substitute_finding(code, matching[index], ordinals[is_substitute & (chosen == index)])
        for code, is_substitute in (
            ("proxy_factor", in_force < 0),
            ("provisional_factor", is_expired),
        )
        for index in np.unique(chosen[is_substitute]).tolist()
    ]
    return DailyFactor(np.array([row.value for row in matching])[chosen], tuple(findings))


def _substitute_finding(code: str, row: Factor, ordinals: "NDArray[np.int64]") -> Finding:
    """Return the finding that a row stands in for a missing one on some days."""
    first, last = (date.fromordinal(int(end)) for end in (ordinals[0], ordinals[-1]))
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
