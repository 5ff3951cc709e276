"""Render the table of alerts, for the page and for the terminal.

Pure: rows of texts in, tables out. Law: state and severity are words, not only colours.
"""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from analytics.alerts.alert_rule import Severity
from analytics.alerts.texts.alert_row import AlertRow, State, alert_rows, more_text
from analytics.report.html_elements import Html, element, join
from analytics.report.report_data import PageData
from jieneng.locale import Translate

#: Time for which an ended alert is still shown [ms].
ENDED_SHOWN_MS: Final = 7 * 86_400_000

#: Alerts that the terminal lists; all are in the JSON form.
_LISTED: Final = 40
#: Width of the terminal's column of names [columns]; most keys fit into it.
_ALERT_WIDTH: Final = 30
#: Width of a time or a duration [columns].
_TIME_WIDTH: Final = 13

_STATE_COLOURS: Final[dict[State, str]] = {
    "firing": "bold red",
    "silenced": "bright_black",
    "pending": "yellow",
    "over": "green",
}
_SEVERITY_COLOURS: Final[dict[Severity, str]] = {
    "critical": "red",
    "warning": "yellow",
    "info": "blue",
}


def page_part(data: PageData, translate: Translate) -> Html:
    """Return the page's table of alerts; an empty text if the site's alerts are not watched."""
    if data.alert_rules is None:
        return Html("")
    return html_table(_rows(data, translate), translate)


def page_notice(data: PageData, translate: Translate) -> Html:
    """Return the line at the top of the page with the number of firing alerts, and a link."""
    firing = [
        row for row in _rows(data, translate) if row.state == "firing" and not row.is_explained
    ]
    if not firing:
        return Html("")
    count = (
        translate("{count} alert fires") if len(firing) == 1 else translate("{count} alerts fire")
    )
    worst = translate("{name}: {text}").format(name=firing[0].name, text=firing[0].subject)
    link = element("a", count.format(count=len(firing)), href="#alerts")
    return element("p", link, f" · {worst} {firing[0].value}".rstrip(), class_="firing")


def _rows(data: PageData, translate: Translate) -> list[AlertRow]:
    if data.alert_rules is None:
        return []
    now_ms = round(data.generated.timestamp() * 1000)
    return alert_rows(
        data.alerts,
        data.alert_rules,
        translate,
        data.labels,
        now_ms,
        since_ms=now_ms - ENDED_SHOWN_MS,
    )


def html_table(rows: Sequence[AlertRow], translate: Translate) -> Html:
    """Return the table of the page; a sentence if there are no alerts."""
    if not rows:
        return element(
            "p", translate("No alert fires now, and no alert ended lately."), class_="quiet"
        )
    headings = [
        translate("State"),
        translate("Severity"),
        translate("Alert"),
        translate("Subject"),
        translate("Value"),
        translate("Since"),
        translate("Remarks"),
    ]
    head = element(
        "thead", element("tr", join([element("th", text, scope="col") for text in headings]))
    )
    body = element("tbody", join([_html_row(row, headings) for row in rows]))
    return element("table", head, body, class_="alerts")


def _html_row(row: AlertRow, headings: Sequence[str]) -> Html:
    cells = (
        element("span", row.state_word, class_=f"badge {row.state}"),
        element("span", row.severity_word, class_=f"severity {row.severity}"),
        row.name,
        _with_small(row.subject, row.place),
        _with_small(row.value, row.limit),
        _with_small(row.start, row.length),
        row.note,
    )
    return element(
        "tr",
        join(
            [
                element("td", cell, data_label=heading)
                for heading, cell in zip(headings, cells, strict=True)
            ]
        ),
    )


def _with_small(text: str, small: str) -> Html:
    return join((text, element("br"), element("small", small))) if small else join((text,))


def terminal_table(rows: Sequence[AlertRow], translate: Translate, *, keys: bool = True) -> Table:
    """Return the table of the terminal.

    Args:
        rows: the alerts.
        translate: function that translates a msgid.
        keys: True to show the key `rule/subject` below each name; commands take it as argument.
    """
    table = Table(
        title=translate("Alerts"),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(translate("State"), no_wrap=True)
    table.add_column(translate("Alert"), overflow="fold", min_width=_ALERT_WIDTH)
    table.add_column(translate("Subject"), overflow="fold")
    table.add_column(translate("Value"), justify="right", no_wrap=True)
    table.add_column(translate("Since"), no_wrap=True, min_width=_TIME_WIDTH)
    for row in rows[:_LISTED]:
        table.add_row(
            Text.assemble(
                (row.state_word, _STATE_COLOURS[row.state]),
                ("\n" + row.severity_word, _SEVERITY_COLOURS[row.severity]),
            ),
            _lines(row.name, row.key if keys else "", row.note),
            _lines(row.subject, row.place),
            _lines(row.value, row.limit),
            _lines(row.start, row.length),
        )
    if (more := len(rows) - _LISTED) > 0:
        table.add_row("", more_text(more, translate))
    return table


def _lines(text: str, *smaller: str) -> Text:
    """Return a text, with further texts below it on dim lines."""
    return Text.assemble(text, *(("\n" + line, "dim") for line in smaller if line))
