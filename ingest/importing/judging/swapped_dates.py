"""Recognise dates whose day and month were swapped, from the order of a file's lines. Pure.

A spreadsheet program that expects month/day reads 05/01/2025, the fifth of January, as the first
of May. Days after the 12th can't be swapped, so they stay right. The times of the file then jump
forth and back, and swapping day and month where the day is 12 or less puts them in order.

Law: a file that is out of order in another way is no such file.
"""

from array import array
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.local_days import local_time, swapped_day

#: Least number of jumps against the order of the file.
_LEAST_JUMPS: Final = 2
#: Greatest share of the jumps that are left when day and month are swapped.
_GREATEST_REST: Final = 0.1
#: Number of lines that are shown.
_SHOWN: Final = 3


class SwappedDates(msgspec.Struct, frozen=True):
    """Jumps in time that swapping day and month mends.

    Attributes:
        jumps: number of the jumps.
        lines: first lines at which the time jumps.
        line: line of the first jump.
        written: local date before the first jump, as it is written.
        meant: that date with day and month swapped.
    """

    jumps: int
    lines: tuple[int, ...]
    written: str
    meant: str


def find_swapped_dates(
    times_ms: Sequence[int], lines: Sequence[int], zone: ZoneInfo
) -> SwappedDates | None:
    """Return the jumps of a series that swapping day and month mends; None if there are none.

    Args:
        times_ms: times in the order of the file [UTC, ms].
        lines: their lines.
        zone: time zone of the dates.
    """
    jumps = _jumps(times_ms)
    if len(jumps) < _LEAST_JUMPS:
        return None
    swapped = array("q", (swapped_day(time_ms, zone) for time_ms in times_ms))
    if len(_jumps(swapped)) > _GREATEST_REST * len(jumps):
        return None
    wrong = next(place for place, time_ms in enumerate(times_ms) if time_ms != swapped[place])
    written, meant = (_date(times[wrong], zone) for times in (times_ms, swapped))
    return SwappedDates(len(jumps), tuple(lines[place] for place in jumps[:_SHOWN]), written, meant)


def _jumps(times_ms: Sequence[int]) -> list[int]:
    """Return the places before which the time runs against the order of the file."""
    back = [place for place, (one, other) in enumerate(pairwise(times_ms), 1) if other < one]
    if 2 * len(back) < len(times_ms):
        return back
    return [place for place, (one, other) in enumerate(pairwise(times_ms), 1) if other > one]


def _date(time_ms: int, zone: ZoneInfo) -> str:
    return datetime.strftime(local_time(time_ms, zone), "%Y-%m-%d")
