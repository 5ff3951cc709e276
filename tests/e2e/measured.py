"""Measured buildings as a site: which files, which meters, and what the files say plainly."""

import csv
import gzip
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

#: Buildings of the Cambridge archive whose electricity and gas are both nearly complete.
BUILDINGS = ("b101", "b105", "b109", "b111", "b40", "b5", "b58", "b61", "b64", "b97")

Hours = Mapping[datetime, float]


def cambridge(measured: Path, medium: str) -> dict[str, dict[datetime, float]]:
    """Hourly kWh by building; a missing hour, which stands there as 0 or empty, is left out."""
    file = measured / "cambridge" / f"{medium}_hourly_kwh.csv.gz"
    found: dict[str, dict[datetime, float]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            time = datetime.fromisoformat(row.pop("datetime")).replace(tzinfo=UTC)
            for building, text in row.items():
                if text and float(text) != 0.0:
                    found.setdefault(building, {})[time] = float(text)
    return found


def opengrid_water(measured: Path) -> dict[str, dict[datetime, float]]:
    """Litres an hour by meter, from the litres a minute of March 2015."""
    file = measured / "opengrid" / "water_march2015_min.csv.gz"
    found: dict[str, dict[datetime, float]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            time = datetime.fromisoformat(row.pop("")).astimezone(UTC)
            hour = time.replace(minute=0, second=0)
            for meter, text in row.items():
                if text:
                    hours = found.setdefault(meter, {})
                    hours[hour] = hours.get(hour, 0.0) + float(text)
    return found


def shifted(hours: Hours, by: timedelta) -> dict[datetime, float]:
    """The same measurements at other times, so that all files tell of the same days."""
    return {time + by: value for time, value in hours.items()}


def day_sum(hours: Hours, day: datetime, zone: ZoneInfo) -> float:
    """What the file says of a local day: the plain sum of its hours."""
    begin = day.replace(tzinfo=zone)
    end = (day + timedelta(days=1)).replace(tzinfo=zone)
    return sum(value for time, value in hours.items() if begin <= time < end)


def write_wide(file: Path, columns: Mapping[str, Hours], begin: datetime, end: datetime) -> None:
    """A CSV with a column a meter, hourly; what is missing stands there as 0, as in the archive."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["time", *columns])
        time = begin
        while time < end:
            writer.writerow(
                [time.isoformat(), *(hours.get(time, 0.0) for hours in columns.values())]
            )
            time += timedelta(hours=1)
