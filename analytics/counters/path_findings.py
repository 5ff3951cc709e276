"""Report resets, rollovers and readings that were set aside, by the best path (`reading_runs`).

Laws:

1. The consumption between the last reading before a reset and the first one after it is unknown.
   Its doubt is the most that can have flowed in this time: by the nameplate or, without one, by the
   largest rate in the meter's own past.
2. A rollover by a known modulus leaves no doubt. A guessed one may have been a reset: its doubt is
   the whole range of the register.
3. Readings that are set aside leave no doubt: the believed readings around them give the
   consumption. The exceptions are falls with two explanations (`unclear_falls`).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.meter_devices import HOUR_MS, MeterDevices
from analytics.counters.reading_runs import Continuation, Readings, Run
from analytics.counters.register_finding import RegisterFinding, greatest_rate
from analytics.counters.rollover import guessed_modulus
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Readings that are set aside in the same quarter of an hour are merged into one finding [ms].
_SET_ASIDE_BIN_MS: Final = HOUR_MS // 4
_FIRST: Final = np.zeros(1, dtype=np.intp)
_CODES: Final[Mapping[Continuation, str]] = {
    "rollover": "counter_rollover",
    "rollover_guess": "rollover_guess",
    "reset": "counter_reset",
}


def path_findings(
    devices: MeterDevices, candidates: Readings, path: Sequence[tuple[Run, Continuation]]
) -> Iterator[RegisterFinding]:
    """Yield a finding for each reset and rollover on a path, with its doubt (laws 1 and 2)."""
    if all(continuation == "follows" for _, continuation in path[1:]):
        return
    steps, counts = _steps(candidates, path)
    for ((earlier, _), (later, continuation)), count in zip(pairwise(path), counts, strict=True):
        if continuation == "follows":
            continue
        last, first = earlier.end - 1, later.first
        before_ms, after_ms = int(candidates.times_ms[last]), int(candidates.times_ms[first])
        before, after = float(candidates.register[last]), float(candidates.register[first])
        rate = devices.rate_max_per_h / HOUR_MS
        if not np.isfinite(rate):
            rate = greatest_rate(*steps, count)
        doubts = {
            "rollover": 0.0,
            "rollover_guess": guessed_modulus(before, after) * float(candidates.ratio[first]),
            "reset": rate * (after_ms - before_ms),
        }
        yield RegisterFinding(
            Finding.of(
                _CODES[continuation],
                devices.meter,
                before=float(candidates.stored[last]),
                before_ms=before_ms,
                after=float(candidates.stored[first]),
                after_ms=after_ms,
            ),
            before_ms,
            after_ms,
            doubts[continuation],
        )


def _steps(
    readings: Readings, path: Sequence[tuple[Run, Continuation]]
) -> "tuple[tuple[NDArray[np.int64], NDArray[np.float64]], list[int]]":
    """Return the times and steps of the readings on a path, and the ends of its runs.

    Returns:
        (times, steps): shape (n,) [UTC, ms], and shape (n - 1,), growth of the stored value; NaN
            where the register was reset or rolled over.
        Ends: number of readings up to the end of each run except the last.
    """
    index = np.concatenate([np.arange(run.first, run.end) for run, _ in path])
    steps = np.diff(readings.register[index]) * readings.ratio[index][1:]
    ends = np.cumsum([run.end - run.first for run, _ in path])[:-1]
    is_broken = np.array(
        [continuation != "follows" for _, continuation in path[1:]], dtype=np.bool_
    )
    steps[ends[is_broken] - 1] = np.nan
    return (readings.times_ms[index], steps), ends.tolist()


def set_aside_findings(
    meter: str,
    readings: Readings,
    candidates: Readings,
    path: Sequence[tuple[Run, Continuation]],
) -> Iterator[RegisterFinding]:
    """Yield a finding for each unbroken sequence of readings that are not on the path."""
    is_off_path = np.ones(len(candidates.times_ms), dtype=np.bool_)
    for run, _ in path:
        is_off_path[run.first : run.end] = False
    is_aside = np.ones(len(readings.times_ms), dtype=np.bool_)
    is_aside[candidates.number] = is_off_path
    yield from stray_findings(meter, readings.times_ms, np.flatnonzero(is_aside))


def negative_findings(
    meter: str, times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
) -> Iterator[RegisterFinding]:
    """Yield a finding for each unbroken sequence of negative readings.

    A register is never negative. Sequences are merged as in `stray_findings`.

    Args:
        meter: id of the meter.
        times_ms: shape (n,), UTC ms, in any order.
        values: shape (n,), the stored register; NaN where unknown.
    """
    is_negative = values < 0
    if is_negative.any():
        order = np.argsort(times_ms, kind="stable")
        yield from stray_findings(meter, times_ms[order], np.flatnonzero(is_negative[order]))


def stray_findings(
    meter: str, times_ms: "NDArray[np.int64]", aside: "NDArray[np.intp]"
) -> tuple[RegisterFinding, ...]:
    """Return a finding for each unbroken sequence of readings that are set aside.

    Sequences that begin in the same quarter of an hour have one finding together, to limit the
    number of findings.

    Args:
        meter: id of the meter.
        times_ms: shape (n,), times of the readings [UTC, ms], ascending.
        aside: indexes of the readings that are set aside, ascending.
    """
    if not len(aside):
        return ()
    first = _begins(aside[1:] - aside[:-1] > 1)
    quarters = times_ms[aside[first]] // _SET_ASIDE_BIN_MS
    first = first[_begins(quarters[1:] != quarters[:-1])]
    last = np.empty_like(first)
    last[:-1], last[-1] = first[1:] - 1, len(aside) - 1
    firsts, lasts = times_ms[aside[first]].tolist(), times_ms[aside[last]].tolist()
    of_meter = map(
        Finding, repeat("set_aside"), repeat(meter), zip(zip(repeat("first_ms"), firsts))
    )
    return tuple(map(RegisterFinding, of_meter, firsts, lasts, repeat(0.0)))


def _begins(is_other: "NDArray[np.bool_]") -> "NDArray[np.intp]":
    """Return the indexes of the elements that begin a group.

    Args:
        is_other: shape (n - 1,), True if an element is not in the group of the one before it.
    """
    begins = np.flatnonzero(is_other)
    begins += 1
    return np.concatenate([_FIRST, begins])
