"""Charts as SVG text: data in, an element out. Colours come from the page's style by class.

Law: what is unknown leaves a gap, never a zero; each chart can be read aloud (a title and a
description) and without colour (dashes, hollow marks, hatching).
"""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from analytics.report import figure_texts
from analytics.report.chart_axis import Axis, axis
from analytics.report.html_elements import Html, join, tag

_WIDTH, _HEIGHT = 300.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 24.0, 22.0


class Bar(msgspec.Struct, frozen=True):
    """Bar of a month in a chart.

    Attributes:
        label: below it.
        value: None draws nothing.
        reference: the same month of the base period, a stroke across the bar.
        doubtful: drawn hatched, because its coverage is below the floor.
    """

    label: str
    value: float | None
    reference: float | None = None
    doubtful: bool = False


class Mark(msgspec.Struct, frozen=True):
    """Point of a year in a chart: the value, and the value that the glide path asks for."""

    label: str
    value: float | None
    path: float | None = None
    doubtful: bool = False


def month_bars(title: str, unit: str, bars: Sequence[Bar]) -> Html:
    """Consumption by month, each beside the base period's."""
    known = [x for bar in bars for x in (bar.value, bar.reference) if x is not None]
    scale = axis(known, _HEIGHT - _BOTTOM, _TOP, from_zero=True)
    slot = (_WIDTH - _LEFT - _RIGHT) / max(len(bars), 1)
    drawn: list[str] = [_grid(scale, unit)]
    for number, bar in enumerate(bars):
        left = _LEFT + number * slot
        drawn.append(_label(left + slot / 2, _HEIGHT - 7, bar.label, "middle"))
        if bar.value is not None:
            top = scale.at(bar.value)
            shape = {
                "x": left + slot * 0.16,
                "y": top,
                "width": slot * 0.68,
                "height": scale.start - top,
            }
            hint = tag("title", f"{bar.label}: {figure_texts.number(bar.value)} {unit}")
            drawn.append(tag("rect", hint, class_="bar thin" if bar.doubtful else "bar", **shape))
        if bar.reference is not None:
            drawn.append(_line(left + 1, scale.at(bar.reference), left + slot - 1, None, "base"))
    return _chart(title, ", ".join(_spoken(bar.label, bar.value, unit) for bar in bars), drawn)


def glide_path(title: str, unit: str, marks: Sequence[Mark], target: float | None) -> Html:
    """Value and glide path by year, with the target at the end."""
    known = [x for mark in marks for x in (mark.value, mark.path) if x is not None]
    known += [] if target is None else [target]
    scale = axis(known, _HEIGHT - _BOTTOM, _TOP, from_zero=False)
    gap = (_WIDTH - _LEFT - _RIGHT - 24) / max(len(marks) - 1, 1)
    places = [_LEFT + 12 + number * gap for number in range(len(marks))]
    drawn: list[str] = [_grid(scale, unit)]
    drawn += [
        _label(x, _HEIGHT - 7, mark.label, "middle") for x, mark in zip(places, marks, strict=True)
    ]
    if target is not None:
        drawn.append(_line(_LEFT, scale.at(target), _WIDTH - _RIGHT, None, "target"))
    drawn += _segments(places, [mark.path for mark in marks], scale, "path")
    drawn += _segments(places, [mark.value for mark in marks], scale, "actual")
    for x, mark in zip(places, marks, strict=True):
        if mark.value is not None:
            hint = tag("title", f"{mark.label}: {figure_texts.number(mark.value)} {unit}")
            name = "dot hollow" if mark.doubtful else "dot"
            drawn.append(tag("circle", hint, cx=x, cy=scale.at(mark.value), r=3.2, class_=name))
    spoken = ", ".join(_spoken(mark.label, mark.value, unit) for mark in marks)
    return _chart(title, spoken, drawn)


def coverage_strip(
    title: str, label: str, cells: Sequence[tuple[str, float | None]], floor: float
) -> Html:
    """A cell below each month's bar: full above the floor, hatched below it, empty if unknown."""
    slot = (_WIDTH - _LEFT - _RIGHT) / max(len(cells), 1)
    drawn: list[str] = [_label(_LEFT - 5, 13, label, "end")]
    for number, (month, value) in enumerate(cells):
        name = "none" if value is None else "full" if value >= floor else "low"
        shape = {"x": _LEFT + number * slot + 1, "y": 2, "width": slot - 2, "height": 14, "rx": 2}
        hint = tag("title", f"{month}: {figure_texts.share(value)}")
        drawn.append(tag("rect", hint, class_=f"cell {name}", **shape))
    spoken = ", ".join(f"{month} {figure_texts.share(value)}" for month, value in cells)
    return _chart(title, spoken, drawn, height=18)


def progress(title: str, change_pct: float | None, target_pct: float) -> Html:
    """Draw the change reached so far as a bar, from the base at 0 towards the target."""
    shown = 0.0 if change_pct is None else change_pct
    # Left is a rise, right is a fall; past the ends the bar stops at the edge.
    scale = Axis(target_pct * 0.5, -target_pct * 1.5, 1.0, _WIDTH - 1, target_pct)
    edge = min(max(scale.at(shown), scale.start), scale.end)
    zero, aim = scale.at(0.0), scale.at(-target_pct)
    drawn: list[str] = [
        tag("rect", x=1, y=7, width=_WIDTH - 2, height=6, rx=3, class_="track"),
        tag("rect", x=min(zero, edge), y=7, width=abs(edge - zero), height=6, class_="fill"),
        _line(zero, 3, zero, 17, "axis"),
        _line(aim, 1, aim, 19, "target"),
        _label(zero, 31, "0", "middle"),
        _label(aim, 31, figure_texts.percent(-target_pct), "middle"),
    ]
    if change_pct is not None:
        drawn.append(tag("circle", cx=edge, cy=10, r=5, class_="dot"))
    return _chart(title, figure_texts.change(change_pct), drawn, height=34)


def cap(title: str, value: float | None, limit: float) -> Html:
    """Draw the share of a cap that is used up as a bar."""
    scale = Axis(0.0, limit * 1.2, 1.0, _WIDTH - 1, limit)
    used = 0.0 if value is None else value
    edge = min(scale.at(used), scale.end)
    drawn: list[str] = [
        tag("rect", x=1, y=4, width=_WIDTH - 2, height=12, rx=3, class_="track"),
        tag("rect", x=1, y=4, width=edge - 1, height=12, rx=3, class_="fill"),
        _line(scale.at(limit), 0, scale.at(limit), 20, "target"),
    ]
    spoken = figure_texts.share(None if value is None else value / limit)
    return _chart(title, spoken, drawn, height=20)


def hatching() -> Html:
    """The pattern of what is doubtful; stands once on a page."""
    stroke = tag("path", d="M0 6 L6 0", class_="hatch")
    pattern = tag("pattern", stroke, id="thin", width=6, height=6, patternUnits="userSpaceOnUse")
    return tag("svg", tag("defs", pattern), width=0, height=0, class_="defs", aria_hidden="true")


def _chart(title: str, spoken: str, drawn: list[str], height: float = _HEIGHT) -> Html:
    return tag(
        "svg",
        join(drawn),
        role="img",
        aria_label=f"{title}: {spoken}",
        viewBox=f"0 0 {_WIDTH:g} {height:g}",
    )


def _grid(scale: Axis, unit: str) -> Html:
    """Horizontal lines with their values, and the unit above them."""
    parts = [_label(2, 10, unit, "start", "unit")]
    for value in scale.ticks():
        y = scale.at(value)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, None, "grid"))
        parts.append(_label(_LEFT - 5, y + 3.5, _tick(value, scale.step), "end"))
    return join(parts)


def _tick(value: float, step: float) -> str:
    """With as many decimals as the step has."""
    decimals = next((count for count in range(4) if round(step, count) == round(step, 6)), 4)
    return f"{value:,.{decimals}f}"


def _segments(
    places: Sequence[float], values: Sequence[float | None], scale: Axis, name: str
) -> list[str]:
    """Lines between neighbours that are both known."""
    points = list(zip(places, values, strict=True))
    return [
        _line(x1, scale.at(y1), x2, scale.at(y2), name)
        for (x1, y1), (x2, y2) in pairwise(points)
        if y1 is not None and y2 is not None
    ]


def _line(x1: float, y1: float, x2: float, y2: float | None, name: str) -> Html:
    """A line; level where y2 is None."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y1 if y2 is None else y2, class_=name)


def _label(x: float, y: float, text: str, anchor: str, name: str = "tick") -> Html:
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=name)


def _spoken(label: str, value: float | None, unit: str) -> str:
    return f"{label} {figure_texts.number(value)}" + ("" if value is None else f" {unit}")
