"""Split readings into runs, and find the best-scoring path through them: the readings to believe.

A run is a row of readings each of which follows plausibly from the one before it. A path is a
choice of runs in order of time. From one run to the next the register either follows plausibly,
or rolled over, or was reset. A path scores the sum of its runs' scores, less 1 for each reset. A
run's score says how many resets its evidence outweighs: 1 for six hours and three steps.

An example, hourly readings [kWh] of a meter with a nameplate of 100 kW:

    time   00    01    02    03    04    05    06    07    08    09
    value  5000  5010  5020  0     5040  9999  5060  5070  5080  5090

The zero at 03 is dropped beforehand: it lies between two readings that follow each other. Of the
rest, 9999 follows from nothing, as no meter of 100 kW counts 4959 kWh in an hour. That leaves
three runs:

    run  readings  lasts  steps  evidence                      score
    A    00 to 04  4 h    3      min(4 h / 6 h, 3 / 3) = 0.67  0.67
    B    05        0 h    0      0                             0.00
    C    06 to 09  3 h    3      min(3 h / 6 h, 3 / 3) = 0.50  0.50

(Every reading adds a millionth, which decides between equal paths.) The paths:

    A         0.67
    A, B      0.67 + 0.00 - 1 = -0.33: from A to B only a reset leads
    A, B, C   0.67 + 0.00 + 0.50 - 2 = -0.83: from B to C, too
    A, C      0.67 + 0.50 = 1.17: C follows from A, 20 kWh in two hours

The path A, C wins. The spike B is left out and costs nothing. Had the register really been reset
after A, and A been long (score 2.5), a new run that counts on from 0 would follow from nothing
either. The path A, new run scores 2.5 - 1 + the new run's score, so it beats A alone as soon as
the new run has lasted longer than six hours.

Laws:

1. Where the register fell, one of two levels was wrong. So the part of a run above the level to
   which a later run fell is a run of its own, and so is the part that is back above the level
   from which an earlier run fell. Zeros are a run of their own in any case.
2. A run that outweighs two resets lies on the best-scoring path, whatever else there is.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How a register goes on from one run of a path to the next.
Continuation = Literal["follows", "rollover", "reset"]

#: A run outweighs one reset if it lasts so long and has so many steps. Six hours are longer than
#: most faults of a gateway, and short enough that a replaced meter counts again the same day.
#: Three steps keep two stray readings far apart from being taken for a meter.
_RESET_DURATION_MS: Final = 6 * HOUR_MS
_RESET_STEPS: Final = 3.0
#: A run of zeros needs so many times as much, ten days: zeros are what a gateway answers for a
#: meter that it can't reach, and only a new meter that nothing flows through shows them long.
_ZERO_RUN_FACTOR: Final = 40.0
#: The evidence from which on a run is certain, and at which evidence is capped. Leaving a run out
#: saves two resets at most, one on each side of it; so 2 would be a tie, and 2.5 is none.
_CERTAIN: Final = 2.5
#: Every reading scores a little, so that of two equal paths the one with more readings wins. All
#: readings of a run together score a thousandth of a reset at most, which decides nothing else.
_SCORE_PER_READING: Final = 1e-6
_SCORED_READINGS_MAX: Final = 1000
#: A run may go on from one of so many runs before it, past what is left out between them. This
#: bounds the work where every reading is a run of its own.
_LOOK_BACK_RUNS: Final = 32
#: Rounding of the 64-bit numbers in which registers are stored, relative.
_ROUNDING: Final = 1e-9


class Readings(msgspec.Struct, frozen=True, dict=True):
    """The readings of one device, cleaned, sorted by time, in the register's own unit.

    Attributes:
        device: the device that was read.
        times_ms: shape (n,), UTC ms, ascending; so are all others by reading.
        stored: the values as stored: register times ratio.
        ratio: the transformer ratio in force.
        register: what the device itself showed.
        resolution: the smallest step that the register can show there.
        rate: the most that it can count in a millisecond; infinity without a nameplate.
    """

    device: Device
    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    ratio: "NDArray[np.float64]"
    register: "NDArray[np.float64]"
    resolution: "NDArray[np.float64]"
    rate: "NDArray[np.float64]"

    def select(self, kept: "NDArray[np.bool_]") -> "Readings":
        """Return the readings for which the mask is true."""
        device, *columns = msgspec.structs.astuple(self)
        return Readings(device, *(column[kept] for column in columns))

    @cached_property
    def last_change_ms(self) -> "NDArray[np.int64]":
        """The time since which the register had shown the value of each reading.

        A step out of a standstill holds what flowed since then: a display froze, or a logger
        renews its registers every few minutes only.
        """
        moved = np.append(True, self.register[1:] != self.register[:-1])[: len(self.register)]
        since: NDArray[np.int64] = np.maximum.accumulate(np.where(moved, self.times_ms, 0))
        return since

    def is_plausible_step(
        self, before: "NDArray[np.int64]", after: "NDArray[np.int64]"
    ) -> "NDArray[np.bool_]":
        """Return True for each pair of indexes if the step is plausible (`believed_register`)."""
        step = self.register[after] - self.register[before]
        tolerance = np.maximum(self.resolution[before], self.resolution[after])
        tolerance += _ROUNDING * self.register[before]
        rate = np.maximum(self.rate[before], self.rate[after])
        plausible: NDArray[np.bool_] = (step >= -tolerance) & (
            step <= rate * (self.times_ms[after] - self.last_change_ms[before]) + tolerance
        )
        return plausible


class Run(msgspec.Struct, frozen=True):
    """Readings each of which follows plausibly from the one before.

    Attributes:
        first: index of the first reading.
        end: index after the last reading.
        top: the highest register in it.
        evidence: how many resets its duration and its steps outweigh, at most `_CERTAIN`.
    """

    first: int
    end: int
    top: float
    evidence: float

    @property
    def score(self) -> float:
        """The run's share of the score of a path on which it lies."""
        return self.evidence + _SCORE_PER_READING * min(self.end - self.first, _SCORED_READINGS_MAX)

    @property
    def is_certain(self) -> bool:
        """True if the run is believed, whatever else there is (law 2)."""
        return self.evidence >= _CERTAIN


def without_stray_zeros(readings: Readings) -> Readings:
    """Return the readings without zeros that lie between two others that follow each other."""
    positive = np.flatnonzero(readings.register > 0)
    before, after = positive[:-1], positive[1:]
    apart = after - before > 1
    before, after = before[apart], after[apart]
    skipped = readings.is_plausible_step(before, after)
    depth = np.zeros(len(readings.times_ms) + 1, dtype=np.int64)
    depth[before[skipped] + 1] += 1
    depth[after[skipped]] -= 1
    return readings.select(np.cumsum(depth[:-1]) == 0)


def split_runs(readings: Readings) -> Iterator[Run]:
    """Yield the readings as runs, split where a step is implausible and by law 1."""
    register = readings.register
    indexes = np.arange(len(register))
    breaks = np.flatnonzero(~readings.is_plausible_step(indexes[:-1], indexes[1:])) + 1
    spans = list(pairwise([0, *breaks.tolist(), len(register)]))
    highest = [np.maximum.accumulate(register[first:end]) for first, end in spans]
    zeros = [int(np.searchsorted(levels, 0.0, side="right")) for levels in highest]
    bottoms = np.array(
        [levels[min(n, len(levels) - 1)] for levels, n in zip(highest, zeros, strict=True)]
    )
    tops = np.array([levels[-1] for levels in highest])
    for number, (first, end) in enumerate(spans):
        levels = highest[number]
        earlier_tops = tops[max(number - _LOOK_BACK_RUNS, 0) : number]
        later_bottoms = bottoms[number + 1 : number + 1 + _LOOK_BACK_RUNS]
        cuts = {
            zeros[number],
            *levels.searchsorted(earlier_tops).tolist(),
            *levels.searchsorted(later_bottoms, side="right").tolist(),
        }
        inner = sorted(first + cut for cut in cuts if 0 < cut < end - first)
        for low, high in pairwise([first, *inner, end]):
            top = float(levels[high - first - 1])
            yield Run(low, high, top, _evidence(readings, low, high, top))


def _evidence(readings: Readings, first: int, end: int, top: float) -> float:
    """Return how many resets a run outweighs."""
    steps = end - first - 1
    duration_ms = int(readings.times_ms[end - 1] - readings.times_ms[first])
    evidence = min(duration_ms / _RESET_DURATION_MS, steps / _RESET_STEPS)
    if top == 0:
        evidence /= _ZERO_RUN_FACTOR
    return min(_CERTAIN, evidence)


def best_path(readings: Readings, candidates: Sequence[Run]) -> list[tuple[Run, Continuation]]:
    """Return the best-scoring path: its runs, each with how it goes on from the one before."""
    scores: list[float] = []
    origins: list[tuple[int, Continuation]] = []
    for number, run in enumerate(candidates):
        best = 0.0
        origin: tuple[int, Continuation] = (-1, "follows")
        for earlier in range(number - 1, max(number - _LOOK_BACK_RUNS, 0) - 1, -1):
            continuation = _continuation(readings, candidates[earlier], run)
            score = scores[earlier] - (continuation == "reset")
            if score > best:
                best, origin = score, (earlier, continuation)
            if candidates[earlier].is_certain:
                break
        scores.append(best + run.score)
        origins.append(origin)
    path: list[tuple[Run, Continuation]] = []
    # Of equal paths take the one that ends last: later readings know more.
    number = len(scores) - 1 - int(np.argmax(scores[::-1]))
    while number >= 0:
        earlier, continuation = origins[number]
        path.append((candidates[number], continuation))
        number = earlier
    return path[::-1]


def _continuation(readings: Readings, earlier: Run, later: Run) -> Continuation:
    """Return how the register goes on from the end of one run to the start of a later one."""
    last, first = earlier.end - 1, later.first
    tolerance = max(readings.resolution[last], readings.resolution[first])
    tolerance += _ROUNDING * earlier.top
    rate = max(readings.rate[last], readings.rate[first])
    most = rate * (readings.times_ms[first] - readings.last_change_ms[last]) + tolerance
    modulus = readings.device.modulus
    shown = float(readings.register[first])
    step = shown - earlier.top
    if -tolerance <= step <= most:
        return "follows"
    near_modulus = earlier.top > 0.9 * modulus and shown < 0.1 * modulus
    if (np.isfinite(rate) or near_modulus) and 0 <= step + modulus <= min(most, modulus / 2):
        return "rollover"
    return "reset"


def stable_span(readings: Readings, certain: Sequence[Run]) -> tuple[int, int] | None:
    """Return the first and last time [UTC ms] between which no reading outside matters.

    `certain` are the certain runs of the path; None is returned where there is none. A reading of
    a certain run is stable if enough of the run lies on both sides of it, as a fall outside the
    window could still part the run's ends from it (law 1).
    """
    if not certain:
        return None
    times = readings.times_ms
    enough_ms, enough = int(_CERTAIN * _RESET_DURATION_MS), int(_CERTAIN * _RESET_STEPS) + 1
    first, last = certain[0].first, certain[-1].end - 1
    after = int(np.searchsorted(times, times[first] + enough_ms))
    before = int(np.searchsorted(times, times[last] - enough_ms, side="right")) - 1
    stable_from = min(max(after, first + enough), last)
    stable_until = max(min(before, last - enough), first)
    return int(times[stable_from]), int(times[stable_until])
