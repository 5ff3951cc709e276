"""Split readings into runs, and find the best-scoring path through them: the readings to believe.

A run is a sequence of readings, each of which follows plausibly from the one before it. A path is a
selection of runs in order of time. From one run to the next, the register continued plausibly,
rolled over (at a known or a guessed modulus, see `rollover`) or was reset. The score of a path is
the sum of its runs' scores, minus 1 for each reset. The score of a run is the number of resets that
its evidence outweighs: 1 for six hours and three steps.

An example, hourly readings [kWh] of a meter with a nameplate of 100 kW:

    time   00    01    02    03    04    05    06    07    08    09
    value  5000  5010  5020  0     5040  9999  5060  5070  5080  5090

The zero at 03 is left out beforehand (`stray_readings`): it lies between two readings that follow
each other. Of the rest, 9999 follows from nothing, as no meter of 100 kW counts 4959 kWh in an
hour. That leaves three runs:

    run  readings  lasts  steps  evidence                      score
    A    00 to 04  4 h    3      min(4 h / 6 h, 3 / 3) = 0.67  0.67
    B    05        0 h    0      0                             0.00
    C    06 to 09  3 h    3      min(3 h / 6 h, 3 / 3) = 0.50  0.50

(Every reading adds a millionth, which decides between equal paths.) The paths:

    A         0.67
    A, B      0.67 + 0.00 - 1 = -0.33: a reset between A and B
    A, B, C   0.67 + 0.00 + 0.50 - 2 = -0.83: a second reset between B and C
    A, C      0.67 + 0.50 = 1.17: C follows from A, 20 kWh in two hours

The path A, C wins. The spike B is left out and loses nothing. If the register had really been reset
after a long A (score 2.5), a new run from 0 would not follow from A either. The path of A and the
new run scores 2.5 - 1 + the score of the new run. It beats A alone as soon as the new run has
lasted longer than six hours.

Laws:

1. After a fall, either the level before it or the level after it may be wrong. So runs are split at
   two levels: a run is split where it passes the level to which a later run falls, and where it
   passes the level from which an earlier run fell. Zeros are always a separate run.
2. A run that outweighs two resets lies on the best-scoring path in any case.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device
from analytics.counters.rollover import greatest_usual_step, guessed_modulus

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How a register continues from one run of a path to the next.
Continuation = Literal["follows", "rollover", "rollover_guess", "reset"]

#: Duration and steps of a run that outweighs one reset. Six hours are longer than most faults of a
#: gateway, and short enough for a replaced meter to be counted on the same day. Three steps prevent
#: two stray readings that lie far apart from being taken for a run.
_RESET_DURATION_MS: Final = 6 * HOUR_MS
_RESET_STEPS: Final = 3.0
#: Factor by which a run of zeros must be longer: ten days instead of six hours. A gateway answers
#: zeros for a meter that it can't reach. Only a new meter without consumption shows zeros for long.
_ZERO_RUN_FACTOR: Final = 40.0
#: Evidence at which a run is certain; also its upper limit. To leave a run out of a path saves at
#: most two resets, one on each side. So a run with evidence above 2 is never left out.
_CERTAIN: Final = 2.5
#: Score of each reading, so that of two equal paths the one with more readings wins. The readings
#: of a run score at most a thousandth of a reset together, which decides nothing else.
_SCORE_PER_READING: Final = 1e-6
_SCORED_READINGS_MAX: Final = 1000
#: Number of earlier runs from which a run may continue, past runs that are left out. This bounds
#: the work if every reading is a run of its own.
_LOOK_BACK_RUNS: Final = 32
#: Number of readings on each side of a fall from which the usual steps are taken (`rollover`).
_NEAR_READINGS: Final = 24
#: Smallest number of readings before a fall from which usual steps can be taken.
_LEAST_READINGS: Final = 3
#: Relative rounding error of stored registers, which are 64-bit floats.
_ROUNDING: Final = 1e-9


class Readings(msgspec.Struct, frozen=True, dict=True):
    """The readings of one device, cleaned, sorted by time, in the register's own unit.

    Attributes:
        device: the device that was read.
        times_ms: shape (n,), UTC ms, ascending.
        stored: shape (n,), stored values: register times ratio.
        ratio: shape (n,), transformer ratio in force.
        register: shape (n,), counter of the device itself.
        resolution: shape (n,), resolution of the register.
        rate: shape (n,), greatest growth of the register in a millisecond; infinity without a
            nameplate.
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
        """Time since which the register has had the value of each reading [UTC, ms].

        A step after a standstill may contain all consumption since then, if a display had frozen or
        a logger updates its registers only every few minutes.
        """
        moved = np.append(True, self.register[1:] != self.register[:-1])[: len(self.register)]
        since: NDArray[np.int64] = np.maximum.accumulate(np.where(moved, self.times_ms, 0))
        return since

    def is_plausible_step(
        self, before: "NDArray[np.int64]", after: "NDArray[np.int64]"
    ) -> "NDArray[np.bool_]":
        """Return True for each pair of reading indexes whose step is plausible.

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
        max_register: greatest register value.
        evidence: number of resets that duration and steps outweigh, at most `_CERTAIN`.
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
        """True if the run is believed in any case (law 2)."""
        return self.evidence >= _CERTAIN


def split_runs(readings: Readings) -> Iterator[Run]:
    """Yield the runs of readings, split at implausible steps and by law 1."""
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
    """Return the number of resets that a run outweighs."""
    steps = end - first - 1
    duration_ms = int(readings.times_ms[end - 1] - readings.times_ms[first])
    evidence = min(duration_ms / _RESET_DURATION_MS, steps / _RESET_STEPS)
    if top == 0:
        evidence /= _ZERO_RUN_FACTOR
    return min(_CERTAIN, evidence)


def best_path(readings: Readings, candidates: Sequence[Run]) -> list[tuple[Run, Continuation]]:
    """Return the best-scoring path: its runs, each with its continuation from the one before."""
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
    # Of equal paths, take the one that ends last.
    number = len(scores) - 1 - int(np.argmax(scores[::-1]))
    while number >= 0:
        earlier, continuation = origins[number]
        path.append((candidates[number], continuation))
        number = earlier
    return path[::-1]


def _continuation(readings: Readings, earlier: Run, later: Run) -> Continuation:
    """Return how the register continues from the end of one run to the start of a later one."""
    last, first = earlier.end - 1, later.first
    tolerance = max(readings.resolution[last], readings.resolution[first])
    tolerance += _ROUNDING * earlier.max_register
    rate = max(readings.rate[last], readings.rate[first])
    max_step = rate * (readings.times_ms[first] - readings.last_change_ms[last]) + tolerance
    modulus = readings.device.modulus
    shown = float(readings.register[first])
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
    """Return the greatest step that a guessed rollover from one run to the other may make."""
    last, first = earlier.end - 1, later.first
    if earlier.end - earlier.first < _LEAST_READINGS:  # a spike, which has no usual step
        return 0.0
    near = (
        slice(max(earlier.first, earlier.end - _NEAR_READINGS), earlier.end),
        slice(first, min(first + _NEAR_READINGS, later.end)),
    )
    pieces = [(readings.times_ms[part], readings.register[part]) for part in near]
    return greatest_usual_step(pieces, int(readings.times_ms[first] - readings.times_ms[last]))


def stable_span(readings: Readings, certain: Sequence[Run]) -> tuple[int, int] | None:
    """Return the span whose result doesn't depend on readings outside the window.

    A fall outside the window could split off the ends of a certain run (law 1). So a reading is
    stable only if enough of certain runs lies before and after it.

    Args:
        readings: the readings.
        certain: the certain runs of the path.

    Returns:
        First and last time of the span [UTC, ms]; None if there is no certain run.
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
