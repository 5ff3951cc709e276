"""Panels side by side in rows, rows one below the other: nothing can overlap."""

from collections.abc import Sequence
from itertools import count

import msgspec

from grafana.panels import GRID_COLUMNS, Json


class PanelRow(msgspec.Struct, frozen=True):
    """Panels of one height that share the whole width.

    Attributes:
        height: in Grafana's grid units (30 px).
        panels: from left to right.
        title: of a heading above it; empty: none.
    """

    height: int
    panels: tuple[Json, ...]
    title: str = ""


def lay_out(rows: Sequence[PanelRow]) -> list[Json]:
    """The panels with their ids and places, headings among them."""
    numbers = count(1)
    placed: list[Json] = []
    y = 0
    for row in rows:
        if row.title:
            placed.append(_heading(row.title, next(numbers), y))
            y += 1
        edges = [GRID_COLUMNS * part // len(row.panels) for part in range(len(row.panels) + 1)]
        for panel, left, right in zip(row.panels, edges, edges[1:], strict=False):
            where = {"x": left, "y": y, "w": right - left, "h": row.height}
            placed.append({"id": next(numbers), "gridPos": where, **panel})
        y += row.height
    return placed


def _heading(title: str, number: int, y: int) -> Json:
    where = {"x": 0, "y": y, "w": GRID_COLUMNS, "h": 1}
    return {
        "id": number,
        "gridPos": where,
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
    }
