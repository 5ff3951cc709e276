"""A site of measured buildings: its files, its meters, and plain sums of the files."""

import csv
import gzip
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

#: Buildings of the Cambridge archive whose electricity and gas are both nearly complete.
BUILDINGS = ("b101", "b105", "b109", "b111", "b40", "b5", "b58", "b61", "b64", "b97")

Hours = Mapping[datetime, float]


@cache
def cambridge(measured: Path, medium: str) -> dict[str, Hours]:
    """Hourly kWh by building; a missing hour, which stands there as 0 or empty, is left out."""
    file = measured / "cambridge" / f"{medium}_hourly_kwh.csv.gz"
    found: dict[str, dict[datetime, float]] = {name: {} for name in BUILDINGS}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        header = next(rows)
        times = header.index("datetime")
        columns = [(header.index(name), found[name]) for name in BUILDINGS]
        for row in rows:
            time = datetime.fromisoformat(row[times]).replace(tzinfo=UTC)
            for column, hours in columns:
                text = row[column]
                if text and (value := float(text)):
                    hours[time] = value
    return dict(found)


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
    """Return the plain sum of the hours of a local day in the file."""
    time = day.replace(tzinfo=zone).astimezone(UTC)
    end = (day + timedelta(days=1)).replace(tzinfo=zone)
    total = 0.0
    while time < end:
        total += hours.get(time, 0.0)
        time += timedelta(hours=1)
    return total


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
