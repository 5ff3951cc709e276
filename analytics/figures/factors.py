"""Consumption -> coal equivalent and carbon: the factors, as dated rows with a source.

Laws:

1. Published values are stored and never recomputed. Water is not energy: it has no factor.
2. At most one row holds on a day; two that would both hold are refused.
3. A day without a row takes the latest earlier one, and the figure says that it is provisional;
   a day before the first row takes the first, and the figure says that it is a proxy.
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

Kind = Literal["coal", "carbon"]

_PRODUCT: Final = {"coal": "kgce", "carbon": "kgCO2"}


class Factor(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A `[[factor]]`.

    Attributes:
        kind: coal equivalent or carbon.
        convention: which of electricity's two coal equivalents; omitted for everything else.
        region: beginning of the division codes (行政区划) it holds for; empty: the country.
        value: in `unit`, which is kgce or kgCO2 per unit of consumption.
        from_: first local day on which it holds; omitted: always before.
        to: last local day; omitted: until further notice.
        in_use: false for a row that stands here to be known, and to be taken instead.
        confidence: `verified` an official text was seen; `transcribed` a third party's copy of
            one; `recalled` neither.
    """

    id: Annotated[str, Meta(min_length=1)]
    kind: Kind
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
    def first(self) -> int:
        """Ordinal of the first day on which it holds."""
        return (self.from_ or date.min).toordinal()

    @property
    def last(self) -> int:
        """Ordinal of the last day on which it holds."""
        return (self.to or date.max).toordinal()

    @property
    def same_use(self) -> tuple[object, ...]:
        """Rows with equal ones stand for each other on different days."""
        return self.kind, self.medium, self.convention, self.region


class FactorsFile(msgspec.Struct, frozen=True):
    """`factors.toml`."""

    factor: tuple[Factor, ...] = ()


class Applied(msgspec.Struct, frozen=True):
    """A factor by day.

    Attributes:
        values: shape (days,), kgce or kgCO2 per unit of consumption.
        findings: where a day has no row of its own.
    """

    values: "NDArray[np.float64]"
    findings: tuple[Finding, ...] = ()


def check(rows: Sequence[Factor]) -> Iterator[tuple[int, Problem]]:
    """Yield the problems of factor rows, each with its row's number."""
    for number, row in enumerate(rows):
        unit = f"{_PRODUCT[row.kind]}/{QUANTITIES[CONSUMPTION[row.medium]].unit}"
        if row.unit != unit:
            yield (
                number,
                Problem(
                    text="factor {id} is in {unit}, but is applied as {expected}.",
                    fix="Convert the value, and write that unit.",
                    values={"id": row.id, "unit": row.unit, "expected": unit},
                    path=("unit",),
                ),
            )
        if row.last < row.first:
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
            if _collide(row, other):
                yield (
                    number,
                    Problem(
                        text="factors {id} and {other} hold on the same days.",
                        fix="Let one end (to = ...) before the other begins, or write"
                        " in_use = false in one of them.",
                        values={"id": row.id, "other": other.id},
                        path=("from",),
                    ),
                )


def _collide(one: Factor, other: Factor) -> bool:
    both = one.in_use and other.in_use and one.same_use == other.same_use
    return both and one.first <= other.last and other.first <= one.last


def by_day(
    rows: Sequence[Factor],
    kind: Kind,
    medium: Carrier,
    *,
    convention: Convention,
    division: str,
    days: Sequence[date],
) -> Applied | None:
    """A medium's factor on each day at a place (a division code); None where there is no row."""
    fitting = [
        row
        for row in rows
        if row.in_use
        and (row.kind, row.medium) == (kind, medium)
        and row.convention in (None, convention)
        and division.startswith(row.region)
    ]
    if not fitting:
        return None
    narrowest = max(len(row.region) for row in fitting)
    fitting = sorted((row for row in fitting if len(row.region) == narrowest), key=_first)
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    which = np.searchsorted([row.first for row in fitting], ordinals, side="right") - 1
    chosen = np.maximum(which, 0)
    late = ordinals > np.array([row.last for row in fitting])[chosen]
    findings = [
        _finding(name, fitting[number], ordinals[stands_in & (chosen == number)])
        for name, stands_in in (("proxy_factor", which < 0), ("provisional_factor", late))
        for number in np.unique(chosen[stands_in]).tolist()
    ]
    return Applied(np.array([row.value for row in fitting])[chosen], tuple(findings))


def _first(row: Factor) -> int:
    return row.first


def _finding(code: str, row: Factor, ordinals: "NDArray[np.int64]") -> Finding:
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
