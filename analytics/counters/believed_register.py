"""What a register said -> what it counted. The counter is the truth, but not its every word.

Laws:

1. Nothing is invented: an accepted register never falls, and between two accepted readings it
   counts exactly their difference, once for each life of the register (a replacement, a rollover
   or a reset begins a new one).
2. A step is plausible where 0 <= step <= rated maximum x time since the register last moved, give
   or take one resolution. A fall within the resolution is jitter: the register is taken to have
   stood still.
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
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from analytics.counters.meter_devices import HOUR_MS, Device, Place
from analytics.counters.reading_runs import (
    Kind,
    Readings,
    Run,
    believed,
    runs,
    settled_span,
    without_zeros,
)
from analytics.counters.register_lives import Accepted, Life, join
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        good = readings.pick(without_zeros(readings))
        chain = believed(good, list(runs(good)))
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
) -> Readings:
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
    return Readings(
        device,
        times,
        stored,
        ratio,
        register,
        device.resolution(register),
        place.rate_max / ratio / HOUR_MS,
    )


def _life(readings: Readings, chain: Sequence[tuple[Run, Kind]]) -> Life:
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
        settled_span(readings, [run for run, _ in chain if run.settled]),
    )


def _findings(
    meter: str, readings: Readings, good: Readings, chain: Sequence[tuple[Run, Kind]]
) -> Iterator[Finding]:
    for (earlier, _), (later, kind) in pairwise(chain):
        if kind != "follows":
            last, first = earlier.end - 1, later.first
            yield Finding.of(
                f"counter_{kind}",
                meter,
                before=float(good.stored[last]),
                before_ms=int(good.times_ms[last]),
                after=float(good.stored[first]),
                after_ms=int(good.times_ms[first]),
            )
    doubted = np.ones(len(readings.times_ms), dtype=np.bool_)
    for run, _ in chain:
        believed = good.times_ms[run.first : run.end]
        doubted[np.searchsorted(readings.times_ms, believed)] = False
    if doubted.any():
        yield Finding.of("set_aside", meter, first_ms=int(readings.times_ms[doubted][0]))
