"""Readings -> runs, and the way through them that is best founded: what `counters` believes.

Readings that follow each other plausibly form a run. A run may follow an earlier one, go on from
it behind a rollover, or, unexplained, be another beginning: a reset. A way through the runs is
worth what its runs are worth, less one for each reset; the dearest way is believed.

Laws:

1. Where the register fell, one of two levels was wrong. So what of a run lies above the level to
   which a later one fell is a run of its own, and so is what is back above the level from which
   an earlier one fell. Zeros are a run of their own in any case.
2. A run that outweighs two resets lies on the dearest way, whatever else there is.
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

Kind = Literal["follows", "rollover", "reset"]

#: What makes a run worth one unexplained reset: it lasts so long, and has so many steps.
_FOUNDED_MS: Final = 6 * HOUR_MS
_FOUNDED_STEPS: Final = 3.0
#: The same for a run of zeros, which is what a gateway answers for a meter that it can't reach:
#: forty times as long, ten days.
_ZEROS: Final = 40.0
#: A run worth more than two resets is kept whatever lies around it.
_SETTLED: Final = 2.5
#: A reading is worth a little, so that of two equal ways the one with more readings is taken.
_READING: Final = 1e-6
_READINGS_AT_MOST: Final = 1000
#: So many runs back a run may continue an earlier one, past what was set aside between them.
_LOOK_BACK: Final = 32
#: Rounding of the 64-bit numbers in which registers are stored, relative.
_ROUNDING: Final = 1e-9


class Readings(msgspec.Struct, frozen=True, dict=True):
    """The readings of one device, cleaned and sorted, in the register's own unit."""

    device: Device
    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    ratio: "NDArray[np.float64]"
    register: "NDArray[np.float64]"
    resolution: "NDArray[np.float64]"
    rate: "NDArray[np.float64]"

    def pick(self, kept: "NDArray[np.bool_]") -> "Readings":
        """Only those readings."""
        device, *columns = msgspec.structs.astuple(self)
        return Readings(device, *(column[kept] for column in columns))

    @cached_property
    def moved_ms(self) -> "NDArray[np.int64]":
        """Since when the register had shown what each reading says.

        A step out of a standstill holds what flowed since then: a display froze, or a logger
        renews its registers every few minutes only.
        """
        moved = np.append(True, self.register[1:] != self.register[:-1])[: len(self.register)]
        since: NDArray[np.int64] = np.maximum.accumulate(np.where(moved, self.times_ms, 0))
        return since

    def follows(
        self, before: "NDArray[np.int64]", after: "NDArray[np.int64]"
    ) -> "NDArray[np.bool_]":
        """Whether readings may follow others, pair by pair (law 2 of `counters`)."""
        step = self.register[after] - self.register[before]
        fine = np.maximum(self.resolution[before], self.resolution[after])
        fine += _ROUNDING * self.register[before]
        rate = np.maximum(self.rate[before], self.rate[after])
        allowed: NDArray[np.bool_] = (step >= -fine) & (
            step <= rate * (self.times_ms[after] - self.moved_ms[before]) + fine
        )
        return allowed


class Run(msgspec.Struct, frozen=True):
    """Readings `first` up to, not including, `end`, each of which follows the one before.

    Attributes:
        founded: how many resets its length and its steps outweigh, at most `_SETTLED`.
    """

    first: int
    end: int
    top: float
    founded: float

    @property
    def worth(self) -> float:
        """What it adds to a way that it lies on."""
        return self.founded + _READING * min(self.end - self.first, _READINGS_AT_MOST)

    @property
    def settled(self) -> bool:
        """Whether it is believed whatever else there is."""
        return self.founded >= _SETTLED


def without_zeros(readings: Readings) -> "NDArray[np.bool_]":
    """All readings but the zeros between two others that follow each other."""
    positive = np.flatnonzero(readings.register > 0)
    before, after = positive[:-1], positive[1:]
    apart = after - before > 1
    before, after = before[apart], after[apart]
    skipped = readings.follows(before, after)
    depth = np.zeros(len(readings.times_ms) + 1, dtype=np.int64)
    depth[before[skipped] + 1] += 1
    depth[after[skipped]] -= 1
    kept: NDArray[np.bool_] = np.cumsum(depth[:-1]) == 0
    return kept


def runs(readings: Readings) -> Iterator[Run]:
    """The readings as runs, cut by law 1."""
    register = readings.register
    every = np.arange(len(register))
    breaks = np.flatnonzero(~readings.follows(every[:-1], every[1:])) + 1
    spans = list(pairwise([0, *breaks.tolist(), len(register)]))
    held = [np.maximum.accumulate(register[first:end]) for first, end in spans]
    zeros = [int(np.searchsorted(part, 0.0, side="right")) for part in held]
    bottoms = np.array([part[min(n, len(part) - 1)] for part, n in zip(held, zeros, strict=True)])
    tops = np.array([part[-1] for part in held])
    for number, (first, end) in enumerate(spans):
        cuts = {
            zeros[number],
            *held[number].searchsorted(tops[max(number - _LOOK_BACK, 0) : number]).tolist(),
            *held[number]
            .searchsorted(bottoms[number + 1 : number + 1 + _LOOK_BACK], side="right")
            .tolist(),
        }
        inner = sorted(first + cut for cut in cuts if 0 < cut < end - first)
        for low, high in pairwise([first, *inner, end]):
            top = float(held[number][high - first - 1])
            yield Run(low, high, top, _founded(readings, low, high, top))


def _founded(readings: Readings, first: int, end: int, top: float) -> float:
    """How well founded a run is, in resets that it outweighs."""
    steps = end - first - 1
    lasted_ms = int(readings.times_ms[end - 1] - readings.times_ms[first])
    founded = min(lasted_ms / _FOUNDED_MS, steps / _FOUNDED_STEPS)
    if top == 0:
        founded /= _ZEROS
    return min(_SETTLED, founded)


def believed(readings: Readings, parts: Sequence[Run]) -> list[tuple[Run, Kind]]:
    """The best founded way through the runs: each run, and how it goes on from the one before."""
    scores: list[float] = []
    origins: list[tuple[int, Kind]] = []
    for number, run in enumerate(parts):
        best = 0.0
        origin: tuple[int, Kind] = (-1, "follows")
        for earlier in range(number - 1, max(number - _LOOK_BACK, 0) - 1, -1):
            kind = _link(readings, parts[earlier], run)
            score = scores[earlier] - (kind == "reset")
            if score > best:
                best, origin = score, (earlier, kind)
            if parts[earlier].settled:
                break
        scores.append(best + run.worth)
        origins.append(origin)
    chain: list[tuple[Run, Kind]] = []
    # Of equal ways the one that ends last: what came later has the later word.
    number = len(scores) - 1 - int(np.argmax(scores[::-1]))
    while number >= 0:
        earlier, kind = origins[number]
        chain.append((parts[number], kind))
        number = earlier
    return chain[::-1]


def _link(readings: Readings, earlier: Run, later: Run) -> Kind:
    """How a run goes on from an earlier one."""
    last, first = earlier.end - 1, later.first
    fine = max(readings.resolution[last], readings.resolution[first]) + _ROUNDING * earlier.top
    rate = max(readings.rate[last], readings.rate[first])
    allowed = rate * (readings.times_ms[first] - readings.moved_ms[last]) + fine
    modulus = readings.device.modulus
    shown = float(readings.register[first])
    step = shown - earlier.top
    if -fine <= step <= allowed:
        return "follows"
    near = np.isfinite(rate) or (earlier.top > 0.9 * modulus and shown < 0.1 * modulus)
    if near and 0 <= step + modulus <= min(allowed, modulus / 2):
        return "rollover"
    return "reset"


def settled_span(readings: Readings, firm: Sequence[Run]) -> tuple[int, int] | None:
    """From when until when the believed runs are believed whatever there is outside.

    A reading of a well-founded run is, if enough of the run lies on both sides of it: a fall
    outside the window could still part the run's ends from it (see `runs`).
    """
    if not firm:
        return None
    times = readings.times_ms
    enough_ms, enough = int(_SETTLED * _FOUNDED_MS), int(_SETTLED * _FOUNDED_STEPS) + 1
    first, last = firm[0].first, firm[-1].end - 1
    after = int(np.searchsorted(times, times[first] + enough_ms))
    before = int(np.searchsorted(times, times[last] - enough_ms, side="right")) - 1
    settled_from = min(max(after, first + enough), last)
    settled_until = max(min(before, last - enough), first)
    return int(times[settled_from]), int(times[settled_until])
