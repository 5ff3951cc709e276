"""Set aside zeros and spikes that are certainly wrong, without a search for the best path.

Most wrong readings are a single zero or spike between two good readings. For these the search of
`reading_runs` has only one possible result, which this module finds with a few passes over the
readings.

Law: the result is exactly that of `believed_register`. If this is not proven, there is no result.

Accepted readings: zeros, and readings that are higher than the positive reading after them, are
strays. All other readings are plain (`plain_register`), the first and the last one included. A
spike has no other spike beside it, is above the next two good readings by more than the resolution,
and is far from the register's modulus.

Why the best path consists of exactly the good readings:

1. All zeros are removed before the search: the step between the good readings before and after them
   is plausible (law 3 of `stray_readings`). A spike that means "no value" is removed too, because
   it is above both neighbours.
2. Each other spike is a run of its own. After it the register falls. If the step to it is
   plausible, it is cut from the run before it, at the level of the good run after it (law 1 of
   `reading_runs`). Its evidence is 0, and all spikes together have a score below 0.5.
3. Good runs follow one another without a reset. So a path that only leaves some of them out has a
   lower score. A path that contains a spike either goes on with a fall, which is not a rollover, so
   it is a reset and costs 1. Or it goes on with a later good reading above the spike. Then it
   leaves out at least the two next good readings (one for each spike, and one more), and loses more
   than it gains.
4. The first and the last good run have an evidence of 0.5. So a path does not gain by beginning
   after the first one, or by ending before the last one, with spikes only.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analytics.counters.batch.plain_register import PlainRegister, plain_register
from analytics.counters.intervals.register_line import RegisterLine
from analytics.counters.meter_devices import MeterDevices
from analytics.counters.path_findings import stray_findings
from analytics.counters.reading_runs import CERTAIN, LOOK_BACK_RUNS, evidence_of, stable_span
from analytics.counters.register_finding import RegisterFinding
from analytics.counters.sentinels import has_sentinel, is_positive_sentinel

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest evidence of the first and the last good run (point 4).
_FIRM: Final = 0.5
_READINGS_MIN: Final = 3
#: Largest number of readings for which the sum of the scores of spikes is below 0.5 (point 2).
_READINGS_MAX: Final = 500_000
#: Smallest fall from a spike to the next reading: a share of the spike, and a number of
#: resolutions.
_SURE_SHARE: Final = 1e-8
_SURE_RESOLUTIONS: Final = 2.0
#: Share of the modulus below which a fall is no rollover.
_NEVER: Final = 0.4999


class StrayFreeRegister(NamedTuple):
    """A register whose readings are believed, except for some strays.

    Attributes:
        line: line of the good readings.
        stable_ms: as in `BelievedRegister`.
        findings: findings about the strays.
    """

    line: RegisterLine
    stable_ms: tuple[int, int] | None
    findings: tuple[RegisterFinding, ...]


class _Dirty(NamedTuple):
    """Good readings with spikes among them that a search would have to judge.

    Attributes:
        plain: register of the good readings.
        spikes_ms: shape (s,), times of the spikes [UTC, ms], ascending.
        spikes: shape (s,), stored values of the spikes.
        follows: shape (s,), index of the good reading after each spike, among the good ones.
    """

    plain: PlainRegister
    spikes_ms: "NDArray[np.int64]"
    spikes: "NDArray[np.float64]"
    follows: "NDArray[np.intp]"


class _GoodRuns(NamedTuple):
    """The runs of good readings between the spikes, each of shape (s + 1,).

    Attributes:
        first: index of the first reading among the good ones.
        end: index after the last reading.
        evidence: evidence of the run.
    """

    first: "NDArray[np.intp]"
    end: "NDArray[np.intp]"
    evidence: "NDArray[np.float64]"


def without_lone_strays(
    times_ms: "NDArray[np.int64]",
    values: "NDArray[np.float64]",
    devices: MeterDevices,
    window: tuple[int, int],
) -> StrayFreeRegister | None:
    """Return the register of a meter with lone strays only; None if other readings may be wrong.

    Args:
        times_ms: shape (n,), times of the readings [UTC, ms].
        values: shape (n,), the stored register [kWh, m3 or GJ]; NaN if unknown.
        devices: devices of the meter.
        window: time span from which the readings were read [UTC, ms].
    """
    is_known = np.isfinite(values)
    if not is_known.all():
        times_ms, values = times_ms[is_known], values[is_known]
    found = _divided(times_ms, values)
    if found is None:
        return None
    is_good, spikes = found
    plain = plain_register(times_ms[is_good], values[is_good], devices, window)
    if plain is None or has_sentinel(plain.line.stored, plain.ratio):
        return None
    if plain.device.is_no_value(np.zeros(1)).any():  # then a zero is no reading at all
        return None
    register = values[spikes] / plain.ratio
    unread = plain.device.is_no_value(register)
    if unread.any():  # no readings at all, for which there is no finding either
        is_read = np.ones(len(values), dtype=np.bool_)
        is_read[spikes[unread]] = False
        return without_lone_strays(times_ms[is_read], values[is_read], devices, window)
    stable_ms = plain.stable_ms
    spikes = spikes[~is_positive_sentinel(register)]
    if len(spikes):
        follows = plain.line.times_ms.searchsorted(times_ms[spikes])
        dirty = _Dirty(plain, times_ms[spikes], values[spikes], follows)
        runs = _good_runs(dirty)
        if not _is_proven(dirty, runs):
            return None
        stable_ms = _stable_ms(dirty, runs)
    findings = tuple(stray_findings(devices.meter, times_ms, ~is_good))
    return StrayFreeRegister(plain.line, stable_ms, findings)


def _divided(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]"
) -> "tuple[NDArray[np.bool_], NDArray[np.intp]] | None":
    """Divide known readings into good ones and strays.

    Returns:
        True for good readings, shape (n,), and the indexes of the spikes, ascending. None if there
        are negative readings, too few or too many readings, times in disorder, two spikes side by
        side, or a stray at the beginning or the end.
    """
    if not _READINGS_MIN <= len(values) <= _READINGS_MAX or values.min() < 0:
        return None
    is_good = values > 0
    positive = values[is_good]
    falls = np.flatnonzero(positive[1:] < positive[:-1])
    spikes = np.flatnonzero(is_good)[falls]
    is_good[spikes] = False
    is_in_order = (times_ms[1:] > times_ms[:-1]).all() and (falls[1:] > falls[:-1] + 1).all()
    return (is_good, spikes) if is_in_order and is_good[0] and is_good[-1] else None


def _good_runs(dirty: _Dirty) -> _GoodRuns:
    """Return the runs of good readings between the spikes."""
    times = dirty.plain.line.times_ms
    first = np.append(0, dirty.follows)
    end = np.append(dirty.follows, len(times))
    return _GoodRuns(first, end, evidence_of(times[end - 1] - times[first], end - first - 1))


def _is_proven(dirty: _Dirty, runs: _GoodRuns) -> bool:
    """Return True if the best path is proven to consist of exactly the good readings."""
    device, ratio = dirty.plain.device, dirty.plain.ratio
    good, spikes = dirty.plain.line.stored, dirty.spikes / ratio
    if min(runs.evidence[0], runs.evidence[-1]) < _FIRM:
        return False
    # The last run has at least two readings, so a second good reading follows each spike.
    sure_fall = _SURE_RESOLUTIONS * device.resolution(spikes) + _SURE_SHARE * spikes
    if (spikes - good[dirty.follows + 1] / ratio <= sure_fall).any():
        return False
    # A rollover is a step of at most half the modulus. It is guessed only after three readings.
    last = good[-1] / ratio * (1 + _SURE_SHARE)
    if not ((spikes < _NEVER * device.modulus) | (spikes > device.modulus + last)).all():
        return False
    certain = np.flatnonzero(runs.evidence >= CERTAIN)
    ends = {*certain[:1].tolist(), *certain[-1:].tolist(), len(spikes)}
    return not any(_is_cut(runs, number, good, dirty.spikes) for number in ends)


def _is_cut(
    runs: _GoodRuns, number: int, good: "NDArray[np.float64]", spikes: "NDArray[np.float64]"
) -> bool:
    """Return True if a run may be split at the level of an earlier spike.

    Runs are split only at levels of the 32 runs before. There is at least one run between two
    spikes.
    """
    low, high = good[runs.first[number]], good[runs.end[number] - 1]
    earlier = spikes[max(number - LOOK_BACK_RUNS, 0) : number]
    is_between = (earlier >= low * (1 - _SURE_SHARE)) & (earlier <= high * (1 + _SURE_SHARE))
    return bool(is_between.any())


def _stable_ms(dirty: _Dirty, runs: _GoodRuns) -> tuple[int, int] | None:
    """Return the stable part of the window, as `believed_register` does (law 7)."""
    certain = np.flatnonzero(runs.evidence >= CERTAIN)
    if not len(certain):
        return None
    # Before the good run with number n there are n spikes.
    first = int(runs.first[certain[0]] + certain[0])
    end = int(runs.end[certain[-1]] + certain[-1])
    candidates = np.insert(dirty.plain.line.times_ms, dirty.follows, dirty.spikes_ms)
    return stable_span(candidates, first, end)
