"""Build the parts that all boards share: title, links, variables, time range and layout."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow, lay_out
from grafana.panels import PanelText
from jieneng.metering.errors import Msgid

TAG: Final = "jieneng"
Refresh = Literal["30s", "1m", "5m", "15m"]

#: Name and UID of Grafana's folder for the boards.
FOLDER: Final = "节能"
FOLDER_UID: Final = "jieneng"


class Words(msgspec.Struct, frozen=True):
    """English texts of a row in a table of this package; they are translated later.

    Attributes:
        title: short name.
        description: definition or remark; None if the title needs none.
    """

    title: Msgid
    description: Msgid | None = None


class BoardText(msgspec.Struct, frozen=True):
    """Title and description of a board."""

    title: str
    description: str


def uid(key: str) -> str:
    """Return the fixed UID of the board whose file has the name `key`."""
    return f"jieneng-{key}"


def board_link(key: str, variable: str) -> str:
    """Return the URL of a board, for a link on a field; `variable` is set to the field's value."""
    return f"/d/{uid(key)}?var-{variable}=${{__value.raw}}"


def frame(
    key: str,
    text: BoardText,
    site: BoardSite,
    variables: Sequence[Json],
    rows: Sequence[PanelRow],
    *,
    begin: str,
    end: str = "now",
    refresh: Refresh,
) -> Json:
    """Return the JSON of a board.

    Args:
        key: name of the board's file.
        text: title and description.
        site: the site and the language.
        variables: variables, the site first.
        rows: rows of panels.
        begin: start of the time range, e.g. `now-90d`.
        end: end of the time range.
        refresh: time between two refreshes of the board.
    """
    return {
        "uid": uid(key),
        "title": text.title,
        "description": text.description,
        "tags": [TAG],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": site.timezone,
        "weekStart": "monday",
        "time": {"from": begin, "to": end},
        "timepicker": {"refresh_intervals": ["30s", "1m", "5m", "15m", "1h"]},
        "refresh": refresh,
        "annotations": {"list": []},
        "links": [_home(site), _all_boards(site)],
        "templating": {"list": list(variables)},
        "panels": lay_out(rows),
    }


def no_data_text(site: BoardSite) -> str:
    """Return the sentence that a panel without data shows."""
    return site.tr("No data in this time range. Choose a longer time range, or another scope.")


def text_panel(title: str, markdown: str) -> Json:
    """Return a panel that shows a text and has no query."""
    return {
        "type": "text",
        "title": title,
        "description": "",
        "options": {"mode": "markdown", "content": markdown},
        "transparent": True,
    }


def panel_text(
    site: BoardSite, title: Msgid, description: Msgid, empty: Msgid | None = None
) -> PanelText:
    """Return the translated texts of a panel; `empty` is shown if the panel has no data."""
    without = no_data_text(site) if empty is None else site.tr(empty)
    return PanelText(site.tr(title), site.tr(description), without)


def words_text(site: BoardSite, words: Words, empty: Msgid | None = None) -> PanelText:
    """Return the translated texts of a panel; `empty` is shown if the panel has no data."""
    without = no_data_text(site) if empty is None else site.tr(empty)
    return PanelText(site.tr(words.title), _description(site, words), without)


def _description(site: BoardSite, words: Words) -> str:
    return "" if words.description is None else site.tr(words.description)


def _home(site: BoardSite) -> Json:
    return {
        "type": "link",
        "title": site.tr("Start page"),
        "url": f"/d/{uid('start')}",
        "icon": "dashboard",
        "tags": [],
        "targetBlank": False,
        "includeVars": False,
        "keepTime": False,
    }


def _all_boards(site: BoardSite) -> Json:
    return {
        "type": "dashboards",
        "title": site.tr("Boards"),
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "targetBlank": False,
        "includeVars": True,
        "keepTime": False,
    }
