"""Set aside zeros and spikes that are certainly wrong, without a search for the best path.

Most wrong readings are a single zero or spike between two good readings. For these the search of
`reading_runs` has only one possible result, which this module finds with a few passes over the
readings.

Law: the result is exactly that of `believed_register`. If this is not proven, there is no result.

Which readings are accepted: a stray is a zero, or a spike. A spike is higher than the next positive
reading. All other readings are good, the first and the last one included; together they are plain
(`plain_register`). There are no two spikes side by side. A spike is above the next two good
readings by more than the resolution, and far from the register's modulus.

Why the best path consists of exactly the good readings:

1. All zeros are removed before the search: the step between the good readings before and after them
   is plausible (law 3 of `stray_readings`). A spike that means "no value" is removed too, because
   it is above both neighbours.
2. Each other spike is a run of its own. After it the register falls. If the step to it is
   plausible, it is cut from the run before it, at the level of the good run after it (law 1 of
   `reading_runs`). Its evidence is 0, so its score is that of one reading. All spikes together have
   a score below 0.5.
3. Good runs follow one another without a reset, also if they are cut. So a path that only leaves
   out some of the good runs has a lower score.
4. After a spike, a path can't go on with one of the next two good readings. The register would fall
   there without a rollover. That is a reset, which costs 1. Now assume that a path contains several
   spikes, and no good reading between these spikes. Then the path leaves out at least one good
   reading between each two spikes, and two good readings after the last spike. So it leaves out
   more good readings than it contains spikes, and its score is lower.
5. The stable part of the window depends on the first and the last certain run. Good runs are cut
   only at the levels of earlier spikes. The beginning of the first certain run is proven only if it
   still belongs to a certain run after all such cuts. So is the end of the last certain run.
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


class _Strays(NamedTuple):
    """Strays among readings.

    Attributes:
        indexes: shape (n,), indexes of all strays, ascending.
        spikes: shape (s,), indexes of the spikes, ascending.
    """

    indexes: "NDArray[np.intp]"
    spikes: "NDArray[np.intp]"


class _Dirty(NamedTuple):
    """Good readings, and the spikes among them that a search would have to judge.

    Attributes:
        plain: register of the good readings.
        spikes: shape (s,), stored values of the spikes, by time.
        follows: shape (s,), index of the good reading after each spike, among the good ones.
    """

    plain: PlainRegister
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
    strays = _strays(times_ms, values)
    if strays is None:
        return None
    is_good = np.ones(len(values), dtype=np.bool_)
    is_good[strays.indexes] = False
    plain = plain_register(times_ms[is_good], values[is_good], devices, window)
    if plain is None or has_sentinel(plain.line.stored, plain.ratio):
        return None
    spikes = strays.spikes
    register = values[spikes] / plain.ratio
    if plain.device.no_values:
        if plain.device.is_no_value(np.zeros(1)).any():  # a zero means "no value" in this device
            return None
        unread = plain.device.is_no_value(register)
        if unread.any():  # a spike that means "no value" is not a reading, and has no finding
            is_read = np.ones(len(values), dtype=np.bool_)
            is_read[spikes[unread]] = False
            return without_lone_strays(times_ms[is_read], values[is_read], devices, window)
    stable_ms = plain.stable_ms
    if has_sentinel(np.sort(register), 1.0):
        spikes = spikes[~is_positive_sentinel(register)]
    if len(spikes):
        follows = spikes - strays.indexes.searchsorted(spikes)
        dirty = _Dirty(plain, values[spikes], follows)
        runs = _good_runs(dirty)
        if not _is_proven(dirty, runs):
            return None
        stable_ms = _stable_ms(dirty, runs)
    findings = stray_findings(devices.meter, times_ms, strays.indexes)
    return StrayFreeRegister(plain.line, stable_ms, findings)


def _strays(times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]") -> _Strays | None:
    """Return the zeros and spikes among known readings.

    Returns:
        None if the readings can't be judged here. Then there are negative readings, too few or too
        many readings, two spikes side by side, strays that are not in order of time, or a stray at
        the beginning or the end.
    """
    if not _READINGS_MIN <= len(values) <= _READINGS_MAX or values.min() < 0:
        return None
    if values[0] == 0 or values[-1] == 0:
        return None
    zeros = np.flatnonzero(values == 0)
    falls = np.flatnonzero(values[1:] < values[:-1])
    positive = falls + 1  # the next positive reading
    if len(zeros):
        # Each sequence of zeros begins with a fall.
        ends = np.append(zeros[1:] - zeros[:-1] > 1, True)
        positive[values[positive] == 0] = zeros[ends] + 1
    is_spike = values[falls] > values[positive]
    spikes = falls[is_spike]
    is_first = len(spikes) > 0 and spikes[0] == 0
    if is_first or (positive[is_spike][:-1] == spikes[1:]).any():
        return None
    strays = np.sort(np.concatenate([zeros, spikes]))
    moments = times_ms[strays]
    # The order of the good readings is tested later.
    is_in_order = (times_ms[strays - 1] < moments) & (moments < times_ms[strays + 1])
    return _Strays(strays, spikes) if is_in_order.all() else None


def _good_runs(dirty: _Dirty) -> _GoodRuns:
    """Return the runs of good readings between the spikes."""
    times = dirty.plain.line.times_ms
    bounds = np.concatenate([[0], dirty.follows, [len(times)]])
    first, end = bounds[:-1], bounds[1:]
    return _GoodRuns(first, end, evidence_of(times[end - 1] - times[first], end - first - 1))


def _is_proven(dirty: _Dirty, runs: _GoodRuns) -> bool:
    """Return True if the best path is proven to consist of exactly the good readings."""
    device, ratio = dirty.plain.device, dirty.plain.ratio
    good, spikes = dirty.plain.line.stored, dirty.spikes / ratio
    second = dirty.follows + 1
    if second[-1] == len(good):
        return False
    sure_fall = _SURE_RESOLUTIONS * device.resolution(spikes) + _SURE_SHARE * spikes
    if (spikes - good[second] / ratio <= sure_fall).any():
        return False
    # A rollover is a step of at most half the modulus. It is guessed only after three readings.
    last = good[-1] / ratio * (1 + _SURE_SHARE)
    if not ((spikes < _NEVER * device.modulus) | (spikes > device.modulus + last)).all():
        return False
    certain = np.flatnonzero(runs.evidence >= CERTAIN)
    return not len(certain) or (
        _remains_certain(dirty, runs, int(certain[0]))[0]
        and _remains_certain(dirty, runs, int(certain[-1]))[1]
    )


def _remains_certain(dirty: _Dirty, runs: _GoodRuns, number: int) -> tuple[bool, bool]:
    """Return True if the beginning, and the end, of a certain run stay in certain runs (point 5).

    Runs are cut only at levels of the 32 runs before. There is at least one run between two spikes.

    Returns:
        One value for the beginning of the run, and one for its end.
    """
    earlier = dirty.spikes[max(number - LOOK_BACK_RUNS, 0) : number]
    line, first, end = dirty.plain.line, runs.first[number], runs.end[number]
    times, stored = line.times_ms[first:end], line.stored[first:end]
    low, high = earlier * (1 - _SURE_SHARE), earlier * (1 + _SURE_SHARE)
    is_between = (stored[0] <= high) & (low <= stored[-1])
    if not is_between.any():
        return True, True
    parts = (
        times[: int(stored.searchsorted(low[is_between].min()))],
        times[int(stored.searchsorted(high[is_between].max(), side="right")) :],
    )
    begin, rest = (
        len(part) > 0 and bool(evidence_of(part[-1] - part[0], len(part) - 1) >= CERTAIN)
        for part in parts
    )
    return begin, rest


def _stable_ms(dirty: _Dirty, runs: _GoodRuns) -> tuple[int, int] | None:
    """Return the stable part of the window, as `believed_register` does (law 7).

    The part begins in the first certain run and ends in the last one. These runs have no strays.
    """
    certain = np.flatnonzero(runs.evidence >= CERTAIN)
    if not len(certain):
        return None
    first, last = certain[0], certain[-1]
    return stable_span(dirty.plain.line.times_ms, int(runs.first[first]), int(runs.end[last]))
