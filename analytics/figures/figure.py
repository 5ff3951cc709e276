"""Define the figure: an indicator's value with its coverage, its convention and its findings.

Law: an unknown value is None, never 0; a verdict without enough data is `insufficient_data`.
`analytics.report.figure_json` turns figures into the JSON of `jieneng indicators --format json`.
"""

from typing import Literal

import msgspec

from jieneng.metering.findings import Finding

Status = Literal["met", "on_track", "at_risk", "missed", "insufficient_data", "no_target"]
Convention = Literal["equivalent", "coal_consumption"]
FactorSeries = Literal["fixed", "current"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Value of an indicator for a scope and a period, with target and verdict.

    Attributes:
        scope: id of an area, an institution or the site.
        indicator: id of a row of the indicators table.
        period: `2025`, `2025-06`.
        value: in `unit`; of a period that goes on, of its elapsed days.
        unit: of value, baseline, target and path.
        baseline: the same days of the base period.
        change_pct: value against baseline [%], negative where it fell.
        decrease_pct: the same, positive where it fell: what operator and target_pct are about.
        target_pct: the decrease that the plan asks for at its end [%]; None for a cap.
        operator: how the plan compares a decrease (`>` 7 %) or a cap (`<=`).
        target: the value that the plan asks for at its end, or its cap.
        path: the value that the glide path asks for in this period.
        coverage: share of meter-time with accepted readings, 0 to 1.
        estimated: share of the value that was spread over gaps, 0 to 1.
        convention: of electricity's coal equivalent; None where none enters.
        factor_series: of the grid's carbon factor; None where none enters.
    """

    scope: str
    indicator: str
    period: str
    value: float | None
    unit: str
    baseline: float | None = None
    baseline_period: str | None = None
    change_pct: float | None = None
    decrease_pct: float | None = None
    target_pct: float | None = None
    operator: str | None = None
    target: float | None = None
    path: float | None = None
    status: Status = "no_target"
    coverage: float | None = None
    estimated: float | None = None
    convention: Convention | None = None
    factor_series: FactorSeries | None = None
    findings: tuple[Finding, ...] = ()
