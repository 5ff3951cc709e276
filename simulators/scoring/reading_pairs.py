"""Which stored reading is which answer of a meter. Pure: arrays in.

Laws:

1. An answer explains at most one stored reading, and a stored reading at most one answer. As many
   are explained as can be, whatever the order; so where a counter stands still, one that is lost
   is counted once, and not explained away by its neighbours, which say the same.
2. A stored reading is right where an answer that may be believed says the same at that time. It is
   wrong where answers are near and none says so. Else it is late where an answer within the hour
   is not stored otherwise and says the same, and invented where there is none.
3. A good answer is lost where no stored reading is it: none that is right, none that is late, and
   none that is wrong in its place. One mistake of a pipeline is counted once.
"""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from simulators.load.seeded_noise import Floats, Ints

Bools = npt.NDArray[np.bool_]

_HOUR_MS: Final = 3_600_000
_SINGLE: Final = 2.0**-24  # half a step of a single-precision float, of its value
_NO_VALUE: Final = -1  # keys that no value has; far enough apart to be never taken for each other
_NO_EQUAL: Final = -3


class Answers(msgspec.Struct, frozen=True):
    """The answers of a meter that held its consumption counter, in any order.

    Attributes:
        times_ms: UTC, of each answer.
        values: what its registers say [canonical unit]; NaN where nothing could be read.
        registers: what an undisturbed register would have shown [canonical unit].
        verdicts: a `Verdict` each.
        faults: the faults that touched it, separated by spaces.
        peers: who was answered.
    """

    times_ms: Ints
    values: Floats
    registers: Floats
    verdicts: npt.NDArray[np.str_]
    faults: tuple[str, ...]
    peers: tuple[str, ...]

    def asked_by(self, peers: Sequence[str]) -> "Answers":
        """With the answers to other masters as doubtful: nobody has to store them.

        Args:
            peers: beginnings of `host:port`; all count where there are none.
        """
        if not peers:
            return self
        ours = np.asarray([peer.startswith(tuple(peers)) for peer in self.peers], dtype=np.bool_)
        others = ~ours & (self.verdicts == "good")
        return msgspec.structs.replace(
            self, verdicts=np.where(others, "doubtful", self.verdicts).astype(np.str_)
        )


class Readings(msgspec.Struct, frozen=True):
    """What is stored of a meter's consumption counter: UTC, canonical unit, and its doubts."""

    times_ms: Ints
    values: Floats
    quality: Ints


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared, and how strictly.

    Attributes:
        begin_ms: of the run, UTC; what is stored outside of it is not looked at.
        end_ms: likewise; it still belongs to the run.
        zone: whose days are days.
        tolerance_ms: how far a stored time may lie from the answer's.
        late_within_ms: how far the time of a reading that is late may lie from the answer's.
        grace_ms: so shortly before the end an answer may be on its way still.
    """

    begin_ms: int
    end_ms: int
    zone: ZoneInfo
    tolerance_ms: int
    late_within_ms: int = _HOUR_MS
    grace_ms: int = 10_000


class Paired(msgspec.Struct, frozen=True):
    """What became of a meter's answers and readings.

    Attributes:
        lost: mask over answers.
        right: mask over readings. Each of them is either this ...
        wrong: ... or this ...
        late: ... or this ...
        invented: ... or this.
        answer: the number of the one that a right reading is; -1 of the others.
    """

    lost: Bools
    right: Bools
    wrong: Bools
    late: Bools
    invented: Bools
    answer: Ints


def pair(answers: Answers, readings: Readings, step: float, rules: Rules) -> Paired:
    """Tell a meter's readings from its answers.

    Args:
        answers: all of them.
        readings: what is stored within the run.
        step: what one unit of the register is worth [canonical unit]; 0 where it holds a float.
        rules: how strictly.
    """
    return _Pairing(answers, readings, step, rules).outcome()


class _Pairing:
    """A meter's readings against its answers.

    Each has a time, and a place: the time, moved far away for each other value. So places are near
    each other where times are and values are equal.
    """

    def __init__(self, answers: Answers, readings: Readings, step: float, rules: Rules) -> None:
        self._near_ms = rules.tolerance_ms
        self._late_ms = max(rules.late_within_ms, rules.tolerance_ms)
        self._answers_ms, self._readings_ms = answers.times_ms, readings.times_ms
        self._may = answers.verdicts != "bad"
        self._must = _must(answers, rules)
        keys = _keys(answers.values, readings.values, step)
        times = np.concatenate([self._answers_ms, self._readings_ms])
        first, last = times.min(initial=2**62), times.max(initial=0)
        far = max(int(last - first), 0) + self._late_ms + 1
        self._answers = keys[0] * far + (self._answers_ms - first)
        self._readings = keys[1] * far + (self._readings_ms - first)

    def outcome(self) -> Paired:
        """What becomes of each."""
        every = np.ones(len(self._readings), dtype=np.bool_)
        answer = self._equal(every, self._may, self._near_ms)
        right = answer >= 0
        # Some largest pairing has both all readings of one largest pairing and all answers of
        # another (Mendelsohn and Dulmage, 1958): so the good ones may be paired by themselves.
        missing = self._must & ~self._taken(self._equal(every, self._must, self._near_ms))
        spare = self._may & ~self._must & ~self._taken(answer)
        wrong, instead = self._wrong(~right)
        missing &= ~self._taken(
            _pairs(self._readings_ms, instead, self._answers_ms, missing, self._near_ms)
        )
        rest = ~right & ~wrong
        late = self._equal(rest, missing | spare, self._late_ms) >= 0
        lost = missing & ~self._taken(self._equal(rest, missing, self._late_ms))
        return Paired(lost, right, wrong, late, rest & ~late, answer)

    def _wrong(self, rest: Bools) -> tuple[Bools, Bools]:
        """Of the readings that are left: which are wrong, and which stand in a good answer's place.

        Those that repeat a bad answer stand in that one's.
        """
        near = _near(self._readings_ms, self._answers_ms, self._near_ms)
        again = _near(self._readings, self._answers[self._may], self._near_ms)
        of_bad = _near(self._readings, self._answers[~self._may], self._near_ms)
        wrong = rest & near & ~again
        return wrong, wrong & ~of_bad

    def _equal(self, readings: Bools, answers: Bools, within_ms: int) -> Ints:
        """The answer that each reading is, -1 where there is none."""
        return _pairs(self._readings, readings, self._answers, answers, within_ms)

    def _taken(self, answer: Ints) -> Bools:
        taken = np.zeros(len(self._answers), dtype=np.bool_)
        taken[answer[answer >= 0]] = True
        return taken


def _must(answers: Answers, rules: Rules) -> Bools:
    """The answers that have to be stored: the good ones, but for what may be on its way still.

    Of two that say the same in the same millisecond, one: they are one point in a store.
    """
    in_time = answers.times_ms <= rules.end_ms - rules.grace_ms
    must: Bools = (answers.verdicts == "good") & in_time & ~np.isnan(answers.values)
    good = np.flatnonzero(must)
    times, values = answers.times_ms[good], answers.values[good]
    order = np.lexsort((values, times))
    again = (np.diff(times[order]) == 0) & (np.diff(values[order]) == 0)
    must[good[order[1:][again]]] = False
    return must


def _keys(answers: Floats, readings: Floats, step: float) -> tuple[Ints, Ints]:
    """A number for each value that an answer says; readings have that of the one they equal."""
    known = np.unique(answers[~np.isnan(answers)])
    if not len(known):
        return np.full(len(answers), _NO_VALUE), np.full(len(readings), _NO_EQUAL)
    of_answers = np.where(np.isnan(answers), _NO_VALUE, np.searchsorted(known, answers))
    above = np.minimum(np.searchsorted(known, readings), len(known) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(readings - known[below] <= np.abs(known[above] - readings), below, above)
    equal = np.abs(readings - known[nearest]) <= slack(known[nearest], step)
    return of_answers, np.where(equal, nearest, _NO_EQUAL)


def slack(values: Floats, step: float) -> Floats:
    """How far a number may lie from these and be the same."""
    return np.full_like(values, step / 2.0) if step else np.asarray(_SINGLE * np.abs(values))


def _pairs(readings: Ints, whose: Bools, answers: Ints, which: Bools, within: int) -> Ints:
    """As many pairs as there can be of places that lie within a distance, each in one pair.

    Where all may lie equally far apart, the earliest with the earliest is as good as any.

    Returns:
        For each reading the number of its answer, -1 where it has none.
    """
    mine, theirs = np.flatnonzero(whose), np.flatnonzero(which)
    mine = mine[np.argsort(readings[mine], kind="stable")]
    theirs = theirs[np.argsort(answers[theirs], kind="stable")]
    places, at = answers[theirs].tolist(), 0
    partner = np.full(len(readings), -1)
    first: list[int] = []
    second: list[int] = []
    for number, place in enumerate(readings[mine].tolist()):
        while at < len(places) and places[at] < place - within:
            at += 1
        if at < len(places) and places[at] <= place + within:
            first.append(number)
            second.append(at)
            at += 1
    partner[mine[np.asarray(first, np.int64)]] = theirs[np.asarray(second, np.int64)]
    return partner


def _near(places: Ints, others: Ints, within: int) -> Bools:
    """Which places have another one within a distance."""
    others = np.sort(others)
    begins = np.searchsorted(others, places - within)
    return np.asarray(np.searchsorted(others, places + within, side="right") > begins)
