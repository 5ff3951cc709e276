"""Render the page's section about the change of carbon by cause: charts, table and doubts. Pure.

Laws: the charts show the site, and the table has a row for each scope. If a change is not split,
the reason is shown. A site without carbon has no section.
"""

from collections.abc import Sequence
from typing import Final

from analytics.figures.decomposition.carbon_split import CarbonSplit, Effects
from analytics.figures.decomposition.carbon_steps import StepId, carbon_steps
from analytics.report import figure_texts, html_tables
from analytics.report.analyses import carbon_output
from analytics.report.drawing import svg_charts
from analytics.report.html_elements import Html, element, join
from analytics.report.report_data import PageData
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels

#: Indicator of the table.
_OF_TABLE: Final = "carbon_per_floor_area"


def page_part(data: PageData, translate: Translate) -> Html:
    """Return the section's content; an empty text if no scope has carbon."""
    if not any(one.status != "not_applicable" for one in data.carbon):
        return Html("")
    shown = [one for one in data.carbon if one.indicator == _OF_TABLE]
    return join(
        (
            _charts(data, translate),
            element("p", _about_table(shown, translate), class_="quiet"),
            _table(shown, data.labels, translate),
            _doubts(data, shown, translate),
        )
    )


def _about_table(splits: Sequence[CarbonSplit], translate: Translate) -> str:
    unit = splits[0].unit if splits else ""
    return translate(
        "Carbon per floor area of all scopes with each year's factor, in {unit}. Below each effect:"
        " its share of the base value."
    ).format(unit=figure_texts.unit(unit, translate))


def _charts(data: PageData, translate: Translate) -> Html:
    """Return a waterfall chart for each indicator of the site's carbon that is split."""
    site = data.scopes[0]
    drawn = [
        _chart(one, site.name, translate)
        for one in data.carbon
        if one.scope == site.id and one.status == "split"
    ]
    if not drawn:
        return Html("")
    how_to_read = translate(
        "With each year's factor. Each bar begins where the one above it ends. The effects of the"
        " purchased amounts, of the classes of purchased electricity, of the emission factors and"
        " of the floor area add up to the change."
    )
    charts = element("div", join(drawn), class_="charts three")
    return join((element("p", how_to_read, class_="quiet"), charts))


def _chart(split: CarbonSplit, site: str, translate: Translate) -> Html:
    names = _step_names(split, translate)
    _, *shown = carbon_output.adding_up(split.change, split.effects)
    effects = dict(zip(Effects.__struct_fields__, shown, strict=True))
    bars = [
        svg_charts.WaterfallBar(
            names[step.id],
            step.start,
            step.end,
            figure_texts.number(step.end) if step.effect is None else effects[step.id],
            step.is_total,
        )
        for step in carbon_steps(split)
    ]
    name = figure_texts.indicator_name(split.indicator, translate)
    title = f"{name} [{figure_texts.unit(split.unit, translate)}]"
    return element(
        "figure",
        element("figcaption", title),
        svg_charts.waterfall_chart(f"{site}, {title}", bars),
    )


def _step_names(split: CarbonSplit, translate: Translate) -> dict[StepId, str]:
    return {
        "base": split.base_period or figure_texts.UNKNOWN,
        "activity": translate("Activity"),
        "supply": translate("Supply"),
        "factor": translate("Emission factor"),
        "area": translate("Floor area"),
        "value": split.period,
    }


def _table(splits: Sequence[CarbonSplit], labels: Labels, translate: Translate) -> Html:
    headings = [
        translate("Scope"),
        *carbon_output.headings(translate),
        translate("Coverage"),
    ]
    rows = [_row(split, headings, labels, translate) for split in splits]
    return html_tables.table(headings, rows, "causes")


def _row(split: CarbonSplit, headings: Sequence[str], labels: Labels, translate: Translate) -> Html:
    count = len(headings) - 2
    cells = carbon_output.sum_cells(split, translate)
    cells += [figure_texts.UNKNOWN] * (count - len(cells))
    shares = carbon_output.percent_cells(split) if split.status == "split" else [""] * count
    return element(
        "tr",
        element("th", labels.name(split.scope), scope="row"),
        join(
            [
                html_tables.cell(heading, _with_share(text, share), "number")
                for heading, text, share in zip(headings[1:-1], cells, shares, strict=True)
            ]
        ),
        html_tables.cell(headings[-1], figure_texts.share(split.coverage), "number"),
    )


def _with_share(text: str, share: str) -> Html:
    """Return a value with its share of the base value below it."""
    below = element("div", element("small", share)) if share else Html("")
    return element("div", text, below)


def _doubts(data: PageData, shown: Sequence[CarbonSplit], translate: Translate) -> Html:
    """Return a sentence for each doubt about the effects, with the scopes of the table."""
    reasons = (
        (
            ("no_baseline", "insufficient_data"),
            translate(
                "Not split, as data of this year or of the base year are missing: {scopes}. Missing"
                " consumption would look like an effect of activity."
            ),
        ),
        (
            ("not_comparable",),
            translate("Not comparable, as there was no floor area in the base year: {scopes}."),
        ),
    )
    sentences = []
    for statuses, sentence in reasons:
        names = [data.labels.name(one.scope) for one in shown if one.status in statuses]
        if names:
            sentences.append(sentence.format(scopes=translate(", ").join(names)))
    sentences += carbon_output.remarks(data.carbon, data.labels, translate)
    return html_tables.sentences(sentences)
