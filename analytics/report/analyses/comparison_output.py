"""Render the further comparisons of figures: table for the terminal, and CSV. Pure.

Laws: an unknown value is "—" in a table and an empty cell in CSV, never 0. The name of a comparison
    states its baseline, and the areas that are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from analytics.figures.figure import Figure, FigureComparison
from analytics.report import figure_texts
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels
from jieneng.metering import schema

#: Fields of a comparison that are columns of the CSV form, after the id of the comparison.
_CSV_FIELDS: Final = (
    "value",
    "baseline",
    "baseline_period",
    "change_pct",
    "decrease_pct",
    "coverage",
    "left_out",
)


class ComparisonRow(msgspec.Struct, frozen=True):
    """Texts of a comparison."""

    compared_with: str
    value: str
    baseline: str
    change: str
    coverage: str
    left_out: str


def comparison_row(
    compared: FigureComparison, labels: Labels, translate: Translate
) -> ComparisonRow:
    """Return the texts of a comparison."""
    period = compared.baseline_period
    name = f"{compared.name} ({period})" if compared.name != period else period
    if compared.id == schema.LIKE_FOR_LIKE:
        name = translate("{period}, like-for-like").format(period=period)
    areas = translate(", ").join(map(labels.name, compared.left_out))
    return ComparisonRow(
        compared_with=name,
        value=figure_texts.number(compared.value),
        baseline=figure_texts.number(compared.baseline),
        change=figure_texts.change(compared.change_pct),
        coverage=figure_texts.share(compared.coverage),
        left_out=areas,
    )


def comparison_table(figures: Sequence[Figure], labels: Labels, translate: Translate) -> Table:
    """Return the table of the further comparisons, by scope and indicator."""
    table = Table(
        title=translate("Further comparisons, without a verdict"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    first, second, *numbers, last = headings(translate)
    table.add_column(first, overflow="fold", min_width=21)
    table.add_column(second, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(last, overflow="fold")
    compared = compared_figures(figures)
    for scope in dict.fromkeys(figure.scope for figure in compared):
        table.add_section()
        table.add_row(Text(labels.name(scope), style="bold"))
        for figure in compared:
            if figure.scope == scope:
                for cells in _rows(figure, labels, translate):
                    table.add_row(*map(Text, cells))
    return table


def csv_columns(figures: Iterable[Figure]) -> dict[str, tuple[str, str]]:
    """Return (id of the comparison, field) of each column that the figures need, by its name.

    The columns of the like-for-like comparison always exist.
    """
    ids = [schema.LIKE_FOR_LIKE, *(one.id for figure in figures for one in figure.comparisons)]
    return {
        f"{comparison}_{field}": (comparison, field)
        for comparison in dict.fromkeys(ids)
        for field in _CSV_FIELDS
    }


def csv_cell(figure: Figure, comparison: str, field: str) -> object:
    """Return the value of a field of a figure's comparison; None if the figure has none."""
    found = next((one for one in figure.comparisons if one.id == comparison), None)
    value = None if found is None else getattr(found, field)
    return " ".join(value) if isinstance(value, tuple) else value


def headings(translate: Translate) -> tuple[str, ...]:
    """Return the headings of the fields of `ComparisonRow`, except the first, the indicator."""
    return (
        translate("Indicator"),
        translate("Compared with"),
        translate("Value"),
        translate("Base value"),
        translate("Change"),
        translate("Coverage"),
        translate("Left out"),
    )


def compared_figures(figures: Iterable[Figure]) -> list[Figure]:
    """Return the figures with a comparison of known change, without the emission inventory."""
    return [
        figure
        for figure in figures
        if figure.factor_series != "current" and any(known(figure.comparisons))
    ]


def known(comparisons: Iterable[FigureComparison]) -> Iterator[FigureComparison]:
    """Yield the comparisons with a known change."""
    yield from (one for one in comparisons if one.change_pct is not None)


def _rows(figure: Figure, labels: Labels, translate: Translate) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each comparison of a figure with a known change."""
    name = figure_texts.indicator_name(figure.indicator, translate)
    for compared in known(figure.comparisons):
        row = comparison_row(compared, labels, translate)
        yield (name, *msgspec.structs.astuple(row))
