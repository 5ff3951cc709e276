"""Print the report of an import, as text or as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from jieneng.cli.imports.batch_output import (
    batch_lines,
    contradiction_lines,
    local_time,
    problem_lines,
)
from jieneng.cli.imports.consumption_preview import Preview, previews
from jieneng.cli.imports.dry_run_output import doubt_lines, print_understanding
from jieneng.cli.options import tr
from jieneng.locale import say
from jieneng.locale.finding_text import finding_text, labels
from jieneng.metering.errors import Problem

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.importing.import_report import ImportReport
    from jieneng.site_folder import SiteFolder


def print_report(report: "ImportReport", folder: "SiteFolder") -> None:
    """Print the result of an import, or of a dry run."""
    found: Sequence[Preview] = ()
    if report.dry_run:
        found = tuple(previews(report, folder))
        print_understanding(report, found, folder)
    print_problems(report)
    for doubt in report.doubts:
        click.echo(
            tr("{where}: doubtful: {text}").format(where=doubt.where(), text=say(doubt, tr)),
            err=True,
        )
    for text in doubt_lines(found, folder):
        click.echo(tr("{where}: doubtful: {text}").format(where=report.file, text=text), err=True)
    _print_series(report, folder)
    for text in contradiction_lines(report.batch, folder.site.zone):
        click.echo(text, err=report.batch.is_refused)
    if report.left_out and report.skippable:
        click.echo(tr("Lines with problems: {lines}.").format(lines=report.left_out))
    if not report.batch.is_refused:
        click.echo(_outcome(report))
    for text in batch_lines(report.batch):
        click.echo(text)


def report_json(report: "ImportReport", folder: "SiteFolder") -> str:
    """Return the report of a dry run as JSON; texts are in the reader's language."""
    names = labels(folder.site)
    content = {
        "file": report.file,
        "form": report.form,
        "layout": report.layout,
        "kind": report.kind,
        "columns_not_read": report.left_out_columns,
        "rows": report.rows,
        "first_values": report.first_values,
        "series": report.series,
        "consumption": [
            {
                **msgspec.structs.asdict(preview),
                "findings": [
                    {"code": finding.code, "text": finding_text(finding, tr, names)}
                    for finding in preview.findings
                ],
            }
            for preview in previews(report, folder)
        ],
        "problems": [_problem(problem) for problem in report.problems],
        "problem_count": report.problem_count,
        "doubts": [_problem(problem) for problem in report.doubts],
    }
    return msgspec.json.format(msgspec.json.encode(content, enc_hook=str)).decode()


def _problem(problem: Problem) -> dict[str, object]:
    return {"file": problem.file, "line": problem.line, "text": say(problem, tr)}


def print_problems(report: "ImportReport") -> None:
    """Print the problems of a file to standard error."""
    for text in problem_lines(report.problems, report.problem_count):
        click.echo(text, err=True)


def _print_series(report: "ImportReport", folder: "SiteFolder") -> None:
    for series in report.series:
        first, last = (local_time(ms, folder.site.zone) for ms in (series.first_ms, series.last_ms))
        line = tr("{meter} {quantity}: {values} values, {missing} missing, {first} to {last}")
        click.echo(
            line.format(
                meter=series.meter,
                quantity=series.quantity,
                values=series.values,
                missing=series.missing,
                first=first,
                last=last,
            )
        )


def _outcome(report: "ImportReport") -> str:
    if report.dry_run:
        text = (
            tr("Dry run: nothing would be written until the problems are fixed ({problems}).")
            if report.problem_count
            else tr("Dry run: nothing was written; {values} values would be.")
        )
    elif not report.skippable:
        text = tr(
            "Nothing was written: fix the problems. They concern the whole file, so"
            " --skip-bad does not help."
        )
    elif report.problem_count and not report.written:
        text = tr(
            "Nothing was written: fix the problem, or leave the row out: --skip-bad."
            if report.problem_count == 1
            else "Nothing was written: fix the {problems} problems, or leave them out: --skip-bad."
        )
    else:
        text = tr(
            "{written} point written." if report.written == 1 else "{written} points written."
        )
    return text.format(values=report.values, problems=report.problem_count, written=report.written)
