"""Match the readings in a store to the answers of a meter. Pure.

An answer is believable unless its verdict is "bad". A reading and an answer are near each other if
their times differ by at most `tolerance_ms`.

Laws:

1. An answer explains at most one stored reading, and a stored reading is explained by at most one
   answer. As many readings as possible are explained, in any order. So a lost answer is counted
   once while the counter stands still: a reading that belongs to another answer of equal value does
   not hide the loss.
2. A stored reading is right if a believable answer near it has the same value and explains it. The
   reading is wrong if there are answers near it, but no believable one of the same value. Otherwise
   it is late if there is a believable answer of the same value within `late_within_ms` that
   explains no other reading. Otherwise it is invented.
3. A good answer is lost if there is no reading for it: no right one, no late one, and no wrong one
   in its place. Each mistake of a pipeline is counted once.
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
# Keys in place of the key of a value (0, 1, ...), see `_value_keys`.
_UNREADABLE: Final = -1  # of an answer whose value is NaN
_UNEQUALLED: Final = -3  # of a reading whose value no answer has


class Answers(msgspec.Struct, frozen=True):
    """The answers of a meter to requests for its consumption counter, in any order.

    Attributes:
        times_ms: time of each answer, UTC.
        values: value of the counter in each answer [canonical unit]; NaN if unreadable.
        registers: value that the counter would have had without faults [canonical unit].
        verdicts: a `Verdict` for each answer.
        faults: ids of the faults that affected each answer, separated by spaces.
        peers: address of the master that received each answer, host:port.
    """

    times_ms: Ints
    values: Floats
    registers: Floats
    verdicts: npt.NDArray[np.str_]
    faults: tuple[str, ...]
    peers: tuple[str, ...]

    def required_of(self, peers: Sequence[str]) -> "Answers":
        """Return the answers; good answers to masters other than `peers` become doubtful.

        A doubtful answer need not be stored.

        Args:
            peers: beginnings of the masters' `host:port`; if empty, no answer is changed.
        """
        if not peers:
            return self
        to_peers = np.array([peer.startswith(tuple(peers)) for peer in self.peers], dtype=np.bool_)
        to_others = ~to_peers & (self.verdicts == "good")
        return msgspec.structs.replace(
            self, verdicts=np.where(to_others, "doubtful", self.verdicts).astype(np.str_)
        )


class Readings(msgspec.Struct, frozen=True):
    """The stored values of a meter's consumption counter.

    Attributes:
        times_ms: time of each reading, UTC.
        values: value of each reading [canonical unit].
        quality: sum of the quality codes of each reading; 0 if it is good.
    """

    times_ms: Ints
    values: Floats
    quality: Ints


class ScoringRules(msgspec.Struct, frozen=True, kw_only=True):
    """The period that is scored, and the tolerances.

    Attributes:
        begin_ms: beginning of the run, UTC; earlier readings are ignored.
        end_ms: end of the run, UTC, inclusive; later readings are ignored.
        zone: time zone of local days.
        tolerance_ms: largest distance between the times of a right reading and its answer.
        late_within_ms: largest distance between the times of a late reading and its answer.
        grace_ms: time before the end of the run in which an answer need not be stored yet.
    """

    begin_ms: int
    end_ms: int
    zone: ZoneInfo
    tolerance_ms: int
    late_within_ms: int = _HOUR_MS
    grace_ms: int = 10_000


class Pairing(msgspec.Struct, frozen=True):
    """The result for each answer and each reading of a meter, by the laws of this module.

    Every reading is exactly one of right, wrong, late and invented.

    Attributes:
        lost: mask of the answers that are lost.
        right: mask of the readings that are right.
        wrong: mask of the readings that are wrong.
        late: mask of the readings that are late.
        invented: mask of the readings that are invented.
        answer_index: index of the answer of each right reading; -1 for the other readings.
    """

    lost: Bools
    right: Bools
    wrong: Bools
    late: Bools
    invented: Bools
    answer_index: Ints


def pair(answers: Answers, readings: Readings, step: float, rules: ScoringRules) -> Pairing:
    """Match a meter's readings to its answers.

    Args:
        answers: all answers of the run.
        readings: readings stored within the run.
        step: one step of the register [canonical unit]; 0 if it holds a float.
        rules: scored period and tolerances.
    """
    return _Matcher(answers, readings, step, rules).pairing()


class _Matcher:
    """Matches one meter's readings and answers by their positions on a line.

    A position is the time, plus the key of the value times an offset that is larger than all
    differences of time. So two positions are close exactly if the times are close and the values
    are equal.
    """

    def __init__(
        self, answers: Answers, readings: Readings, step: float, rules: ScoringRules
    ) -> None:
        self._near_ms = rules.tolerance_ms
        self._late_within_ms = max(rules.late_within_ms, rules.tolerance_ms)
        self._answer_times, self._reading_times = answers.times_ms, readings.times_ms
        self._believable = answers.verdicts != "bad"
        self._required = _required_answers(answers, rules)
        answer_keys, reading_keys = _value_keys(answers.values, readings.values, step)
        times = np.concatenate([self._answer_times, self._reading_times])
        first, last = times.min(initial=2**62), times.max(initial=0)
        offset = max(int(last - first), 0) + self._late_within_ms + 1
        self._answer_positions = answer_keys * offset + (self._answer_times - first)
        self._reading_positions = reading_keys * offset + (self._reading_times - first)

    def pairing(self) -> Pairing:
        """Apply the laws: find the right readings first, then the wrong, then the late ones."""
        near_ms, late_within_ms = self._near_ms, self._late_within_ms
        all_readings = np.ones(len(self._reading_positions), dtype=np.bool_)
        answer_index = self._match(all_readings, self._believable, near_ms)
        right = answer_index >= 0
        # The required answers are matched once more, by themselves. The two results do not
        # contradict each other: for any two matchings there is a third that covers all readings of
        # the first and all answers of the second (Mendelsohn and Dulmage, 1958).
        stored = self._answers_in(self._match(all_readings, self._required, near_ms))
        missing = self._required & ~stored
        spare = self._believable & ~self._required & ~self._answers_in(answer_index)
        wrong, in_place_of_answer = self._wrong(~right)
        missing &= ~self._answers_in(
            _match_positions(
                self._reading_times, in_place_of_answer, self._answer_times, missing, near_ms
            )
        )
        rest = ~right & ~wrong
        late = self._match(rest, missing | spare, late_within_ms) >= 0
        lost = missing & ~self._answers_in(self._match(rest, missing, late_within_ms))
        return Pairing(lost, right, wrong, late, rest & ~late, answer_index)

    def _wrong(self, unexplained: Bools) -> tuple[Bools, Bools]:
        """Return two masks: the wrong readings, and those that may replace a good answer.

        A wrong reading with the value of a bad answer near it is counted for that answer.
        """
        readings, answers = self._reading_positions, self._answer_positions
        near_answers = _has_neighbour(self._reading_times, self._answer_times, self._near_ms)
        repeats_believable = _has_neighbour(readings, answers[self._believable], self._near_ms)
        repeats_bad = _has_neighbour(readings, answers[~self._believable], self._near_ms)
        wrong = unexplained & near_answers & ~repeats_believable
        return wrong, wrong & ~repeats_bad

    def _match(self, readings: Bools, answers: Bools, within_ms: int) -> Ints:
        """Return the index of each reading's answer of equal value, -1 if it has none.

        Args:
            readings: mask of the readings to match.
            answers: mask of the answers to match.
            within_ms: largest difference of the times.
        """
        return _match_positions(
            self._reading_positions, readings, self._answer_positions, answers, within_ms
        )

    def _answers_in(self, answer_index: Ints) -> Bools:
        """Return the mask of the answers to which a match has assigned a reading."""
        mask = np.zeros(len(self._answer_positions), dtype=np.bool_)
        mask[answer_index[answer_index >= 0]] = True
        return mask


def _required_answers(answers: Answers, rules: ScoringRules) -> Bools:
    """Return the mask of the answers that must be stored: the good ones before the grace time.

    Of several answers with the same value in the same millisecond only one is required, because a
    store keeps them as one point.
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
    """Return the key of the value of each answer and of each reading.

    The key of an answer is the index of its value among all different values of answers. The key of
    a reading is the key of the answers' value that the reading equals.
    """
    known = np.unique(answers[~np.isnan(answers)])
    if not len(known):
        return np.full(len(answers), _UNREADABLE), np.full(len(readings), _UNEQUALLED)
    answer_keys = np.where(np.isnan(answers), _UNREADABLE, np.searchsorted(known, answers))
    above = np.minimum(np.searchsorted(known, readings), len(known) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(readings - known[below] <= np.abs(known[above] - readings), below, above)
    equal = np.abs(readings - known[nearest]) <= half_step(known[nearest], step)
    return answer_keys, np.where(equal, nearest, _UNEQUALLED)


def half_step(values: Floats, step: float) -> Floats:
    """Return half a register's step at each value: a number within this distance equals the value.

    Args:
        values: values of the register.
        step: step of the register; 0 if it holds a float, whose step grows with the value.
    """
    if step:
        return np.full_like(values, step / 2.0)
    return np.asarray(_HALF_STEP_OF_SINGLE * np.abs(values))


def _match_positions(
    readings: Ints, reading_mask: Bools, answers: Ints, answer_mask: Bools, within: int
) -> Ints:
    """Match as many readings and answers within a distance as possible, each at most once.

    The distance is the same for all, so it is optimal to match each reading, in ascending order,
    with the first answer that is left within the distance.

    Args:
        readings: position of each reading.
        reading_mask: readings to match.
        answers: position of each answer.
        answer_mask: answers to match.
        within: largest distance between the positions of a reading and its answer.

    Returns:
        The index of each reading's answer, -1 if it has none.
    """
    reading_order, answer_order = np.flatnonzero(reading_mask), np.flatnonzero(answer_mask)
    reading_order = reading_order[np.argsort(readings[reading_order], kind="stable")]
    answer_order = answer_order[np.argsort(answers[answer_order], kind="stable")]
    answer_positions, nth_answer = answers[answer_order].tolist(), 0
    answer_index = np.full(len(readings), -1)
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
    answer_index[reading_order[np.asarray(matched_readings, np.int64)]] = answer_order[
        np.asarray(matched_answers, np.int64)
    ]
    return answer_index


def _has_neighbour(positions: Ints, others: Ints, within: int) -> Bools:
    """Return the mask of the positions that have one of the others within a distance."""
    others = np.sort(others)
    begins = np.searchsorted(others, positions - within)
    return np.asarray(np.searchsorted(others, positions + within, side="right") > begins)
