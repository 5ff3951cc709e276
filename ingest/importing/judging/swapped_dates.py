"""Recognise dates whose day and month were swapped, from the order of a file's lines. Pure.

A spreadsheet program that expects month/day reads 05/01/2025, meant as the fifth of January, as the
first of May. Dates after the 12th of a month can't be misread in this way, so they stay right. As a
result, the times of the file jump back and forth. Swapping day and month of each date up to the
12th restores their order.

Law: dates are reported as swapped only if swapping them puts the lines in order.
"""

from array import array
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.local_days import local_time, swapped_day

#: Jumps against the order of the file are reported if there are at least this many.
_LEAST_JUMPS: Final = 2
#: Jumps are reported if at most this share of them remains after day and month were swapped.
_GREATEST_REST: Final = 0.1
#: Number of lines that are shown.
_SHOWN: Final = 3


class SwappedDates(msgspec.Struct, frozen=True):
    """Jumps in time that disappear if day and month are swapped.

    Attributes:
        jumps: number of jumps.
        lines: first lines at which the time jumps.
        written: first local date that is changed by swapping, as the file has it.
        meant: the same date with day and month swapped.
    """

    jumps: int
    lines: tuple[int, ...]
    written: str
    meant: str


def find_swapped_dates(
    times_ms: Sequence[int], lines: Sequence[int], zone: ZoneInfo
) -> SwappedDates | None:
    """Return the jumps of a series with swapped dates; None if its dates don't look swapped.

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
    """Return the index of each time that breaks the order of the file, ascending or descending."""
    back = [place for place, (one, other) in enumerate(pairwise(times_ms), 1) if other < one]
    if 2 * len(back) < len(times_ms):
        return back
    return [place for place, (one, other) in enumerate(pairwise(times_ms), 1) if other > one]


def _date(time_ms: int, zone: ZoneInfo) -> str:
    return datetime.strftime(local_time(time_ms, zone), "%Y-%m-%d")
