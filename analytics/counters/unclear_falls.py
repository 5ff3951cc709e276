"""Find falls of a register at which the wrong readings may have been believed. Pure.

A fall has two explanations: the readings above it are wrong, or those below it. The best path
(`reading_runs`) believes one side and sets the other one aside. Usually the believed side has far
more readings. An example in which it has not, read on the first of each month [kWh]:

    month   Apr     May     June    July    Aug     Sep
    value   14000   15000   16000   17000   18000   17000

Either 18000 or the last 17000 is mistyped. If 18000 is set aside, 1000 kWh are not counted. So the
doubt is 1000 kWh.

Laws:

1. Readings that are set aside leave a doubt if not more readings contradict them, or if they last
   as long as a run that proves a reset. They must be plausible beside the believed reading on their
   side of the fall. The doubt is the height of the fall.
2. A register that falls step by step, for as long as a run that proves a reset, ran backwards: a
   transformer or a phase is connected the wrong way round, or energy is fed back. The doubt is
   twice the height of the fall, because the register fell instead of rising.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analytics.counters.reading_runs import Continuation, Readings, Run, evidence_of
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of believed readings that always outweighs readings that were set aside. A window of time
#: contains at least as many on both sides.
_ENOUGH: Final = 7
_ROUNDING: Final = 1e-9
#: Doubt of a finding as a multiple of the height of its fall (laws 1 and 2).
_DOUBT_BY_HEIGHT: Final = {"unclear_fall": 1.0, "ran_backwards": 2.0}


class _Aside(NamedTuple):
    """Readings beside each other that were set aside.

    Attributes:
        first: index of the first one.
        end: index after the last one, which is that of a believed reading.
        believed: number of believed readings before them.
    """

    first: int
    end: int
    believed: int


def unclear_falls(
    meter: str, readings: Readings, path: Sequence[tuple[Run, Continuation]]
) -> Iterator[RegisterFinding]:
    """Yield a finding for each fall at which the wrong readings may have been believed.

    Args:
        meter: id of the meter.
        readings: readings of a device, strays removed.
        path: the best path.
    """
    is_aside = np.ones(len(readings.times_ms), dtype=np.bool_)
    for run, _ in path:
        is_aside[run.first : run.end] = False
    if not is_aside.any():
        return
    believed = np.flatnonzero(~is_aside)
    edges = np.flatnonzero(np.diff(is_aside, prepend=False, append=False)).tolist()
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if end == len(is_aside):
            continue
        aside = _Aside(first, end, int(np.searchsorted(believed, first)))
        found = _backwards(meter, readings, aside) or _unclear(meter, readings, aside, believed)
        if found is not None:
            yield found


def _backwards(meter: str, readings: Readings, aside: _Aside) -> RegisterFinding | None:
    """Return the finding about a register that ran backwards (law 2); None if it didn't."""
    low = max(aside.first - 1, 0)
    register = readings.register[low : aside.end + 1]
    falls = np.diff(register) < -_tolerance(readings, low)
    bounds = np.flatnonzero(np.diff(falls, prepend=False, append=False)).reshape(-1, 2).tolist()
    for first, last in bounds:
        length_ms = int(readings.times_ms[low + last] - readings.times_ms[low + first])
        if evidence_of(length_ms, last - first) >= 1:
            return _finding("ran_backwards", meter, readings, aside, (low + first, low + last))
    return None


def _unclear(
    meter: str, readings: Readings, aside: _Aside, believed: "NDArray[np.intp]"
) -> RegisterFinding | None:
    """Return the finding about a fall with two explanations (law 1); None if there is only one."""
    inner = readings.register[aside.first : aside.end]
    top, bottom = aside.first + int(inner.argmax()), aside.first + int(inner.argmin())
    before, after = aside.first - 1, aside.end
    enough = min(aside.end - aside.first, _ENOUGH)
    tolerance = _tolerance(readings, top)
    if readings.register[top] > readings.register[after] + tolerance:
        against = believed[aside.believed :][: enough + 1]
        is_against = readings.register[against] < readings.register[top]
        beside, fall = (before, aside.first), (top, after)
    elif before >= 0 and readings.register[before] > readings.register[bottom] + tolerance:
        against = believed[: aside.believed][-(enough + 1) :]
        is_against = readings.register[against] > readings.register[bottom]
        beside, fall = (aside.end - 1, after), (before, bottom)
    else:
        return None
    is_outweighed = is_against.sum() > enough and not _is_proven(readings, aside)
    is_possible = beside[0] < 0 or _are_plausible(readings, [beside])
    if is_outweighed or not is_possible:
        return None
    return _finding("unclear_fall", meter, readings, aside, fall)


def _is_proven(readings: Readings, aside: _Aside) -> bool:
    """Return True if readings that were set aside are a run that would prove a reset."""
    length_ms = int(readings.times_ms[aside.end - 1] - readings.times_ms[aside.first])
    steps = pairwise(range(aside.first, aside.end))
    return bool(evidence_of(length_ms, aside.end - aside.first - 1) >= 1) and _are_plausible(
        readings, list(steps)
    )


def _are_plausible(readings: Readings, steps: Sequence[tuple[int, int]]) -> bool:
    before, after = (np.array(ends, dtype=np.intp) for ends in zip(*steps, strict=True))
    return bool(readings.is_plausible_step(before, after).all())


def _tolerance(readings: Readings, place: int) -> float:
    return float(readings.resolution[place] + _ROUNDING * readings.register[place])


def _finding(
    code: str, meter: str, readings: Readings, aside: _Aside, fall: tuple[int, int]
) -> RegisterFinding:
    """Return a finding about the fall between two readings.

    It spans the time between the believed readings around those that were set aside.
    """
    first, last = fall
    height = float(readings.stored[first] - readings.stored[last])
    values = {
        "before": float(readings.stored[first]),
        "before_ms": int(readings.times_ms[first]),
        "after": float(readings.stored[last]),
        "after_ms": int(readings.times_ms[last]),
    }
    return RegisterFinding(
        Finding.of(code, meter, **values),
        int(readings.times_ms[max(aside.first - 1, 0)]),
        int(readings.times_ms[aside.end]),
        abs(height) * _DOUBT_BY_HEIGHT[code],
    )
