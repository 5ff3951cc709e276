"""Build the frame of a board: what all boards share beside their panels."""

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

#: Folder of the boards, by its name and its UID.
FOLDER: Final = "节能"
FOLDER_UID: Final = "jieneng"


class Words(msgspec.Struct, frozen=True):
    """Sentences of a row of a table, in English, to be translated.

    Attributes:
        title: short name.
        description: definition or remark; None where the title says enough.
    """

    title: Msgid
    description: Msgid | None = None


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
    end: str = "now",
    refresh: Refresh,
) -> Json:
    """Return the JSON of a board.

    Args:
        key: name of the board's file.
        text: title and description.
        of: the site and the language.
        variables: variables, the site first.
        rows: rows of panels.
        begin: begin of the time range, e.g. `now-90d`.
        end: end of the time range.
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
        "time": {"from": begin, "to": end},
        "timepicker": {"refresh_intervals": ["30s", "1m", "5m", "15m", "1h"]},
        "refresh": refresh,
        "annotations": {"list": []},
        "links": [_home(of), _all_boards(of)],
        "templating": {"list": list(variables)},
        "panels": lay_out(rows),
    }


def nothing(of: BoardSite) -> str:
    """Return the sentence of a panel without data."""
    return of.tr("No data in this time range. Choose a longer one, or another scope.")


def panel_text(
    of: BoardSite, title: Msgid, description: Msgid, empty: Msgid | None = None
) -> PanelText:
    """Return the texts of a panel in the reader's language; `empty` if it has no data."""
    without = nothing(of) if empty is None else of.tr(empty)
    return PanelText(of.tr(title), of.tr(description), without)


def words_text(of: BoardSite, words: Words, empty: Msgid | None = None) -> PanelText:
    """Return the texts of a panel from a row of a table."""
    without = nothing(of) if empty is None else of.tr(empty)
    return PanelText(of.tr(words.title), _description(of, words), without)


def _description(of: BoardSite, words: Words) -> str:
    return "" if words.description is None else of.tr(words.description)


def _home(of: BoardSite) -> Json:
    return {
        "type": "link",
        "title": of.tr("Start page"),
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
        "title": of.tr("Boards"),
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "targetBlank": False,
        "includeVars": True,
        "keepTime": False,
    }
