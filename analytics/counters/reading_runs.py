"""Select the readings that are believed: split readings into runs, and find the best path of runs.

A run is a sequence of readings in which each step is plausible. A path is a selection of runs in
order of time. Between two runs of a path, the register continued plausibly, rolled over (at a known
or a guessed modulus, see `rollover`), or was reset. The score of a path is the sum of the scores of
its runs, minus 1 for each reset. The score of a run grows with its duration and its number of
steps; it is 1 for six hours and three steps.

An example, hourly readings [kWh] of a meter with a nameplate of 100 kW:

    time   00    01    02    03    04    05    06    07    08    09
    value  5000  5010  5020  0     5040  9999  5060  5070  5080  5090

The zero at 03 is removed beforehand (`stray_readings`), because the step from 5020 to 5040 is
plausible without it. The step to 9999 is not plausible, because a meter of 100 kW can't count
4959 kWh in an hour. So there are three runs:

    run  readings  lasts  steps  evidence                      score
    A    00 to 04  4 h    3      min(4 h / 6 h, 3 / 3) = 0.67  0.67
    B    05        0 h    0      0                             0.00
    C    06 to 09  3 h    3      min(3 h / 6 h, 3 / 3) = 0.50  0.50

(Each reading adds a millionth to the score, which decides between equal paths.) The paths:

    A         0.67
    A, B      0.67 + 0.00 - 1 = -0.33: a reset between A and B
    A, B, C   0.67 + 0.00 + 0.50 - 2 = -0.83: a second reset between B and C
    A, C      0.67 + 0.50 = 1.17: C follows from A, 20 kWh in two hours

The path A, C has the highest score. The spike B is set aside, and no consumption is lost. Now
assume that the register was really reset after a long run A (score 2.5), and a new run N began at
0. The path A, N has the score 2.5 - 1 + the score of N. This is more than the score of A alone as
soon as N has lasted longer than six hours.

Laws:

1. If the register falls, either the readings before the fall or those after it may be wrong. So
   that a path can leave out either of them, a run is split at two levels: at the level to which a
   later run falls, and at the level from which an earlier run fell. Zeros are always a separate
   run.
2. A run with a score above 2 is always on the best path.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from analytics.counters.meter_devices import HOUR_MS, Device
from analytics.counters.rollover import greatest_usual_step, guessed_modulus

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Continuation of a register from one run of a path to the next one.
Continuation = Literal["follows", "rollover", "rollover_guess", "reset"]

#: Duration and number of steps of a run with the score 1. Six hours are longer than most faults of
#: a gateway, but a replaced meter still counts on the same day. Three steps are required so that
#: two stray readings far apart are not taken for a run.
_RESET_DURATION_MS: Final = 6 * HOUR_MS
_RESET_STEPS: Final = 3.0
#: Factor by which a run of zeros must last longer: ten days instead of six hours. Some gateways
#: return zeros for a meter that they can't reach. Only a new meter without consumption really shows
#: zeros for a long time.
_ZERO_RUN_FACTOR: Final = 40.0
#: Evidence at which a run is certain, and largest evidence of a run. A path without the run has at
#: most two resets less, one on each side. So a run with evidence above 2 is never left out.
CERTAIN: Final = 2.5
#: Score added for each reading, so that of two otherwise equal paths the one with more readings is
#: chosen. All readings of a run together add at most 0.001, which affects no other decision.
_SCORE_PER_READING: Final = 1e-6
_SCORED_READINGS_MAX: Final = 1000
#: Largest number of earlier runs that are tried as the run before a given run in a path. It limits
#: the work if each reading is a run of its own.
LOOK_BACK_RUNS: Final = 32
#: Number of readings on each side of a fall from which the usual steps are taken (`rollover`).
_NEAR_READINGS: Final = 24
#: Relative rounding error of stored registers, which are 64-bit floats.
_ROUNDING: Final = 1e-9


class Readings(msgspec.Struct, frozen=True, dict=True):
    """The readings of one device, cleaned, sorted by time, in the register's own unit.

    Attributes:
        device: the device that was read.
        times_ms: shape (n,), UTC ms, ascending.
        stored: shape (n,), stored values: register times ratio.
        ratio: shape (n,), transformer ratio valid at the time.
        register: shape (n,), value in the device itself, before the ratio.
        resolution: shape (n,), resolution of the register.
        rate: shape (n,), largest possible growth of the register in a millisecond; infinity if the
            nameplate is unknown.
        number: shape (n,), index among all readings of the device, strays included.
    """

    device: Device
    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    ratio: "NDArray[np.float64]"
    register: "NDArray[np.float64]"
    resolution: "NDArray[np.float64]"
    rate: "NDArray[np.float64]"
    number: "NDArray[np.intp]"

    def select(self, kept: "NDArray[np.bool_]") -> "Readings":
        """Return the readings for which the mask is true."""
        device, *columns = msgspec.structs.astuple(self)
        return Readings(device, *(column[kept] for column in columns))

    @cached_property
    def last_change_ms(self) -> "NDArray[np.int64]":
        """For each reading, the time since which the register has had this value [UTC, ms].

        The step after a standstill may contain all consumption since this time: the register may
        have been frozen, or a logger may update its registers only every few minutes.
        """
        still = np.flatnonzero(self.register[1:] == self.register[:-1]) + 1
        if not len(still):
            return self.times_ms
        since = self.times_ms.copy()
        begins = np.flatnonzero(np.diff(still, prepend=-1) > 1)
        lengths = np.diff(begins, append=len(still))
        since[still] = np.repeat(since[still[begins] - 1], lengths)
        return since

    def is_plausible_step(
        self, before: "NDArray[np.intp] | slice", after: "NDArray[np.intp] | slice"
    ) -> "NDArray[np.bool_]":
        """Return True for each pair of readings whose step is plausible.

        Law 2 of `believed_register` defines a plausible step.
        """
        step = self.register[after] - self.register[before]
        tolerance = np.maximum(self.resolution[before], self.resolution[after])
        tolerance += _ROUNDING * self.register[before]
        rate = np.maximum(self.rate[before], self.rate[after])
        plausible: NDArray[np.bool_] = (step >= -tolerance) & (
            step <= rate * (self.times_ms[after] - self.last_change_ms[before]) + tolerance
        )
        return plausible


class Run(msgspec.Struct, frozen=True):
    """A sequence of readings, each of which follows plausibly from the one before.

    Attributes:
        first: index of the first reading.
        end: index after the last reading.
        max_register: largest register value.
        evidence: score by duration and steps, at most `CERTAIN`.
    """

    first: int
    end: int
    max_register: float
    evidence: float

    @property
    def score(self) -> float:
        """Contribution of the run to the score of a path."""
        return self.evidence + _SCORE_PER_READING * min(self.end - self.first, _SCORED_READINGS_MAX)

    @property
    def is_certain(self) -> bool:
        """True if the run is always believed (law 2)."""
        return self.evidence >= CERTAIN


def split_runs(readings: Readings) -> Iterator[Run]:
    """Yield the runs of readings, split at implausible steps and by law 1."""
    register = readings.register
    is_plausible = readings.is_plausible_step(slice(0, -1), slice(1, None))
    firsts = np.append(0, np.flatnonzero(~is_plausible) + 1)
    ends = np.append(firsts[1:], len(register)).tolist()
    tops = np.maximum.reduceat(register, firsts)
    first_positive = firsts
    if not register.all():
        positive = np.append(np.flatnonzero(register), len(register))
        first_positive = positive[positive.searchsorted(firsts)]
    has_positive = first_positive < ends
    bottoms = np.where(has_positive, register[np.where(has_positive, first_positive, 0)], 0.0)
    is_cut = _are_cut(register[firsts], tops, bottoms)
    for number, (first, end) in enumerate(zip(firsts.tolist(), ends, strict=True)):
        if not is_cut[number]:
            top = float(tops[number])
            yield Run(first, end, top, _evidence(readings, first, end, top))
            continue
        levels = np.maximum.accumulate(register[first:end])
        earlier_tops = tops[max(number - LOOK_BACK_RUNS, 0) : number]
        later_bottoms = bottoms[number + 1 : number + 1 + LOOK_BACK_RUNS]
        cuts = {
            int(first_positive[number]) - first,
            *levels.searchsorted(earlier_tops).tolist(),
            *levels.searchsorted(later_bottoms, side="right").tolist(),
        }
        inner = sorted(first + cut for cut in cuts if 0 < cut < end - first)
        for low, high in pairwise([first, *inner, end]):
            top = float(levels[high - first - 1])
            yield Run(low, high, top, _evidence(readings, low, high, top))


def _are_cut(
    lowest: "NDArray[np.float64]", tops: "NDArray[np.float64]", bottoms: "NDArray[np.float64]"
) -> "NDArray[np.bool_]":
    """Return True for each sequence of plausible steps that law 1 splits.

    Args:
        lowest: shape (n,), first reading of each sequence.
        tops: largest reading.
        bottoms: first positive reading; 0 if there is none.
    """
    none = np.full(LOOK_BACK_RUNS, np.nan)
    count, low, top = len(tops), lowest[:, None], tops[:, None]
    earlier = sliding_window_view(np.append(none, tops), LOOK_BACK_RUNS)[:count]
    later = sliding_window_view(np.append(bottoms, none), LOOK_BACK_RUNS)[1 : count + 1]
    is_within = ((low < earlier) & (earlier <= top)) | ((low <= later) & (later < top))
    is_cut: NDArray[np.bool_] = is_within.any(axis=1) | ((lowest == 0) & (tops > 0))
    return is_cut


def _evidence(readings: Readings, first: int, end: int, top: float) -> float:
    """Return the evidence of a run."""
    steps = end - first - 1
    duration_ms = int(readings.times_ms[end - 1] - readings.times_ms[first])
    evidence = float(evidence_of(duration_ms, steps))
    if top == 0:
        evidence /= _ZERO_RUN_FACTOR
    return min(CERTAIN, evidence)


def evidence_of(
    duration_ms: "int | NDArray[np.int64]", steps: "int | NDArray[np.intp]"
) -> "NDArray[np.float64]":
    """Return the evidence of runs that have not only zeros, without an upper limit.

    Args:
        duration_ms: time from the first reading of a run to the last one [ms].
        steps: number of steps in the run.
    """
    return np.minimum(duration_ms / _RESET_DURATION_MS, steps / _RESET_STEPS)


class _Ends(NamedTuple):
    """The first and the last reading of a run.

    Attributes:
        first_ms: time of the first reading [UTC, ms].
        shown: register at the first reading.
        first_resolution: its resolution.
        first_rate: largest possible growth of the register in a millisecond, at that time.
        changed_ms: time since which the register has had the value of the last reading [UTC, ms].
        last_resolution: resolution at the last reading.
        last_rate: largest possible growth of the register in a millisecond, at that time.
    """

    first_ms: int
    shown: float
    first_resolution: float
    first_rate: float
    changed_ms: int
    last_resolution: float
    last_rate: float


def _ends(readings: Readings, runs: Sequence[Run]) -> list[_Ends]:
    """Return the first and the last reading of each run."""
    first = np.array([run.first for run in runs], dtype=np.intp)
    last = np.array([run.end - 1 for run in runs], dtype=np.intp)
    columns = (
        *(readings.times_ms[first], readings.register[first]),
        *(readings.resolution[first], readings.rate[first], readings.last_change_ms[last]),
        *(readings.resolution[last], readings.rate[last]),
    )
    return [_Ends(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def best_path(readings: Readings, candidates: Sequence[Run]) -> list[tuple[Run, Continuation]]:
    """Return the best-scoring path as (run, continuation from the run before it) pairs."""
    ends = _ends(readings, candidates)
    scores: list[float] = []
    origins: list[tuple[int, Continuation]] = []
    certain = -1
    for number, run in enumerate(candidates):
        best = 0.0
        origin: tuple[int, Continuation] = (-1, "follows")
        for earlier in _earlier_runs(number, certain):
            continuation = _continuation(
                readings, (candidates[earlier], ends[earlier]), (run, ends[number])
            )
            score = scores[earlier] - (continuation == "reset")
            if score > best:
                best, origin = score, (earlier, continuation)
        if run.is_certain:
            certain = number
        scores.append(best + run.score)
        origins.append(origin)
    path: list[tuple[Run, Continuation]] = []
    # If several paths have the same score, choose the one that ends last.
    number = len(scores) - 1 - int(np.argmax(scores[::-1]))
    while number >= 0:
        earlier, continuation = origins[number]
        path.append((candidates[number], continuation))
        number = earlier
    return path[::-1]


def _earlier_runs(number: int, certain: int) -> Iterator[int]:
    """Yield the runs that are tried before a run in a path: the latest ones, back to a certain run.

    The certain run is tried however many runs lie between: it is always on the best path (law 2).

    Args:
        number: number of the run.
        certain: number of the latest certain run before it; -1 if there is none.
    """
    nearest = max(number - LOOK_BACK_RUNS, certain, 0)
    yield from range(number - 1, nearest - 1, -1)
    if 0 <= certain < nearest:
        yield certain


def _continuation(
    readings: Readings, before: tuple[Run, _Ends], after: tuple[Run, _Ends]
) -> Continuation:
    """Return the continuation of the register from the end of a run to the start of a later one."""
    (earlier, end), (later, begin) = before, after
    tolerance = max(end.last_resolution, begin.first_resolution)
    tolerance += _ROUNDING * earlier.max_register
    rate = max(end.last_rate, begin.first_rate)
    max_step = rate * (begin.first_ms - end.changed_ms) + tolerance
    modulus, shown = readings.device.modulus, begin.shown
    step = shown - earlier.max_register
    if -tolerance <= step <= max_step:
        return "follows"
    over_modulus, over_guess = step + modulus, step + guessed_modulus(earlier.max_register, shown)
    near_modulus = earlier.max_register > 0.9 * modulus and shown < 0.1 * modulus
    if 0 <= over_modulus <= min(max_step, modulus / 2) and (
        np.isfinite(rate)
        or near_modulus
        or over_modulus <= _greatest_usual_step(readings, earlier, later)
    ):
        return "rollover"
    if not np.isfinite(modulus) and 0 < over_guess <= min(
        max_step, _greatest_usual_step(readings, earlier, later)
    ):
        return "rollover_guess"
    return "reset"


def _greatest_usual_step(readings: Readings, earlier: Run, later: Run) -> float:
    """Return the largest step that is allowed for a guessed rollover between two runs.

    Readings of other runs count as well, so that the result does not depend on where law 1 splits.
    """
    before = slice(max(earlier.end - _NEAR_READINGS, 0), earlier.end)
    after = slice(later.first, later.first + _NEAR_READINGS)
    return greatest_usual_step(
        (readings.times_ms[before], readings.register[before]),
        (readings.times_ms[after], readings.register[after]),
    )


def stable_span(times_ms: "NDArray[np.int64]", first: int, end: int) -> tuple[int, int]:
    """Return the time span in which the result doesn't depend on readings outside the window.

    Readings outside the window could split a certain run by law 1. So a time is in this span only
    if enough readings of certain runs lie before and after it. One rare exception remains: a level
    outside the window that splits an uncertain run inside it at the very limit of its evidence.

    Args:
        times_ms: times of the readings [UTC, ms].
        first: index of the first reading of the first certain run.
        end: index after the last reading of the last certain run.

    Returns:
        First and last time of the span [UTC, ms].
    """
    enough_ms, enough = int(CERTAIN * _RESET_DURATION_MS), int(CERTAIN * _RESET_STEPS) + 1
    last = end - 1
    after = int(np.searchsorted(times_ms, times_ms[first] + enough_ms))
    before = int(np.searchsorted(times_ms, times_ms[last] - enough_ms, side="right")) - 1
    stable_from = min(max(after, first + enough), last)
    stable_until = max(min(before, last - enough), first)
    return int(times_ms[stable_from]), int(times_ms[stable_until])
