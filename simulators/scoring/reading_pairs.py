"""Match the readings in a store to the answers of a meter. Pure: arrays in.

Laws:

1. An answer explains at most one stored reading, and a stored reading is explained by at most one
   answer. As many readings are explained as possible, in any order. So while a counter stands
   still, a lost answer is counted once, and not explained away by its neighbours of equal value.
2. A stored reading is right if an answer that may be believed has the same value at that time. It
   is wrong if answers are near and none of them has its value. Otherwise it is late if an answer of
   the same value, within an hour, is not stored in another way, and invented if there is none.
3. A good answer is lost if no stored reading stands for it: none that is right, none that is late,
   and none that is wrong in its place. Each mistake of a pipeline is counted once.
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
_HALF_STEP_OF_SINGLE: Final = 2.0**-24  # of a single-precision float, as a share of its value
# Keys that no value has, too far apart to be mistaken for each other.
_NO_VALUE: Final = -1
_NO_EQUAL: Final = -3


class Answers(msgspec.Struct, frozen=True):
    """The answers of a meter that held its consumption counter, in any order.

    Attributes:
        times_ms: time of each answer, UTC.
        values: counter according to the answer's registers [canonical unit]; NaN if unreadable.
        registers: counter that an undisturbed register would have shown [canonical unit].
        verdicts: a `Verdict` for each answer.
        faults: ids of the faults that touched the answer, separated by spaces.
        peers: address of the master that was answered, host:port.
    """

    times_ms: Ints
    values: Floats
    registers: Floats
    verdicts: npt.NDArray[np.str_]
    faults: tuple[str, ...]
    peers: tuple[str, ...]

    def asked_by(self, peers: Sequence[str]) -> "Answers":
        """Return the answers with those to other masters as doubtful: they need not be stored.

        Args:
            peers: beginnings of `host:port`; if empty, all masters count.
        """
        if not peers:
            return self
        counted = np.asarray([peer.startswith(tuple(peers)) for peer in self.peers], dtype=np.bool_)
        to_others = ~counted & (self.verdicts == "good")
        return msgspec.structs.replace(
            self, verdicts=np.where(to_others, "doubtful", self.verdicts).astype(np.str_)
        )


class Readings(msgspec.Struct, frozen=True):
    """The stored values of a meter's consumption counter.

    Attributes:
        times_ms: UTC.
        values: [canonical unit].
        quality: a sum of quality codes each; 0 is good.
    """

    times_ms: Ints
    values: Floats
    quality: Ints


class ScoringRules(msgspec.Struct, frozen=True, kw_only=True):
    """The span that is scored, and the tolerances.

    Attributes:
        begin_ms: begin of the run, UTC; earlier readings are ignored.
        end_ms: end of the run, UTC, inclusive; later readings are ignored.
        zone: time zone of local days.
        tolerance_ms: largest distance between the times of a right reading and its answer.
        late_within_ms: largest distance between the times of a late reading and its answer.
        grace_ms: an answer this short before the end need not be stored yet.
    """

    begin_ms: int
    end_ms: int
    zone: ZoneInfo
    tolerance_ms: int
    late_within_ms: int = _HOUR_MS
    grace_ms: int = 10_000


class Pairing(msgspec.Struct, frozen=True):
    """The result for each answer and each reading of a meter.

    Every reading is exactly one of right, wrong, late and invented.

    Attributes:
        lost: mask over answers.
        right: mask over readings.
        wrong: mask over readings.
        late: mask over readings.
        invented: mask over readings.
        answer: index of the answer of each right reading; -1 for the other readings.
    """

    lost: Bools
    right: Bools
    wrong: Bools
    late: Bools
    invented: Bools
    answer: Ints


def pair(answers: Answers, readings: Readings, step: float, rules: ScoringRules) -> Pairing:
    """Match a meter's readings to its answers.

    Args:
        answers: all answers of the run.
        readings: readings stored within the run.
        step: one step of the register [canonical unit]; 0 if it holds a float.
        rules: span and tolerances.
    """
    return _Matcher(answers, readings, step, rules).pairing()


class _Matcher:
    """Matches one meter's readings and answers by their positions on a line.

    The position is the time, plus a large offset for each different value. So two positions are
    close exactly if the times are close and the values are equal.
    """

    def __init__(
        self, answers: Answers, readings: Readings, step: float, rules: ScoringRules
    ) -> None:
        self._near_ms = rules.tolerance_ms
        self._late_ms = max(rules.late_within_ms, rules.tolerance_ms)
        self._answers_ms, self._readings_ms = answers.times_ms, readings.times_ms
        self._believable = answers.verdicts != "bad"
        self._required = _required(answers, rules)
        answer_keys, reading_keys = _value_keys(answers.values, readings.values, step)
        times = np.concatenate([self._answers_ms, self._readings_ms])
        first, last = times.min(initial=2**62), times.max(initial=0)
        offset = max(int(last - first), 0) + self._late_ms + 1
        self._answers = answer_keys * offset + (self._answers_ms - first)
        self._readings = reading_keys * offset + (self._readings_ms - first)

    def pairing(self) -> Pairing:
        every = np.ones(len(self._readings), dtype=np.bool_)
        answer = self._match(every, self._believable, self._near_ms)
        right = answer >= 0
        # Some largest pairing has both all readings of one largest pairing and all answers of
        # another (Mendelsohn and Dulmage, 1958): so the good ones may be paired by themselves.
        missing = self._required & ~self._taken(self._match(every, self._required, self._near_ms))
        spare = self._believable & ~self._required & ~self._taken(answer)
        wrong, in_place_of_answer = self._wrong(~right)
        missing &= ~self._taken(
            _match_positions(
                self._readings_ms, in_place_of_answer, self._answers_ms, missing, self._near_ms
            )
        )
        rest = ~right & ~wrong
        late = self._match(rest, missing | spare, self._late_ms) >= 0
        lost = missing & ~self._taken(self._match(rest, missing, self._late_ms))
        return Pairing(lost, right, wrong, late, rest & ~late, answer)

    def _wrong(self, unexplained: Bools) -> tuple[Bools, Bools]:
        """Return which readings are wrong, and which of these stand in a good answer's place.

        A wrong reading that repeats a bad answer stands in the bad answer's place.
        """
        near = _has_neighbour(self._readings_ms, self._answers_ms, self._near_ms)
        repeats = _has_neighbour(self._readings, self._answers[self._believable], self._near_ms)
        repeats_bad = _has_neighbour(
            self._readings, self._answers[~self._believable], self._near_ms
        )
        wrong = unexplained & near & ~repeats
        return wrong, wrong & ~repeats_bad

    def _match(self, readings: Bools, answers: Bools, within_ms: int) -> Ints:
        """Return the index of each reading's answer of equal value, -1 if it has none."""
        return _match_positions(self._readings, readings, self._answers, answers, within_ms)

    def _taken(self, answer: Ints) -> Bools:
        taken = np.zeros(len(self._answers), dtype=np.bool_)
        taken[answer[answer >= 0]] = True
        return taken


def _required(answers: Answers, rules: ScoringRules) -> Bools:
    """Return the answers that must be stored: the good ones before the grace at the end.

    Of two answers of the same value in the same millisecond one is enough: they are one point in a
    store.
    """
    early_enough = answers.times_ms <= rules.end_ms - rules.grace_ms
    required: Bools = (answers.verdicts == "good") & early_enough & ~np.isnan(answers.values)
    good = np.flatnonzero(required)
    times, values = answers.times_ms[good], answers.values[good]
    order = np.lexsort((values, times))
    repeated = (np.diff(times[order]) == 0) & (np.diff(values[order]) == 0)
    required[good[order[1:][repeated]]] = False
    return required


def _value_keys(answers: Floats, readings: Floats, step: float) -> tuple[Ints, Ints]:
    """Return a number for each answer's value, and for each reading that of the value it equals."""
    known = np.unique(answers[~np.isnan(answers)])
    if not len(known):
        return np.full(len(answers), _NO_VALUE), np.full(len(readings), _NO_EQUAL)
    of_answers = np.where(np.isnan(answers), _NO_VALUE, np.searchsorted(known, answers))
    above = np.minimum(np.searchsorted(known, readings), len(known) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(readings - known[below] <= np.abs(known[above] - readings), below, above)
    equal = np.abs(readings - known[nearest]) <= half_step(known[nearest], step)
    return of_answers, np.where(equal, nearest, _NO_EQUAL)


def half_step(values: Floats, step: float) -> Floats:
    """Return the distance within which a number equals these values: half a register's step."""
    return (
        np.full_like(values, step / 2.0)
        if step
        else np.asarray(_HALF_STEP_OF_SINGLE * np.abs(values))
    )


def _match_positions(
    readings: Ints, reading_mask: Bools, answers: Ints, answer_mask: Bools, within: int
) -> Ints:
    """Match as many readings and answers within a distance as possible, each at most once.

    All share one distance, so matching the earliest reading with the earliest answer is optimal.

    Returns:
        The index of each reading's answer, -1 if it has none.
    """
    reading_order, answer_order = np.flatnonzero(reading_mask), np.flatnonzero(answer_mask)
    reading_order = reading_order[np.argsort(readings[reading_order], kind="stable")]
    answer_order = answer_order[np.argsort(answers[answer_order], kind="stable")]
    answer_positions, nth_answer = answers[answer_order].tolist(), 0
    partner = np.full(len(readings), -1)
    matched_readings: list[int] = []
    matched_answers: list[int] = []
    for nth_reading, position in enumerate(readings[reading_order].tolist()):
        while (
            nth_answer < len(answer_positions) and answer_positions[nth_answer] < position - within
        ):
            nth_answer += 1
        if nth_answer < len(answer_positions) and answer_positions[nth_answer] <= position + within:
            matched_readings.append(nth_reading)
            matched_answers.append(nth_answer)
            nth_answer += 1
    partner[reading_order[np.asarray(matched_readings, np.int64)]] = answer_order[
        np.asarray(matched_answers, np.int64)
    ]
    return partner


def _has_neighbour(positions: Ints, others: Ints, within: int) -> Bools:
    """Return which positions have another one within a distance."""
    others = np.sort(others)
    begins = np.searchsorted(others, positions - within)
    return np.asarray(np.searchsorted(others, positions + within, side="right") > begins)
