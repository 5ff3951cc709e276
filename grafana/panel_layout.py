"""Lay out panels in rows, one below the other, so that none overlap."""

from collections.abc import Sequence
from itertools import count

import msgspec

from grafana.field_display import Json
from grafana.panels import GRID_COLUMNS


class PanelRow(msgspec.Struct, frozen=True):
    """Panels of one height that share the whole width.

    Attributes:
        height: height in Grafana's grid units (30 px).
        panels: panels from left to right.
        title: heading above the row; empty for none.
        widths: width of each panel in grid columns, 24 together; empty for equal widths.
    """

    height: int
    panels: tuple[Json, ...]
    title: str = ""
    widths: tuple[int, ...] = ()


def lay_out(rows: Sequence[PanelRow]) -> list[Json]:
    """Return the panels with ids and positions, including the headings.

    A row without panels is left out, including its heading.
    """
    numbers = count(1)
    placed: list[Json] = []
    y = 0
    for row in rows:
        if not row.panels:
            continue
        if row.title:
            placed.append(_heading(row.title, next(numbers), y))
            y += 1
        edges = _edges(row)
        for panel, left, right in zip(row.panels, edges, edges[1:], strict=False):
            position = {"x": left, "y": y, "w": right - left, "h": row.height}
            placed.append({"id": next(numbers), "gridPos": position, **panel})
        y += row.height
    return placed


def _edges(row: PanelRow) -> list[int]:
    if row.widths:
        return [sum(row.widths[:number]) for number in range(len(row.widths) + 1)]
    return [GRID_COLUMNS * part // len(row.panels) for part in range(len(row.panels) + 1)]


def _heading(title: str, number: int, y: int) -> Json:
    position = {"x": 0, "y": y, "w": GRID_COLUMNS, "h": 1}
    return {
        "id": number,
        "gridPos": position,
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
    }
