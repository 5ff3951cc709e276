"""What a register said -> what it counted. The counter is the truth, but not its every word.

Laws:

1. Nothing is invented: an accepted register never falls, and between two accepted readings it
   counts exactly their difference, once for each life of the register (a replacement, a rollover
   or a reset begins a new one).
2. A step is plausible where 0 <= step <= rated maximum x time, give or take one resolution. A
   fall within the resolution is jitter: the register is taken to have stood still.
3. What does not follow plausibly is set aside until the register's own later values explain it.
   Readings that follow each other plausibly form a run. Of all ways through the runs that one is
   believed which leaves the fewest well-founded runs unexplained: a zero, a spike or another
   meter's value between two good readings costs nothing, because the good ones follow each other;
   a real reset is believed once the new run has lasted six hours and five readings (a run of
   nothing but zeros: ten days), and then is a finding. What was consumed across a reset nobody
   can know, so it is neither counted nor covered.
4. A register that rolls over continues behind its modulus, where that is known and the step is
   plausible; without a nameplate, only from its last tenth into its first.
5. A run that outweighs two resets is believed whatever else there is. So what lies between two of
   them does not depend on anything outside, and history may be worked off in windows with the
   same result: `Accepted.settled` says how far a window goes.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.devices import HOUR_MS, Device, Place
from analytics.figures import Finding
from analytics.stretches import Accepted, Life, join

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


class _Readings(msgspec.Struct, frozen=True):
    """The readings of one device, cleaned and sorted, in the register's own unit."""

    device: Device
    times_ms: "NDArray[np.int64]"
    stored: "NDArray[np.float64]"
    ratio: "NDArray[np.float64]"
    register: "NDArray[np.float64]"
    resolution: "NDArray[np.float64]"
    rate: "NDArray[np.float64]"

    def pick(self, kept: "NDArray[np.bool_]") -> "_Readings":
        """Only those readings."""
        device, *columns = msgspec.structs.astuple(self)
        return _Readings(device, *(column[kept] for column in columns))

    def follows(
        self, before: "NDArray[np.int64]", after: "NDArray[np.int64]"
    ) -> "NDArray[np.bool_]":
        """Whether readings may follow others, pair by pair (law 2)."""
        step = self.register[after] - self.register[before]
        fine = np.maximum(self.resolution[before], self.resolution[after])
        fine += _ROUNDING * self.register[before]
        rate = np.maximum(self.rate[before], self.rate[after])
        allowed: NDArray[np.bool_] = (step >= -fine) & (
            step <= rate * (self.times_ms[after] - self.times_ms[before]) + fine
        )
        return allowed


class _Run(msgspec.Struct, frozen=True):
    """Readings `first` up to, not including, `end`, each of which follows the one before."""

    first: int
    end: int
    top: float
    worth: float

    @property
    def settled(self) -> bool:
        """Whether it is believed whatever else there is."""
        return self.worth >= _SETTLED


def accept(
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
    place: Place,
    window: tuple[int, int] | None = None,
) -> Accepted:
    """The readings of a meter that are believed, and what they count.

    Args:
        times_ms: UTC ms, in any order; of two readings of one moment the later one counts.
        values: the stored register; NaN where it is not known.
        place: the devices that hung there.
        window: the time that the readings were asked for; outside of it there may be more.
    """
    times, stored = _clean(times_ms, values)
    lives: list[Life] = []
    findings: list[Finding] = []
    for device in place.devices:
        readings = _of_device(times, stored, device, place, window)
        if len(readings.times_ms) == 0:
            continue
        good = readings.pick(_without_zeros(readings))
        chain = _believed(good, list(_runs(good)))
        lives.append(_life(good, chain))
        findings += _findings(place.meter, readings, good, chain)
    return join(lives, tuple(findings))


def _clean(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    known = np.isfinite(values) & (values >= 0)
    order = np.argsort(times_ms[known], kind="stable")
    times, stored = times_ms[known][order], values[known][order]
    last = np.append(times[1:] != times[:-1], True)[: len(times)]
    return times[last], stored[last]


def _of_device(
    times: "NDArray[np.int64]",
    stored: "NDArray[np.float64]",
    device: Device,
    place: Place,
    window: tuple[int, int] | None,
) -> _Readings:
    """The device's readings, with what is recorded of its first and last moment among them."""
    low, high = np.searchsorted(times, (device.from_ms, device.until_ms))
    times, stored = times[low:high], stored[low:high]
    start_ms, end_ms = window or (-(2**62), 2**62)
    if np.isfinite(device.initial) and start_ms <= device.from_ms < end_ms:
        fresh = times > device.from_ms
        times = np.append(device.from_ms, times[fresh])
        stored = np.append(device.initial, stored[fresh])
    if np.isfinite(device.final) and start_ms <= device.until_ms < end_ms:
        times, stored = np.append(times, device.until_ms), np.append(stored, device.final)
    ratio = device.ratio(np.minimum(times, device.until_ms - 1))
    register = stored / ratio
    return _Readings(
        device,
        times,
        stored,
        ratio,
        register,
        device.resolution(register),
        place.rate_max / ratio / HOUR_MS,
    )


def _without_zeros(readings: _Readings) -> "NDArray[np.bool_]":
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


def _runs(readings: _Readings) -> Iterator[_Run]:
    """Readings that follow each other, in runs.

    Where the register fell, one of the two levels was wrong. So what of a run lies above the level
    to which a later one fell is a run of its own, and so is what is back above the level from
    which an earlier one fell. Zeros are a run of their own in any case.
    """
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
            yield _Run(low, high, top, _worth(readings, low, high, top))


def _worth(readings: _Readings, first: int, end: int, top: float) -> float:
    """How well founded a run is, in resets that it outweighs."""
    steps = end - first - 1
    lasted_ms = int(readings.times_ms[end - 1] - readings.times_ms[first])
    founded = min(lasted_ms / _FOUNDED_MS, steps / _FOUNDED_STEPS)
    if top == 0:
        founded /= _ZEROS
    return min(_SETTLED, founded) + _READING * min(end - first, _READINGS_AT_MOST)


def _believed(readings: _Readings, runs: Sequence[_Run]) -> list[tuple[_Run, Kind]]:
    """The best founded way through the runs: each run, and how it goes on from the one before."""
    scores: list[float] = []
    origins: list[tuple[int, Kind]] = []
    for number, run in enumerate(runs):
        best = 0.0
        origin: tuple[int, Kind] = (-1, "follows")
        for earlier in range(number - 1, max(number - _LOOK_BACK, 0) - 1, -1):
            kind = _link(readings, runs[earlier], run)
            score = scores[earlier] - (kind == "reset")
            if score > best:
                best, origin = score, (earlier, kind)
            if runs[earlier].settled:
                break
        scores.append(best + run.worth)
        origins.append(origin)
    chain: list[tuple[_Run, Kind]] = []
    # Of equal ways the one that ends last: what came later has the later word.
    number = len(scores) - 1 - int(np.argmax(scores[::-1]))
    while number >= 0:
        earlier, kind = origins[number]
        chain.append((runs[number], kind))
        number = earlier
    return chain[::-1]


def _link(readings: _Readings, earlier: _Run, later: _Run) -> Kind:
    """How a run goes on from an earlier one."""
    last, first = earlier.end - 1, later.first
    fine = max(readings.resolution[last], readings.resolution[first]) + _ROUNDING * earlier.top
    rate = max(readings.rate[last], readings.rate[first])
    allowed = rate * (readings.times_ms[first] - readings.times_ms[last]) + fine
    modulus = readings.device.modulus
    shown = float(readings.register[first])
    step = shown - earlier.top
    if -fine <= step <= allowed:
        return "follows"
    near = np.isfinite(rate) or (earlier.top > 0.9 * modulus and shown < 0.1 * modulus)
    if near and 0 <= step + modulus <= min(allowed, modulus / 2):
        return "rollover"
    return "reset"


def _life(readings: _Readings, chain: Sequence[tuple[_Run, Kind]]) -> Life:
    """The believed runs, joined."""
    parts: list[NDArray[np.int64]] = []
    register: list[NDArray[np.float64]] = []
    begins: list[NDArray[np.bool_]] = []
    for number, (run, kind) in enumerate(chain):
        index = np.arange(run.first, run.end)
        fresh = np.zeros(len(index), dtype=np.bool_)
        fresh[0] = number == 0 or kind != "follows"
        shown = readings.register[index]
        if kind == "rollover":  # the old stretch ends where the new one begins
            parts.append(index[:1])
            register.append(shown[:1] + readings.device.modulus)
            begins.append(np.zeros(1, dtype=np.bool_))
        parts.append(index)
        register.append(shown)
        begins.append(fresh)
    every = np.concatenate(parts)
    shown = np.concatenate(register)
    stored = readings.stored[every]
    over = shown != readings.register[every]
    return Life(
        readings.device,
        readings.times_ms[every],
        shown,
        np.where(over, shown * readings.ratio[every], stored),
        np.concatenate(begins),
        _settled(readings, [run for run, _ in chain if run.settled]),
    )


def _settled(readings: _Readings, runs: Sequence[_Run]) -> tuple[int, int] | None:
    """From when until when the believed runs are believed whatever there is outside.

    A reading of a well-founded run is, if enough of the run lies on both sides of it: a fall
    outside the window could still part the run's ends from it (see `_runs`).
    """
    if not runs:
        return None
    times = readings.times_ms
    enough_ms, enough = int(_SETTLED * _FOUNDED_MS), int(_SETTLED * _FOUNDED_STEPS) + 1
    first, last = runs[0].first, runs[-1].end - 1
    after = int(np.searchsorted(times, times[first] + enough_ms))
    before = int(np.searchsorted(times, times[last] - enough_ms, side="right")) - 1
    return int(times[max(after, first + enough)]), int(times[min(before, last - enough)])


def _findings(
    meter: str, readings: _Readings, good: _Readings, chain: Sequence[tuple[_Run, Kind]]
) -> Iterator[Finding]:
    for (earlier, _), (later, kind) in pairwise(chain):
        if kind != "follows":
            last, first = earlier.end - 1, later.first
            yield Finding(
                f"counter_{kind}",
                meter,
                f"{good.stored[last]} at {_moment(good.times_ms[last])}, then "
                f"{good.stored[first]} at {_moment(good.times_ms[first])}",
            )
    doubted = np.ones(len(readings.times_ms), dtype=np.bool_)
    for run, _ in chain:
        believed = good.times_ms[run.first : run.end]
        doubted[np.searchsorted(readings.times_ms, believed)] = False
    if doubted.any():
        yield Finding(
            "set_aside",
            meter,
            "there are readings that do not fit the others or the nameplate, the first at "
            f"{_moment(readings.times_ms[doubted][0])}",
        )


def _moment(time_ms: "np.int64") -> str:
    return datetime.fromtimestamp(int(time_ms) / 1000, UTC).isoformat(timespec="seconds")
