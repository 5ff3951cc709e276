"""Draw charts as SVG elements. Their classes refer to colours in the page's style sheet.

Laws: an unknown value leaves a gap, and is never drawn as 0. Each chart has a title and a
description for screen readers. Dashes, hollow points and hatching give all information without
colour.
"""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from analytics.report import figure_texts
from analytics.report.drawing.chart_axis import Axis, make_axis
from analytics.report.html_elements import Html, element, join

_WIDTH, _HEIGHT = 300.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 24.0, 22.0


class MonthBar(msgspec.Struct, frozen=True):
    """Bar of a month.

    Attributes:
        label: text below the bar.
        value: height of the bar; None draws no bar.
        baseline: value of the same month of the base year, drawn as a line across the bar.
        low_coverage: True if the coverage is below the floor; then the bar is hatched.
    """

    label: str
    value: float | None
    baseline: float | None = None
    low_coverage: bool = False


class YearPoint(msgspec.Struct, frozen=True):
    """Point of a year.

    Attributes:
        label: text below the point.
        value: the indicator's value; None draws no point.
        path: value that the glide path allows; None breaks the line.
        low_coverage: True if the coverage is below the floor; then the point is hollow.
    """

    label: str
    value: float | None
    path: float | None = None
    low_coverage: bool = False


class WaterfallBar(msgspec.Struct, frozen=True):
    """Bar of a waterfall chart.

    Attributes:
        label: text before the bar.
        start: level at which the bar begins.
        end: level at which it ends.
        text: value of the bar, after it.
        is_total: True for a level, False for a change.
    """

    label: str
    start: float
    end: float
    text: str
    is_total: bool


def month_bar_chart(title: str, unit: str, bars: Sequence[MonthBar]) -> Html:
    """Draw the consumption of each month, and of the same month of the base year."""
    values = [x for bar in bars for x in (bar.value, bar.baseline) if x is not None]
    scale = make_axis(values, _HEIGHT - _BOTTOM, _TOP, from_zero=True)
    slot_width = (_WIDTH - _LEFT - _RIGHT) / max(len(bars), 1)
    elements: list[str] = [_grid(scale, unit)]
    for number, bar in enumerate(bars):
        left = _LEFT + number * slot_width
        elements.append(_label(left + slot_width / 2, _HEIGHT - 7, bar.label, "middle"))
        if bar.value is not None:
            top = scale.to_pixel(bar.value)
            attributes = {
                "x": left + slot_width * 0.16,
                "y": top,
                "width": slot_width * 0.68,
                "height": scale.start - top,
            }
            tooltip = element("title", f"{bar.label}: {figure_texts.number(bar.value)} {unit}")
            elements.append(
                element(
                    "rect", tooltip, class_="bar thin" if bar.low_coverage else "bar", **attributes
                )
            )
        if bar.baseline is not None:
            elements.append(
                _line(left + 1, scale.to_pixel(bar.baseline), left + slot_width - 1, None, "base")
            )
    return _chart(
        title, ", ".join(_value_text(bar.label, bar.value, unit) for bar in bars), elements
    )


def glide_path_chart(
    title: str, unit: str, points: Sequence[YearPoint], target: float | None
) -> Html:
    """Draw value and glide path by year, with the target as a horizontal line."""
    values = [x for point in points for x in (point.value, point.path) if x is not None]
    values += [] if target is None else [target]
    scale = make_axis(values, _HEIGHT - _BOTTOM, _TOP, from_zero=False)
    gap = (_WIDTH - _LEFT - _RIGHT - 24) / max(len(points) - 1, 1)
    xs = [_LEFT + 12 + number * gap for number in range(len(points))]
    elements: list[str] = [_grid(scale, unit)]
    elements += [
        _label(x, _HEIGHT - 7, point.label, "middle") for x, point in zip(xs, points, strict=True)
    ]
    if target is not None:
        elements.append(_line(_LEFT, scale.to_pixel(target), _WIDTH - _RIGHT, None, "target"))
    elements += _segments(xs, [point.path for point in points], scale, "path")
    elements += _segments(xs, [point.value for point in points], scale, "actual")
    for x, point in zip(xs, points, strict=True):
        if point.value is not None:
            tooltip = element("title", f"{point.label}: {figure_texts.number(point.value)} {unit}")
            name = "dot hollow" if point.low_coverage else "dot"
            elements.append(
                element("circle", tooltip, cx=x, cy=scale.to_pixel(point.value), r=3.2, class_=name)
            )
    description = ", ".join(_value_text(point.label, point.value, unit) for point in points)
    return _chart(title, description, elements)


def coverage_strip(
    title: str, label: str, cells: Sequence[tuple[str, float | None]], floor: float
) -> Html:
    """Draw the coverage of each month as a cell below its bar.

    The cell is full if the coverage reaches the floor, hatched if it is lower, empty if unknown.

    Args:
        title: title of the chart.
        label: text before the cells.
        cells: (month, coverage) pairs; coverage from 0 to 1, None if unknown.
        floor: smallest coverage for a verdict, 0 to 1.
    """
    slot_width = (_WIDTH - _LEFT - _RIGHT) / max(len(cells), 1)
    elements: list[str] = [_label(_LEFT - 5, 13, label, "end")]
    for number, (month, value) in enumerate(cells):
        name = "none" if value is None else "full" if value >= floor else "low"
        attributes = {
            "x": _LEFT + number * slot_width + 1,
            "y": 2,
            "width": slot_width - 2,
            "height": 14,
            "rx": 2,
        }
        tooltip = element("title", f"{month}: {figure_texts.share(value)}")
        elements.append(element("rect", tooltip, class_=f"cell {name}", **attributes))
    description = ", ".join(f"{month} {figure_texts.share(value)}" for month, value in cells)
    return _chart(title, description, elements, height=18)


def target_progress_bar(title: str, change_pct: float | None, target_pct: float) -> Html:
    """Draw the change since the base year as a bar from 0 towards the target.

    Args:
        title: title of the chart.
        change_pct: change against the baseline [%]; negative for a decrease; None if unknown.
        target_pct: decrease that the plan requires [%].
    """
    shown = 0.0 if change_pct is None else change_pct
    # An increase is drawn to the left, a decrease to the right, up to the edge of the chart.
    scale = Axis(target_pct * 0.5, -target_pct * 1.5, 1.0, _WIDTH - 1, target_pct)
    edge = min(max(scale.to_pixel(shown), scale.start), scale.end)
    zero, target = scale.to_pixel(0.0), scale.to_pixel(-target_pct)
    elements: list[str] = [
        element("rect", x=1, y=7, width=_WIDTH - 2, height=6, rx=3, class_="track"),
        element("rect", x=min(zero, edge), y=7, width=abs(edge - zero), height=6, class_="fill"),
        _line(zero, 3, zero, 17, "axis"),
        _line(target, 1, target, 19, "target"),
        _label(zero, 31, "0", "middle"),
        _label(target, 31, figure_texts.percent(-target_pct), "middle"),
    ]
    if change_pct is not None:
        elements.append(element("circle", cx=edge, cy=10, r=5, class_="dot"))
    return _chart(title, figure_texts.change(change_pct), elements, height=34)


def cap_bar(title: str, value: float | None, limit: float) -> Html:
    """Draw the used share of a cap as a bar."""
    scale = Axis(0.0, limit * 1.2, 1.0, _WIDTH - 1, limit)
    shown = 0.0 if value is None else value
    edge = min(scale.to_pixel(shown), scale.end)
    elements: list[str] = [
        element("rect", x=1, y=4, width=_WIDTH - 2, height=12, rx=3, class_="track"),
        element("rect", x=1, y=4, width=edge - 1, height=12, rx=3, class_="fill"),
        _line(scale.to_pixel(limit), 0, scale.to_pixel(limit), 20, "target"),
    ]
    description = figure_texts.share(None if value is None else value / limit)
    return _chart(title, description, elements, height=20)


def waterfall_chart(title: str, bars: Sequence[WaterfallBar]) -> Html:
    """Draw levels and the changes between them as horizontal bars, one below the other."""
    row, left, right = 24.0, 96.0, _WIDTH - 66.0
    levels = [level for bar in bars for level in (bar.start, bar.end)]
    scale = Axis(min(0.0, *levels), max(1e-9, *levels), left, right, 1.0)
    elements: list[str] = []
    for number, bar in enumerate(bars):
        top = number * row
        x1, x2 = sorted((scale.to_pixel(bar.start), scale.to_pixel(bar.end)))
        name = "bar" if bar.is_total else "rise" if bar.end > bar.start else "fall"
        attributes = {"x": x1, "y": top + 4, "width": max(x2 - x1, 1.0), "height": row - 8}
        elements.append(_label(left - 6, top + 16, bar.label, "end"))
        elements.append(element("rect", class_=name, **attributes))
        elements.append(_label(_WIDTH, top + 16, bar.text, "end", "tick value"))
        if number + 1 < len(bars):
            end = scale.to_pixel(bar.end)
            elements.append(_line(end, top + row - 4, end, top + row + 4, "axis"))
    description = ", ".join(f"{bar.label} {bar.text}" for bar in bars)
    return _chart(title, description, elements, height=row * len(bars))


def hatch_pattern() -> Html:
    """Return the hatch pattern for values with low coverage; a page must contain it once."""
    stroke = element("path", d="M0 6 L6 0", class_="hatch")
    pattern = element(
        "pattern", stroke, id="thin", width=6, height=6, patternUnits="userSpaceOnUse"
    )
    return element(
        "svg", element("defs", pattern), width=0, height=0, class_="defs", aria_hidden="true"
    )


def _chart(title: str, description: str, elements: list[str], height: float = _HEIGHT) -> Html:
    return element(
        "svg",
        join(elements),
        role="img",
        aria_label=f"{title}: {description}",
        viewBox=f"0 0 {_WIDTH:g} {height:g}",
    )


def _grid(scale: Axis, unit: str) -> Html:
    """Draw horizontal lines with their values, and the unit above them."""
    parts = [_label(2, 10, unit, "start", "unit")]
    for value in scale.ticks():
        y = scale.to_pixel(value)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, None, "grid"))
        parts.append(_label(_LEFT - 5, y + 3.5, _tick(value, scale.step), "end"))
    return join(parts)


def _tick(value: float, step: float) -> str:
    """Return the text of a tick, with as many decimals as the step has."""
    decimals = next((count for count in range(4) if round(step, count) == round(step, 6)), 4)
    return f"{value:,.{decimals}f}"


def _segments(
    xs: Sequence[float], values: Sequence[float | None], scale: Axis, name: str
) -> list[str]:
    """Draw lines between neighbouring points if both are known."""
    points = list(zip(xs, values, strict=True))
    return [
        _line(x1, scale.to_pixel(y1), x2, scale.to_pixel(y2), name)
        for (x1, y1), (x2, y2) in pairwise(points)
        if y1 is not None and y2 is not None
    ]


def _line(x1: float, y1: float, x2: float, y2: float | None, name: str) -> Html:
    """Draw a line; a horizontal one if `y2` is None."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y1 if y2 is None else y2, class_=name)


def _label(x: float, y: float, text: str, anchor: str, name: str = "tick") -> Html:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=name)


def _value_text(label: str, value: float | None, unit: str) -> str:
    return f"{label} {figure_texts.number(value)}" + ("" if value is None else f" {unit}")
