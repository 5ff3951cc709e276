"""Build the frame of a board: what all boards share beside their panels."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from grafana.board_site import BoardSite
from grafana.panel_layout import PanelRow, lay_out
from grafana.panels import Json, PanelText
from jieneng.metering.errors import Msgid

TAG: Final = "jieneng"
Refresh = Literal["30s", "1m", "5m", "15m"]

#: Folder of the boards, by its name and its UID.
FOLDER: Final = "节能"
FOLDER_UID: Final = "jieneng"


#: Sentence of a panel without data.
NOTHING: Final[Msgid] = (
    "No data in this time range. Choose a longer one, or another meter or area."
)


class BoardText(msgspec.Struct, frozen=True):
    """Title and description of a board."""

    title: str
    description: str


def uid(key: str) -> str:
    """Return the fixed UID of a board, by the name of its file."""
    return f"jieneng-{key}"


def board_link(key: str, variable: str) -> str:
    """Return the URL of a board that takes a field's own value as a variable."""
    return f"/d/{uid(key)}?var-{variable}=${{__value.raw}}"


def frame(
    key: str,
    text: BoardText,
    of: BoardSite,
    variables: Sequence[Json],
    rows: Sequence[PanelRow],
    *,
    begin: str,
    refresh: Refresh,
) -> Json:
    """Return the JSON of a board.

    Args:
        key: name of the board's file.
        text: title and description.
        of: the site and the language.
        variables: variables, the site first.
        rows: rows of panels.
        begin: begin of the time range, e.g. `now-90d`; it ends now.
        refresh: time between two refreshes, by how often the figures of the range change.
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
        "timezone": of.site.site.timezone,
        "weekStart": "monday",
        "time": {"from": begin, "to": "now"},
        "timepicker": {"refresh_intervals": ["30s", "1m", "5m", "15m", "1h"]},
        "refresh": refresh,
        "annotations": {"list": []},
        "links": [_home(of), _all_boards(of)],
        "templating": {"list": list(variables)},
        "panels": lay_out(rows),
    }


def panel_text(
    of: BoardSite, title: Msgid, description: Msgid, nothing: Msgid = NOTHING
) -> PanelText:
    """Return the texts of a panel in the reader's language."""
    return PanelText(of.translate(title), of.translate(description), of.translate(nothing))


def _home(of: BoardSite) -> Json:
    return {
        "type": "link",
        "title": of.translate("Start page"),
        "url": f"/d/{uid('start')}",
        "icon": "dashboard",
        "tags": [],
        "targetBlank": False,
        "includeVars": False,
        "keepTime": False,
    }


def _all_boards(of: BoardSite) -> Json:
    return {
        "type": "dashboards",
        "title": of.translate("Boards"),
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "targetBlank": False,
        "includeVars": True,
        "keepTime": False,
    }
