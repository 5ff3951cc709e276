"""Merge rule files into one object: factors, plans, targets, caps, quotas and their settings.

Pure: documents in, rules out.
"""

from collections.abc import Collection, Sequence

import msgspec

from analytics.figures import factors, targets
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.factors import Factor, FactorsFile
from analytics.figures.figure import Convention
from analytics.figures.quota_rows.annual_quota import AnnualQuota, check_annual_quotas
from analytics.figures.quota_rows.quota import Quota, check_quotas
from analytics.figures.targets import Baseline, Cap, Plan, PlanFile, Target
from analytics.periods import Period, calendar_year
from analytics.rule_rows import check_located, check_scopes, decoded, merge_rows, rows_of
from jieneng.config_file import Document
from jieneng.metering import indicators
from jieneng.metering.errors import ConfigError, Problem


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
    baselines: tuple[Baseline, ...] = ()
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

    def baselines_of(self, period: Period) -> tuple[Baseline, ...]:
        """Return the further baselines with which a period is compared: those of earlier years."""
        return tuple(row for row in self.baselines if row.years[-1] < period.year)

    def compared_years(self, period: Period) -> list[Period]:
        """Return the calendar years with which a period is compared, the plan's base year first."""
        base = self.base_year(period)
        further = (year for row in self.baselines_of(period) for year in row.years)
        years = [*([] if base is None else [base.year]), *further]
        return [calendar_year(year) for year in dict.fromkeys(years)]

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the plans and of the factors in use, one sentence each."""
        plans = [f"{plan.name or plan.id}: {plan.source}" for plan in self.plans]
        used = [
            row for row in self.factors if row.in_use and row.convention in (None, self.convention)
        ]
        return (*plans, *(f"{row.id} = {row.value} {row.unit}: {row.source}" for row in used))


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
    factor_forms = decoded(factor_files, FactorsFile, problems)
    plan_forms = decoded(plan_files, PlanFile, problems)
    quota_forms = decoded(quota_files, QuotasFile, problems)
    factor_rows = merge_rows((form.factor, document) for form, document in factor_forms)
    plans = merge_rows((form.plan, document) for form, document in plan_forms)
    target_rows = merge_rows((form.target, document) for form, document in plan_forms)
    caps = merge_rows((form.cap, document) for form, document in plan_forms)
    baselines = merge_rows((form.baseline, document) for form, document in plan_forms)
    quotas = merge_rows((form.quota, document) for form, document in quota_forms)
    annual = merge_rows((form.annual_quota, document) for form, document in quota_forms)
    known = [row for row, _, _ in plans]
    units = {row.id: row.unit for row in indicators.INDICATORS.values()}
    problems += [
        *check_located("factor", factor_rows, factors.check_factors),
        *check_located("plan", plans, targets.check_plans),
        *check_located("target", target_rows, lambda r: targets.check_references(r, known, units)),
        *check_located("cap", caps, lambda r: targets.check_references(r, known, units)),
        *check_located("baseline", baselines, targets.check_baselines),
        *check_located("quota", quotas, check_quotas),
        *check_located("annual_quota", annual, check_annual_quotas),
        *check_scopes("cap", caps, lambda row: _named_scopes(row.scope), scope_ids),
        *check_scopes("quota", quotas, lambda row: row.scope, scope_ids),
        *check_scopes("annual_quota", annual, lambda row: (row.scope,), scope_ids),
    ]
    if problems:
        raise ConfigError(problems)
    return Rules(
        factors=rows_of(factor_rows),
        plans=rows_of(plans),
        targets=rows_of(target_rows),
        caps=rows_of(caps),
        quotas=rows_of(quotas),
        annual_quotas=rows_of(annual),
        baselines=rows_of(baselines),
        convention=convention,
        coverage_floor=coverage_floor,
    )


def _named_scopes(cap_scope: str) -> tuple[str, ...]:
    """Return the id that the scope of a cap names; none for the division and the whole site."""
    return () if cap_scope in ("division", "site") else (cap_scope,)
