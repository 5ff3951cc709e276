"""Merge rule files into one object: factors, plans, targets, caps, quotas and their settings.

Laws: a row in a site's file replaces the whole packaged row with the same id; all other packaged
rows stay. A mistake is reported with the file and the line of its row.

Pure: documents in, rules out.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from analytics.figures import factors, targets
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.factors import Factor, FactorsFile
from analytics.figures.figure import Convention
from analytics.figures.quota_rows.annual_quota import AnnualQuota, check_annual_quotas
from analytics.figures.quota_rows.quota import Quota, check_quotas
from analytics.figures.targets import Cap, Plan, PlanFile, Target
from analytics.periods import Period, calendar_year
from jieneng.config_file import Document, decode
from jieneng.metering import indicators
from jieneng.metering.errors import ConfigError, Problem

_File = TypeVar("_File", bound=msgspec.Struct)


class QuotasFile(msgspec.Struct, frozen=True):
    """The content of `quotas.toml`."""

    quota: tuple[Quota, ...] = ()
    annual_quota: tuple[AnnualQuota, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Factors, plans, targets, caps and quotas of a site.

    Attributes:
        convention: convention of electricity's coal equivalent.
        coverage_floor: least coverage for a verdict, 0 to 1.
    """

    factors: tuple[Factor, ...]
    plans: tuple[Plan, ...]
    targets: tuple[Target, ...]
    caps: tuple[Cap, ...]
    quotas: tuple[Quota, ...] = ()
    annual_quotas: tuple[AnnualQuota, ...] = ()
    convention: Convention = "equivalent"
    coverage_floor: float = 0.95

    def plan_for(self, year: int) -> Plan | None:
        """Return the plan valid in a year, or else the latest plan that began before the year."""
        begun = [plan for plan in self.plans if plan.from_ <= year]
        return max(begun, key=lambda plan: plan.from_, default=None)

    def counted_flows(self, year: int) -> CountedFlows:
        """Return the energy flows that count in a year by its plan; the usual ones if no plan."""
        plan = self.plan_for(year)
        if plan is None:
            return CountedFlows.of(export_deducted=True, export_carbon_deducted=False)
        return CountedFlows.of(
            export_deducted=plan.export_deducted,
            export_carbon_deducted=plan.export_carbon_deducted,
        )

    def base_year(self, period: Period) -> Period | None:
        """Return the base year of a period's plan; None if the period is before the first plan."""
        plan = self.plan_for(period.year)
        return None if plan is None else calendar_year(plan.base)

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the plans and of the factors in use, one sentence each."""
        plans = [f"{plan.name or plan.id}: {plan.source}" for plan in self.plans]
        used = [
            row for row in self.factors if row.in_use and row.convention in (None, self.convention)
        ]
        return (*plans, *(f"{row.id} = {row.value} {row.unit}: {row.source}" for row in used))


def _decoded(
    documents: Sequence[Document], form: type[_File], problems: list[Problem]
) -> list[tuple[_File, Document]]:
    """Return the decoded documents. Documents with a wrong form are added to `problems`."""
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
#: (row, its document, its index in the document).
_LocatedRow = tuple[_AnyRow, Document, int]


def merge_rules(
    factor_files: Sequence[Document],
    plan_files: Sequence[Document],
    quota_files: Sequence[Document],
    *,
    convention: Convention,
    coverage_floor: float,
    scope_ids: Collection[str] | None = None,
) -> Rules:
    """Merge the rows of documents.

    Args:
        factor_files: packaged `factors.toml`, then that of the site.
        plan_files: packaged `plan.toml`, then that of the site.
        quota_files: packaged `quotas.toml`, then that of the site.
        convention: convention of electricity's coal equivalent.
        coverage_floor: smallest coverage for a verdict, 0 to 1.
        scope_ids: ids of the site, its areas and institutions, which caps and quotas may name;
            None to accept any id.

    Raises:
        ConfigError: lists all mistakes in all documents.
    """
    problems = list[Problem]()
    factor_forms = _decoded(factor_files, FactorsFile, problems)
    plan_forms = _decoded(plan_files, PlanFile, problems)
    quota_forms = _decoded(quota_files, QuotasFile, problems)
    factor_rows = _merge_rows((form.factor, document) for form, document in factor_forms)
    plans = _merge_rows((form.plan, document) for form, document in plan_forms)
    target_rows = _merge_rows((form.target, document) for form, document in plan_forms)
    caps = _merge_rows((form.cap, document) for form, document in plan_forms)
    quotas = _merge_rows((form.quota, document) for form, document in quota_forms)
    annual = _merge_rows((form.annual_quota, document) for form, document in quota_forms)
    known = [row for row, _, _ in plans]
    units = {row.id: row.unit for row in indicators.INDICATORS.values()}
    problems += [
        *_check_located("factor", factor_rows, factors.check_factors),
        *_check_located("plan", plans, targets.check_plans),
        *_check_located("target", target_rows, lambda r: targets.check_references(r, known, units)),
        *_check_located("cap", caps, lambda r: targets.check_references(r, known, units)),
        *_check_located("quota", quotas, check_quotas),
        *_check_located("annual_quota", annual, check_annual_quotas),
        *_check_scopes("cap", caps, lambda row: _named_scopes(row.scope), scope_ids),
        *_check_scopes("quota", quotas, lambda row: row.scope, scope_ids),
        *_check_scopes("annual_quota", annual, lambda row: (row.scope,), scope_ids),
    ]
    if problems:
        raise ConfigError(problems)
    return Rules(
        factors=_rows(factor_rows),
        plans=_rows(plans),
        targets=_rows(target_rows),
        caps=_rows(caps),
        quotas=_rows(quotas),
        annual_quotas=_rows(annual),
        convention=convention,
        coverage_floor=coverage_floor,
    )


def _named_scopes(cap_scope: str) -> tuple[str, ...]:
    """Return the id that the scope of a cap names; none for the division and the whole site."""
    return () if cap_scope in ("division", "site") else (cap_scope,)


def _check_scopes(
    table: str,
    located: Sequence[_LocatedRow[_AnyRow]],
    named: Callable[[_AnyRow], Iterable[str]],
    scope_ids: Collection[str] | None,
) -> Iterator[Problem]:
    """Yield a problem for each id in rows that is not the id of a scope of the site."""

    def check(rows: Sequence[_AnyRow]) -> Iterator[tuple[int, Problem]]:
        for number, row in enumerate(rows):
            for scope in named(row):
                if scope_ids is not None and scope not in scope_ids:
                    yield (
                        number,
                        Problem(
                            text="{id}: {scope} is no area or institution of site.toml.",
                            fix="Use one of: {known}.",
                            values={"id": row.id, "scope": scope, "known": ", ".join(scope_ids)},
                            path=("scope",),
                        ),
                    )

    return _check_located(table, located, check)


def _merge_rows(
    files: Iterable[tuple[Sequence[_AnyRow], Document]],
) -> list[_LocatedRow[_AnyRow]]:
    """Return one row for each id: the one of the last document that contains the id."""
    merged: dict[str, _LocatedRow[_AnyRow]] = {}
    for rows, document in files:
        for number, row in enumerate(rows):
            merged[row.id] = (row, document, number)
    return list(merged.values())


def _rows(located: Sequence[_LocatedRow[_AnyRow]]) -> tuple[_AnyRow, ...]:
    return tuple(row for row, _, _ in located)


def _check_located(
    table: str,
    located: Sequence[_LocatedRow[_AnyRow]],
    check: Callable[[Sequence[_AnyRow]], Iterable[tuple[int, Problem]]],
) -> Iterator[Problem]:
    """Yield the problems that a check finds in rows, each with the file and line of its row."""
    for number, problem in check(_rows(located)):
        _, document, row_index = located[number]
        path = (table, row_index, *problem.path)
        yield document.locate(msgspec.structs.replace(problem, path=path))
