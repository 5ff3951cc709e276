"""The rules as one object: factors, plans, targets, caps, and the settings that choose among them.

Law: a site's row goes before the packaged row of the same id, whole; every other packaged row
holds. What is wrong with rows is reported with the file and the line in which the row stands.

Pure: documents in, rules out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from analytics.figures import factors, targets
from analytics.figures.factors import Factor, FactorsFile
from analytics.figures.figure import Convention
from analytics.figures.targets import Cap, Plan, PlanFile, Target
from analytics.periods import Period, of_year
from jieneng.config_file import Document, decode
from jieneng.metering import indicators
from jieneng.metering.errors import ConfigError, Problem

_File = TypeVar("_File", bound=msgspec.Struct)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Factors, plans, targets and caps by which figures are computed and judged.

    Attributes:
        convention: of electricity's coal equivalent.
        coverage_floor: least coverage for a verdict, 0 to 1.
    """

    factors: tuple[Factor, ...]
    plans: tuple[Plan, ...]
    targets: tuple[Target, ...]
    caps: tuple[Cap, ...]
    convention: Convention = "equivalent"
    coverage_floor: float = 0.95

    def plan_of(self, year: int) -> Plan | None:
        """The plan of a year: the one it lies in, else the latest that began before it."""
        begun = [plan for plan in self.plans if plan.from_ <= year]
        return max(begun, key=lambda plan: plan.from_, default=None)

    def base_year(self, period: Period) -> Period | None:
        """The whole year with which a period is compared; None before any plan."""
        plan = self.plan_of(period.year)
        return None if plan is None else of_year(plan.base)

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the plans and of the factors in use, a sentence each."""
        plans = [f"{plan.name or plan.id}: {plan.source}" for plan in self.plans]
        used = [
            row for row in self.factors if row.in_use and row.convention in (None, self.convention)
        ]
        return (*plans, *(f"{row.id} = {row.value} {row.unit}: {row.source}" for row in used))


def _decoded(
    documents: Sequence[Document], form: type[_File], problems: list[Problem]
) -> list[tuple[_File, Document]]:
    """Return the documents that have their form; add to `problems` what is wrong with others."""
    decoded = []
    for document in documents:
        try:
            decoded.append((decode(document, form), document))
        except ConfigError as error:
            problems += error.problems
    return decoded


class _Row(Protocol):
    @property
    def id(self) -> str: ...


_AnyRow = TypeVar("_AnyRow", bound=_Row)
#: A row, the document in which it stands, and its number there.
_Placed = tuple[_AnyRow, Document, int]


def rules(
    factor_files: Sequence[Document],
    plan_files: Sequence[Document],
    *,
    convention: Convention,
    coverage_floor: float,
) -> Rules:
    """The rules of documents, the packaged one first.

    Raises:
        ConfigError: with everything that is wrong in any of them.
    """
    problems = list[Problem]()
    factor_forms = _decoded(factor_files, FactorsFile, problems)
    plan_forms = _decoded(plan_files, PlanFile, problems)
    factor_rows = _merged((form.factor, document) for form, document in factor_forms)
    plans = _merged((form.plan, document) for form, document in plan_forms)
    target_rows = _merged((form.target, document) for form, document in plan_forms)
    caps = _merged((form.cap, document) for form, document in plan_forms)
    known = [row for row, _, _ in plans]
    units = {row.id: row.unit for row in indicators.INDICATORS.values()}
    problems += [
        *_located("factor", factor_rows, factors.check),
        *_located("plan", plans, targets.check_plans),
        *_located("target", target_rows, lambda r: targets.check_refers(r, known, units)),
        *_located("cap", caps, lambda r: targets.check_refers(r, known, units)),
    ]
    if problems:
        raise ConfigError(problems)
    return Rules(
        factors=_rows(factor_rows),
        plans=_rows(plans),
        targets=_rows(target_rows),
        caps=_rows(caps),
        convention=convention,
        coverage_floor=coverage_floor,
    )


def _merged(
    files: Iterable[tuple[Sequence[_AnyRow], Document]],
) -> list[_Placed[_AnyRow]]:
    merged: dict[str, _Placed[_AnyRow]] = {}
    for rows, document in files:
        for number, row in enumerate(rows):
            merged[row.id] = (row, document, number)
    return list(merged.values())


def _rows(placed: Sequence[_Placed[_AnyRow]]) -> tuple[_AnyRow, ...]:
    return tuple(row for row, _, _ in placed)


def _located(
    table: str,
    placed: Sequence[_Placed[_AnyRow]],
    check: Callable[[Sequence[_AnyRow]], Iterable[tuple[int, Problem]]],
) -> Iterator[Problem]:
    for number, problem in check(_rows(placed)):
        _, document, place = placed[number]
        path = (table, place, *problem.path)
        yield document.locate(msgspec.structs.replace(problem, path=path))
