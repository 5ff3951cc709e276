"""Choose the layout of a file, and the kind of its values. Pure.

Law: the first layout that fits a file is used, unless a person states another one.
"""

from typing import Final

import msgspec

from ingest.importing.cells.cell import ProblemHandler
from ingest.importing.forms.column_roles import column_roles
from ingest.importing.forms.column_words import says_amount, says_read_at, says_reading
from ingest.importing.forms.import_options import ImportKind, ImportOptions
from ingest.importing.forms.layouts.day_columns import DayColumns
from ingest.importing.forms.layouts.layout import FileContext, Layout
from ingest.importing.forms.layouts.meter_columns import MeterColumns
from ingest.importing.forms.layouts.month_columns import MonthColumns
from ingest.importing.forms.layouts.value_rows import ValueRows
from ingest.importing.forms.series_finder import SeriesFinder
from ingest.importing.reading.file_form import FileForm
from jieneng.metering.site import Site

#: All layouts, the most specific ones first.
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
    if _are_sheets_of_meters(context, wanted[0]):
        return None
    kind = options.kind or _kind_of(wanted[0], context)
    if kind == "interval" and wanted[0] in (ValueRows, MeterColumns):
        _ask_for_stamp(context)
    options = msgspec.structs.replace(options, kind=kind)
    finder = SeriesFinder(site, options, on_problem, (*form.titles, *form.sheets))
    return wanted[0](msgspec.structs.replace(context, options=options, finder=finder))


def _are_sheets_of_meters(context: FileContext, layout: type[Layout]) -> bool:
    """Report a file whose meters are named only by its sheets: they would be read as one meter."""
    roles, sheets = context.roles, context.form.sheets
    if roles.get("meter") is not None or layout is MonthColumns:
        return False
    if layout is MeterColumns and roles.others:
        return False
    found = [context.finder.meters.find(sheet) for sheet in sheets]
    meters = {one.meter.id if one.meter else one.candidates for one in found} - {()}
    if len(meters) < 2:
        return False
    context.report_problem(
        context.form.header_line,
        "the sheets {sheets} are of different meters.",
        "Import each sheet separately: --sheet {first} --meter METER",
        sheets=", ".join(sheets)[:200],
        first=sheets[0],
    )
    return True


def _ask_for_stamp(context: FileContext) -> None:
    """Ask if amounts belong to the time before or after the times at which meters were read."""
    columns, roles = context.form.columns, context.roles
    if context.options.stamp is not None or roles.get("start") is not None:
        return
    time = roles.get("time")
    place = roles.get("end") if time is None else time
    if place is None or columns[place].content != "time":
        return
    name = columns[place].name
    if time is None or says_read_at(name):
        context.report_problem(
            context.form.header_line,
            "column {column} contains the times at which meters were read, and the values"
            " are amounts; it is not clear if an amount is for the time before or after.",
            "If an amount is for the time before, add --stamp end; if for the time after,"
            " add --stamp start.",
            column=name,
        )


def _kind_of(layout: type[Layout], context: FileContext) -> ImportKind:
    """Return the kind of the values, as the form of the file indicates."""
    columns, roles = context.form.columns, context.roles
    if layout in (DayColumns, MonthColumns):
        return "interval"
    values = [roles.get("value"), *(roles.others if layout is MeterColumns else ())]
    if any(says_amount(columns[place].name) for place in values if place is not None):
        return "interval"
    value = roles.get("value")
    has_ends = {"start", "end"} <= roles.by_role.keys()
    if has_ends and value is not None and says_reading(columns[value].name):
        return "register"  # 本期读数: the reading at the end
    if has_ends or roles.by_role.keys() & {"year", "month"}:
        return "interval"
    time = roles.get("time")
    return "interval" if time is not None and columns[time].content == "period" else "register"


def _report_no_layout(context: FileContext, fitting: list[type[Layout]]) -> None:
    header = ", ".join(filter(None, context.form.header))[:200]
    if fitting:
        context.report_problem(
            context.form.header_line,
            "this file does not have the layout {layout}; its header is {header}.",
            "Omit the layout, or use one of: {known}.",
            layout=context.options.layout,
            header=header,
            known=", ".join(layout.name for layout in fitting),
        )
        return
    context.report_problem(
        context.form.header_line,
        "there is no column of times in this file; its header is {header}.",
        "State the column of the times: --time-column.",
        header=header,
    )
