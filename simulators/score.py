"""What a store holds, against what the meters answered and what flowed. Pure: arrays in.

Laws:

1. An answer explains at most one stored reading, and a stored reading at most one answer. As many
   are explained as can be, whatever the order; so where a counter stands still, one that is lost
   is counted once, and not explained away by its neighbours, which say the same.
2. A stored reading is right where an answer that may be believed says the same at that time. It is
   wrong where answers are near and none says so. Else it is late where an answer within the hour
   is not stored otherwise and says the same, and invented where there is none.
3. A good answer is lost where no stored reading is it: none that is right, none that is late, and
   none that is wrong in its place. One mistake of a pipeline is counted once.
4. What is not known is no number: a day of which nothing is stored has no error, but coverage 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from simulators.noise import Floats, Ints

Bools = npt.NDArray[np.bool_]
Mistake = Literal["lost", "invented", "wrong", "late"]

#: Of the mistakes of a kind with a meter, so many are told of one by one.
TOLD: Final = 20
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


class Amounts(msgspec.Struct, frozen=True):
    """What flowed in intervals, each with its start, UTC, ascending [canonical unit]."""

    starts_ms: Ints
    values: Floats


class Case(msgspec.Struct, frozen=True):
    """A meter: what it answered and what is stored, what flowed and what was computed of that.

    Attributes:
        meter: its id.
        quantity: its consumption counter.
        step: what one unit of that register is worth [canonical unit]; 0 where it holds a float.
        answers: all of them.
        readings: what is stored.
        flowed: in the whole intervals of the run.
        computed: the consumption of such intervals that is stored.
    """

    meter: str
    quantity: str
    step: float
    answers: Answers
    readings: Readings
    flowed: Amounts
    computed: Amounts


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


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of answers and of stored readings.

    Attributes:
        good: answers that had to be kept, where they were not given in the last moment.
        doubtful: answers that may be kept or not.
        bad: answers that must not be believed.
        readings: stored in the run's span: right, wrong, late or invented.
        right: readings that say what an answer said.
        lost: good answers that are not stored.
        invented: readings that nobody gave.
        wrong: readings that say what no answer of that time said.
        late: readings that are stored with another time than that of the answer.
        untrue: readings that are right about an answer whose register was disturbed.
        untrue_marked: those of them that bear a doubt.
    """

    good: int = 0
    doubtful: int = 0
    bad: int = 0
    readings: int = 0
    right: int = 0
    lost: int = 0
    invented: int = 0
    wrong: int = 0
    late: int = 0
    untrue: int = 0
    untrue_marked: int = 0

    @property
    def mistakes(self) -> int:
        """What a pipeline without faults of its own has none of."""
        return self.lost + self.invented + self.wrong + self.late

    def plus(self, other: "Counts") -> "Counts":
        """The sum."""
        mine, theirs = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


class Finding(msgspec.Struct, frozen=True):
    """One mistake.

    Attributes:
        mistake: which kind.
        time: of the answer that is lost, or of the reading that should not be there.
        value: that it says [canonical unit].
        faults: of the answer, separated by spaces.
        peer: who was given the answer; None of a reading.
    """

    mistake: Mistake
    time: datetime
    value: float
    faults: str = ""
    peer: str | None = None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What flowed through a meter, and what the store says of that [canonical unit].

    Attributes:
        flowed: really.
        stored: consumption in the store; what it lacks counts as nothing. None: it lacks all.
        error: stored - flowed.
        error_pct: in percent of what flowed; None where nothing did.
        coverage: share of the intervals that the store has.
    """

    flowed: float
    stored: float | None
    error: float | None
    error_pct: float | None
    coverage: float


class Day(Compared, frozen=True, kw_only=True):
    """The part of a local day that lies in the run."""

    day: date


class MeterScore(msgspec.Struct, frozen=True, kw_only=True):
    """A meter's score.

    Attributes:
        meter: its id.
        quantity: its consumption counter.
        counts: of answers and readings.
        whole: consumption of the whole run; None where no interval lies wholly in it.
        days: consumption by day.
        findings: the first mistakes of each kind, by time.
    """

    meter: str
    quantity: str
    counts: Counts
    whole: Compared | None
    days: tuple[Day, ...]
    findings: tuple[Finding, ...]


class DayScore(msgspec.Struct, frozen=True):
    """A local day of all meters.

    Attributes:
        day: which.
        meters: of how many the error is known.
        mean_error_pct: mean of their errors' sizes; None where none is known.
        worst_error_pct: the largest of them.
        worst_meter: whose that is.
        coverage: mean over all meters.
    """

    day: date
    meters: int
    mean_error_pct: float | None
    worst_error_pct: float | None
    worst_meter: str | None
    coverage: float


class Score(msgspec.Struct, frozen=True):
    """The sum of all meters, each meter, and each day."""

    counts: Counts
    meters: tuple[MeterScore, ...]
    days: tuple[DayScore, ...]


def score(cases: Iterable[Case], rules: Rules) -> Score:
    """Score meters."""
    meters = tuple(_of_meter(case, rules) for case in cases)
    total = Counts()
    for one in meters:
        total = total.plus(one.counts)
    return Score(total, meters, _by_day(meters))


def _of_meter(case: Case, rules: Rules) -> MeterScore:
    readings = _inside(case.readings, rules)
    judged = _Judge(case.answers, readings, case.step, rules).judge()
    whole, days = _consumption(case.flowed, case.computed, rules.zone)
    return MeterScore(
        meter=case.meter,
        quantity=case.quantity,
        counts=_counts(case, readings, judged),
        whole=whole,
        days=days,
        findings=tuple(_findings(case.answers, readings, judged, rules.zone)),
    )


def _inside(readings: Readings, rules: Rules) -> Readings:
    inside = (readings.times_ms >= rules.begin_ms) & (readings.times_ms <= rules.end_ms)
    return Readings(readings.times_ms[inside], readings.values[inside], readings.quality[inside])


def _counts(case: Case, readings: Readings, judged: "_Judged") -> Counts:
    answers = case.answers
    apart = np.abs(answers.values - answers.registers)
    disturbed = apart > 3.0 * _slack(answers.registers, case.step)  # more than one step
    untrue = judged.right.copy()
    untrue[judged.right] = disturbed[judged.answer[judged.right]]
    return Counts(
        good=int((answers.verdicts == "good").sum()),
        doubtful=int((answers.verdicts == "doubtful").sum()),
        bad=int((answers.verdicts == "bad").sum()),
        readings=len(judged.right),
        right=int(judged.right.sum()),
        lost=int(judged.lost.sum()),
        invented=int(judged.invented.sum()),
        wrong=int(judged.wrong.sum()),
        late=int(judged.late.sum()),
        untrue=int(untrue.sum()),
        untrue_marked=int((untrue & (readings.quality != 0)).sum()),
    )


def _findings(
    answers: Answers, readings: Readings, judged: "_Judged", zone: ZoneInfo
) -> list[Finding]:
    """The first mistakes of each kind, by time."""

    def first(mistaken: Bools, times_ms: Ints) -> Iterator[tuple[int, datetime]]:
        found = np.flatnonzero(mistaken)
        for at in found[np.argsort(times_ms[found], kind="stable")][:TOLD].tolist():
            yield at, datetime.fromtimestamp(int(times_ms[at]) / 1000, zone)

    told = [
        Finding("lost", time, float(answers.values[at]), answers.faults[at], answers.peers[at])
        for at, time in first(judged.lost, answers.times_ms)
    ]
    kinds: tuple[tuple[Mistake, Bools], ...] = (
        ("invented", judged.invented),
        ("wrong", judged.wrong),
        ("late", judged.late),
    )
    for kind, mistaken in kinds:
        told += [
            Finding(kind, time, float(readings.values[at]))
            for at, time in first(mistaken, readings.times_ms)
        ]
    return sorted(told, key=lambda one: one.time)


# --- readings -------------------------------------------------------------------------------------


class _Judged(msgspec.Struct, frozen=True):
    """Masks over answers (`lost`) and readings (all others), and which answer a reading is."""

    lost: Bools
    right: Bools
    wrong: Bools
    late: Bools
    invented: Bools
    answer: Ints


class _Judge:
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

    def judge(self) -> _Judged:
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
        return _Judged(lost, right, wrong, late, rest & ~late, answer)

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
    equal = np.abs(readings - known[nearest]) <= _slack(known[nearest], step)
    return of_answers, np.where(equal, nearest, _NO_EQUAL)


def _slack(values: Floats, step: float) -> Floats:
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


# --- consumption ----------------------------------------------------------------------------------


def _consumption(
    flowed: Amounts, computed: Amounts, zone: ZoneInfo
) -> tuple[Compared | None, tuple[Day, ...]]:
    """The whole run, and each local day of it."""
    starts = flowed.starts_ms
    if not len(starts):
        return None, ()
    stored = at(starts, computed.starts_ms, computed.values)
    ordinals = np.asarray(
        [datetime.fromtimestamp(start / 1000, zone).toordinal() for start in starts.tolist()]
    )
    days = [_day(number, flowed.values, stored, ordinals) for number in np.unique(ordinals)]
    return _compared(flowed.values, stored), tuple(days)


def _day(number: int, flowed: Floats, stored: Floats, ordinals: Ints) -> Day:
    of = ordinals == number
    compared = _compared(flowed[of], stored[of])
    return Day(day=date.fromordinal(int(number)), **msgspec.structs.asdict(compared))


def regrouped(amounts: Amounts, length_ms: int, into_ms: int) -> Amounts:
    """Intervals of a length, summed to longer ones; those that are not wholly there are left out.

    Args:
        amounts: of intervals aligned to the clock.
        length_ms: of theirs.
        into_ms: a multiple of it.
    """
    numbers, inverse, counts = np.unique(
        amounts.starts_ms // into_ms, return_inverse=True, return_counts=True
    )
    sums = np.bincount(inverse, amounts.values, len(numbers))
    whole = counts == into_ms // length_ms
    return Amounts(numbers[whole] * into_ms, sums[whole])


def at(times_ms: Ints, known_ms: Ints, values: Floats) -> Floats:
    """The values of those times that are known, NaN at the others."""
    found = np.full(len(times_ms), np.nan)
    _, here, there = np.intersect1d(times_ms, known_ms, return_indices=True)
    found[here] = values[there]
    return found


def _compared(flowed: Floats, stored: Floats) -> Compared:
    known = ~np.isnan(stored)
    total = float(flowed.sum())
    there = float(stored[known].sum()) if known.any() else None
    error = None if there is None else there - total
    return Compared(
        flowed=total,
        stored=there,
        error=error,
        error_pct=100.0 * error / total if error is not None and total else None,
        coverage=float(known.mean()),
    )


def _by_day(meters: Iterable[MeterScore]) -> tuple[DayScore, ...]:
    days: dict[date, list[tuple[str, Day]]] = {}
    for one in meters:
        for day in one.days:
            days.setdefault(day.day, []).append((one.meter, day))
    return tuple(_of_day(day, days[day]) for day in sorted(days))


def _of_day(day: date, rows: Sequence[tuple[str, Day]]) -> DayScore:
    known = [(abs(one.error_pct), meter) for meter, one in rows if one.error_pct is not None]
    mean = sum(size for size, _ in known) / len(known) if known else None
    worst, meter = max(known, default=(None, None))
    coverage = sum(one.coverage for _, one in rows) / len(rows)
    return DayScore(day, len(known), mean, worst, meter, coverage)
