"""Sites whose meters count evenly, and commands that run on a given day."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

from jieneng.clock import SystemClock
from tests.cases.case_site import AREA, CaseSite, meter

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_AREA = """
[[area]]
id = "new"
name = "新楼"
floor_area_m2 = [{from = %s, value = 1000.0}]
headcount = [{from = %s, value = 20}]
"""

Readings = list[tuple[datetime, float | str]]


@contextmanager
def today(year: int, month: int, day: int) -> Iterator[None]:
    """Run commands at noon of a day."""
    moment = datetime(year, month, day, 12, tzinfo=SHANGHAI)
    now_ms = int(moment.timestamp() * 1000)
    with mock.patch.object(SystemClock, "now_ms", return_value=now_ms):
        yield


def monthly(
    first: datetime, until: datetime, a_day: float | Mapping[int, float], start: float = 0.0
) -> Readings:
    """Return the register on the first day of each month, and at `until`.

    Args:
        first: first reading, on the first day of a month.
        until: last reading.
        a_day: consumption of a day, or that of a day in each year.
        start: the first reading.
    """
    times, time = [], first
    while time < until:
        times.append(time)
        time = datetime(time.year + time.month // 12, time.month % 12 + 1, 1)
    rows: Readings = [(first, start)]
    value = start
    for before, after in zip(times, [*times[1:], until], strict=True):
        rate = a_day if isinstance(a_day, float) else a_day[before.year]
        value += rate * (after - before).days
        rows.append((after, value))
    return rows


def loaded(
    folder: Path,
    registers: Mapping[str, Readings],
    areas: str = AREA,
    keys: Mapping[str, Sequence[str]] | None = None,
) -> CaseSite:
    """Return a site with a meter for each series of readings, which are imported.

    Args:
        folder: an empty folder.
        registers: readings by meter id; empty for a meter that was never read.
        areas: areas of `site.toml`.
        keys: further lines of TOML of a meter, by its id.
    """
    lines = keys or {}
    site = CaseSite(folder, "".join(meter(one, *lines.get(one, ())) for one in registers), areas)
    for meter_id, rows in registers.items():
        if rows:
            site.load(site.readings(rows, meter_id, f"{meter_id}.csv"))
    return site


def figure_on(
    site: CaseSite, day: tuple[int, int, int], indicator: str, period: object, scope: str = "house"
) -> Mapping[str, Any]:
    """Return a figure as it is on a day."""
    with today(*day):
        done = site.run("analytics", "once")
        assert done.code == 0, done.err
        return site.figure(indicator, period, scope)
