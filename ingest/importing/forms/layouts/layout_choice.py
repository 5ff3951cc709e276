"""The layouts, and the choice of a file's layout and kind. Pure.

Law: the first layout that fits a file is its layout, unless a person names another one.
"""

from typing import Final

import msgspec

from ingest.importing.cells.cell import ProblemHandler
from ingest.importing.forms.column_roles import column_roles
from ingest.importing.forms.column_words import says_amount
from ingest.importing.forms.import_options import ImportKind, ImportOptions
from ingest.importing.forms.layouts.day_columns import DayColumns
from ingest.importing.forms.layouts.layout import FileContext, Layout
from ingest.importing.forms.layouts.meter_columns import MeterColumns
from ingest.importing.forms.layouts.month_columns import MonthColumns
from ingest.importing.forms.layouts.value_rows import ValueRows
from ingest.importing.forms.series_finder import SeriesFinder
from ingest.importing.reading.file_form import FileForm
from jieneng.metering.site import Site

#: The layouts, the most special ones first.
LAYOUTS: Final[tuple[type[Layout], ...]] = (DayColumns, MonthColumns, ValueRows, MeterColumns)


def choose_layout(
    form: FileForm, site: Site, options: ImportOptions, on_problem: ProblemHandler
) -> Layout | None:
    """Return the layout of a file; None after a problem was reported.

    Args:
        form: form of the file.
        site: the site.
        options: options of the import.
        on_problem: called with each problem.
    """
    finder = SeriesFinder(site, options, on_problem, (*form.titles, *form.sheets))
    roles = column_roles(form.columns, options, finder.meters)
    context = FileContext(form, roles, site, options, finder, on_problem)
    fitting = [layout for layout in LAYOUTS if layout.fits(context)]
    wanted = [one for one in fitting if options.layout in (None, one.name)]
    if not wanted:
        _report_no_layout(context, fitting)
        return None
    kind = options.kind or _kind_of(wanted[0], context)
    options = msgspec.structs.replace(options, kind=kind)
    finder = SeriesFinder(site, options, on_problem, (*form.titles, *form.sheets))
    return wanted[0](msgspec.structs.replace(context, options=options, finder=finder))


def _kind_of(layout: type[Layout], context: FileContext) -> ImportKind:
    """Return the kind of the values that the form of a file says."""
    columns, roles = context.form.columns, context.roles
    if layout in (DayColumns, MonthColumns):
        return "interval"
    values = [roles.get("value"), *(roles.others if layout is MeterColumns else ())]
    if any(says_amount(columns[place].name) for place in values if place is not None):
        return "interval"
    if {"start", "end"} <= roles.by_role.keys() or roles.by_role.keys() & {"year", "month"}:
        return "interval"
    time = roles.get("time")
    return "interval" if time is not None and columns[time].content == "period" else "register"


def _report_no_layout(context: FileContext, fitting: list[type[Layout]]) -> None:
    header = ", ".join(filter(None, context.form.header))[:200]
    if fitting:
        context.report_problem(
            context.form.header_line,
            "this file does not have the layout {layout}; its header is {header}.",
            "Leave the layout out, or take one of: {known}.",
            layout=context.options.layout,
            header=header,
            known=", ".join(layout.name for layout in fitting),
        )
        return
    context.report_problem(
        context.form.header_line,
        "there is no column of times in this file; its header is {header}.",
        "Name the column of the times: --time-column.",
        header=header,
    )
