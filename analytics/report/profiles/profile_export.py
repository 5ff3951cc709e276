"""Write load profiles as JSON and CSV, for other programs. Pure.

Laws: an unknown value is null in JSON and an empty cell in CSV, never 0. Numbers keep all their
digits. Times are local, with their offset.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from analytics.figures.figure import rounded
from analytics.profiles.load_profile import LoadProfile, ProfileValue
from analytics.report.figure_json import finding_element
from analytics.report.output_text import csv_text, json_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels
from jieneng.metering.figures.profile_figures import LOAD_UNITS, PROFILE_FIGURES

#: Name of the rows of the usual week in the CSV file.
_WEEK: Final = "week"
_COLUMNS: Final = (
    "scope",
    "kind",
    "medium",
    "period",
    "until",
    "figure",
    "month",
    "weekday",
    "hour",
    "value",
    "low",
    "high",
    "count",
    "unit",
    "coverage",
    "time",
    "interval",
)


def to_json(profiles: Sequence[LoadProfile], translate: Translate, labels: Labels) -> str:
    """Return the profiles as the text of one JSON array."""
    elements = [
        {
            **_subject(one),
            "coverage": one.coverage,
            "figures": [
                {
                    "figure": name,
                    "name": translate(PROFILE_FIGURES[name].en),
                    "unit": PROFILE_FIGURES[name].unit_of(one.medium),
                    **_value(value, labels),
                }
                for name, value in one.figures.items()
            ],
            "peaks": [
                {"month": month, "unit": LOAD_UNITS[one.medium], **_value(peak, labels)}
                for month, peak in one.peaks.items()
            ],
            "week": list(_week(one)),
            "findings": [finding_element(found, translate, labels) for found in one.findings],
        }
        for one in profiles
    ]
    return json_text(elements)


def to_csv(profiles: Sequence[LoadProfile], labels: Labels) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180).

    A row is a figure, the peak of a month, or an hour of the usual week (`figure` is `week`).
    """
    return csv_text(_COLUMNS, _csv_rows(profiles, labels))


def _csv_rows(profiles: Sequence[LoadProfile], labels: Labels) -> Iterator[dict[str, Any]]:
    for one in profiles:
        subject, load = _subject(one), LOAD_UNITS[one.medium]
        for name, value in one.figures.items():
            unit = PROFILE_FIGURES[name].unit_of(one.medium)
            yield {**subject, "figure": name, "unit": unit, **_value(value, labels)}
        for month, peak in one.peaks.items():
            named = {"figure": "peak_demand", "month": month, "unit": load}
            yield {**subject, **named, **_value(peak, labels)}
        for hour in _week(one):
            median = hour.pop("median")
            yield {**subject, "figure": _WEEK, "unit": load, "value": median, **hour}


def _subject(profile: LoadProfile) -> dict[str, Any]:
    return {
        "scope": profile.subject.id,
        "kind": profile.subject.kind,
        "medium": profile.medium,
        "period": profile.period.id,
        "until": f"{profile.period.end - timedelta(days=1)}",
    }


def _value(found: ProfileValue, labels: Labels) -> dict[str, Any]:
    time = None
    if found.time_ms is not None and found.value is not None:
        time = datetime.fromtimestamp(found.time_ms / 1000, labels.zone).isoformat()
    return {
        "value": found.value,
        "coverage": found.coverage,
        "time": time,
        "interval": found.interval,
    }


def _week(profile: LoadProfile) -> Iterator[dict[str, Any]]:
    """Yield the hours of the usual week; the weekday is 1 for Monday to 7 (ISO 8601)."""
    week = profile.week
    for day in range(len(week.median)):
        for hour in range(len(week.median[day])):
            loads = {
                "low": week.low[day, hour],
                "median": week.median[day, hour],
                "high": week.high[day, hour],
            }
            yield {
                "weekday": day + 1,
                "hour": hour,
                **{name: rounded(float(load)) for name, load in loads.items()},
                "count": int(week.count[day, hour]),
            }
