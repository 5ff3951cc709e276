"""Render load profiles as tables for a terminal, with the usual week as a chart of characters.

Laws: an unknown value is "—", and an unknown hour of the week is "·". Pure.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from analytics.periods import parse
from analytics.profiles.load_profile import LoadProfile, ProfileValue
from analytics.report import figure_texts
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.figures.profile_figures import LOAD_UNITS, PROFILE_FIGURES

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_UNKNOWN_HOUR: Final = "·"
#: Width of an hour in the chart [characters].
_HOUR_WIDTH: Final = 2
#: Hours of the chart's scale, each for a quarter of the day.
_SCALE: Final = "".join(f"{hour:<{6 * _HOUR_WIDTH}}" for hour in (0, 6, 12, 18))


def overview(profiles: Sequence[LoadProfile], translate: Translate, labels: Labels) -> Table:
    """Return a table with a row for each profile."""
    columns = {
        name: [value_text(name, one, translate) if name in one.figures else "" for one in profiles]
        for name in PROFILE_FIGURES
        if any(name in one.figures for one in profiles)
    }
    periods = dict.fromkeys(_period(one, translate) for one in profiles)
    table = _table(f"{translate('Load profiles')} {translate(', ').join(periods)}".rstrip())
    table.add_column(translate("Scope"), overflow="fold")
    table.add_column(translate("Medium"), no_wrap=True)
    for name, texts in columns.items():
        heading = translate(PROFILE_FIGURES[name].en)
        table.add_column(heading, justify="right", min_width=max(map(len, texts)))
    for one, *texts in zip(profiles, *columns.values(), strict=True):
        medium = figure_texts.medium_name(one.medium, translate)
        table.add_row(labels.name(one.subject.id), medium, *texts)
    return table


def details(
    profile: LoadProfile, translate: Translate, labels: Labels
) -> Iterator[Table | Text | str]:
    """Yield the tables of a profile: figures, peaks by month, and the usual week if it is known."""
    medium = figure_texts.medium_name(profile.medium, translate)
    period = _period(profile, translate)
    yield Text(f"{labels.name(profile.subject.id)} · {medium} · {period}", style="bold")
    yield _figures(profile, translate, labels)
    if len(profile.peaks) > 1:
        yield _peaks(profile, translate, labels)
    if profile.week.count.any():
        yield _week(profile, translate)


def finding_lines(
    profiles: Sequence[LoadProfile], translate: Translate, labels: Labels
) -> Iterator[str]:
    """Yield the sentence of each finding."""
    for one in profiles:
        for finding in one.findings:
            yield finding_text(finding, translate, labels)


def _period(profile: LoadProfile, translate: Translate) -> str:
    """Return the id of a period, with its last day if it is not over."""
    days = profile.period
    if days.end == parse(days.id).end:
        return days.id
    return translate("{period}, until {until}").format(
        period=days.id, until=days.end - timedelta(days=1)
    )


def value_text(name: str, profile: LoadProfile, translate: Translate) -> str:
    """Return the text of a figure with its unit, and "(1 h)" after a peak of hours."""
    row, found = PROFILE_FIGURES[name], profile.figures[name]
    if found.value is None:
        return figure_texts.UNKNOWN
    if row.is_share:
        return figure_texts.rounded_share(found.value)
    unit = row.unit_of(profile.medium)
    number = figure_texts.number(found.value)
    text = number if unit == "1" else f"{number} {figure_texts.unit(unit, translate)}"
    return f"{text} (1 h)" if found.interval == "hour" else text


def _figures(profile: LoadProfile, translate: Translate, labels: Labels) -> Table:
    table = _table("")
    table.add_column(translate("Figure"), no_wrap=True)
    for heading in (translate("Value"), translate("Coverage"), translate("Time")):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in profile.figures.items():
        table.add_row(
            translate(PROFILE_FIGURES[name].en),
            value_text(name, profile, translate),
            figure_texts.share(found.coverage),
            _time(found, labels),
        )
    return table


def _peaks(profile: LoadProfile, translate: Translate, labels: Labels) -> Table:
    unit = figure_texts.unit(LOAD_UNITS[profile.medium], translate)
    table = _table(translate("Peak demand by month [{unit}]").format(unit=unit))
    table.add_column(translate("Month"), no_wrap=True)
    for heading in (translate("Value"), translate("Coverage"), translate("Time")):
        table.add_column(heading, justify="right", no_wrap=True)
    for month, peak in profile.peaks.items():
        value, coverage = figure_texts.number(peak.value), figure_texts.share(peak.coverage)
        table.add_row(month, value, coverage, _time(peak, labels))
    return table


def _time(found: ProfileValue, labels: Labels) -> str:
    if found.value is None or found.time_ms is None:
        return ""
    return f"{datetime.fromtimestamp(found.time_ms / 1000, labels.zone):%Y-%m-%d %H:%M}"


def _week(profile: LoadProfile, translate: Translate) -> Table:
    """Return the chart of the usual week: a row for each weekday, two characters for each hour."""
    unit = figure_texts.unit(LOAD_UNITS[profile.medium], translate)
    table = _table(translate("Usual week: median of each hour [{unit}]").format(unit=unit))
    table.add_column("", no_wrap=True)
    table.add_column(_SCALE, no_wrap=True)
    for heading in (translate("Lowest hour"), translate("Highest hour")):
        table.add_column(heading, justify="right", no_wrap=True)
    days = profile.week.median.tolist()
    greatest = max((load for day in days for load in day if not math.isnan(load)), default=0.0)
    for name, day in zip(_weekdays(translate), days, strict=True):
        known = [load for load in day if not math.isnan(load)]
        table.add_row(
            name,
            "".join(_HOUR_WIDTH * _block(load, greatest) for load in day),
            figure_texts.number(min(known, default=None)),
            figure_texts.number(max(known, default=None)),
        )
    return table


def _block(value: float, greatest: float) -> str:
    """Return the character of a load: from the lowest block for 0 to the highest one."""
    if math.isnan(value):
        return _UNKNOWN_HOUR
    share = value / greatest if greatest > 0 else 0.0
    return _BLOCKS[min(max(int(share * len(_BLOCKS)), 0), len(_BLOCKS) - 1)]


def _weekdays(translate: Translate) -> tuple[str, ...]:
    return (
        translate("Mon"),
        translate("Tue"),
        translate("Wed"),
        translate("Thu"),
        translate("Fri"),
        translate("Sat"),
        translate("Sun"),
    )


def _table(title: str) -> Table:
    return Table(
        title=escape(title) or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
