"""Score a store: its readings against the meters' answers, its consumption against the true one.

Pure: arrays in.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from simulators.load.seeded_noise import Ints
from simulators.scoring.consumption_comparison import (
    ConsumptionComparison,
    DayComparison,
    IntervalAmounts,
    compare_consumption,
)
from simulators.scoring.reading_pairs import (
    Answers,
    Bools,
    Pairing,
    Readings,
    ScoringRules,
    half_step,
    pair,
)

MistakeKind = Literal["lost", "invented", "wrong", "late"]

#: Mistakes of one kind that are listed one by one for a meter; the others are only counted.
MAX_LISTED: Final = 20


class MeterData(msgspec.Struct, frozen=True):
    """A meter's true consumption and answers, and the data of the meter in a store.

    Attributes:
        meter: the meter's id.
        quantity: its consumption counter.
        step: one step of the counter's register [canonical unit]; 0 if it holds a float.
        answers: all answers of the run.
        readings: stored readings.
        flowed: true consumption in the whole intervals of the run.
        computed: stored consumption of intervals of that length.
    """

    meter: str
    quantity: str
    step: float
    answers: Answers
    readings: Readings
    flowed: IntervalAmounts
    computed: IntervalAmounts


class ScoreCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of answers and of stored readings.

    Attributes:
        good: answers that must be stored (unless given within the grace at the run's end).
        doubtful: answers that may be stored or not.
        bad: answers that must not be believed.
        readings: readings stored within the run; each is right, wrong, late or invented.
        right: readings with the value of an answer near their time.
        lost: good answers that are not stored.
        invented: readings that match no answer.
        wrong: readings near the time of an answer, but with another value.
        late: readings with the value of an answer, but not near its time.
        untrue: right readings of an answer whose register was disturbed by a fault.
        untrue_marked: untrue readings that carry a quality code.
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
        """Number of mistakes; a pipeline without faults has 0."""
        return self.lost + self.invented + self.wrong + self.late

    def plus(self, other: "ScoreCounts") -> "ScoreCounts":
        """Return the sum of two counts."""
        counts, other_counts = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return ScoreCounts(**{name: counts[name] + other_counts[name] for name in counts})


class Mistake(msgspec.Struct, frozen=True):
    """A lost answer, or a stored reading that is invented, wrong or late.

    Attributes:
        mistake: its kind.
        time: time of the lost answer or of the stored reading.
        value: value of the answer or reading [canonical unit].
        faults: ids of the faults that touched the answer, separated by spaces.
        peer: address of the master that was answered; None for a reading.
    """

    mistake: MistakeKind
    time: datetime
    value: float
    faults: str = ""
    peer: str | None = None


class MeterScore(msgspec.Struct, frozen=True, kw_only=True):
    """A meter's score.

    Attributes:
        meter: the meter's id.
        quantity: its consumption counter.
        counts: counts of its answers and readings.
        whole: consumption of the whole run; None if no whole interval lies in the run.
        days: consumption by day.
        findings: the first mistakes of each kind, by time.
    """

    meter: str
    quantity: str
    counts: ScoreCounts
    whole: ConsumptionComparison | None
    days: tuple[DayComparison, ...]
    findings: tuple[Mistake, ...]


class DayScore(msgspec.Struct, frozen=True):
    """A local day, over all meters.

    Attributes:
        day: the local date.
        meters: number of meters whose error is known.
        mean_error_pct: mean of their absolute errors; None if none is known.
        worst_error_pct: largest of their absolute errors.
        worst_meter: meter with the largest error.
        coverage: mean coverage of all meters.
    """

    day: date
    meters: int
    mean_error_pct: float | None
    worst_error_pct: float | None
    worst_meter: str | None
    coverage: float


class Score(msgspec.Struct, frozen=True):
    """The score of a run: the sum over all meters, each meter, and each day."""

    counts: ScoreCounts
    meters: tuple[MeterScore, ...]
    days: tuple[DayScore, ...]


def score(meters: Iterable[MeterData], rules: ScoringRules) -> Score:
    """Score the stored data of meters."""
    scores = tuple(_score_meter(meter, rules) for meter in meters)
    total = ScoreCounts()
    for meter_score in scores:
        total = total.plus(meter_score.counts)
    return Score(total, scores, _by_day(scores))


def _score_meter(meter: MeterData, rules: ScoringRules) -> MeterScore:
    readings = _within_run(meter.readings, rules)
    pairing = pair(meter.answers, readings, meter.step, rules)
    whole, days = compare_consumption(meter.flowed, meter.computed, rules.zone)
    return MeterScore(
        meter=meter.meter,
        quantity=meter.quantity,
        counts=_counts(meter, readings, pairing),
        whole=whole,
        days=days,
        findings=tuple(_mistakes(meter.answers, readings, pairing, rules.zone)),
    )


def _within_run(readings: Readings, rules: ScoringRules) -> Readings:
    inside = (readings.times_ms >= rules.begin_ms) & (readings.times_ms <= rules.end_ms)
    return Readings(readings.times_ms[inside], readings.values[inside], readings.quality[inside])


def _counts(meter: MeterData, readings: Readings, pairing: Pairing) -> ScoreCounts:
    answers = meter.answers
    difference = np.abs(answers.values - answers.registers)
    disturbed = difference > 3.0 * half_step(answers.registers, meter.step)  # more than one step
    untrue = pairing.right.copy()
    untrue[pairing.right] = disturbed[pairing.answer_index[pairing.right]]
    return ScoreCounts(
        good=int((answers.verdicts == "good").sum()),
        doubtful=int((answers.verdicts == "doubtful").sum()),
        bad=int((answers.verdicts == "bad").sum()),
        readings=len(pairing.right),
        right=int(pairing.right.sum()),
        lost=int(pairing.lost.sum()),
        invented=int(pairing.invented.sum()),
        wrong=int(pairing.wrong.sum()),
        late=int(pairing.late.sum()),
        untrue=int(untrue.sum()),
        untrue_marked=int((untrue & (readings.quality != 0)).sum()),
    )


def _mistakes(
    answers: Answers, readings: Readings, pairing: Pairing, zone: ZoneInfo
) -> list[Mistake]:
    """Return the first mistakes of each kind, by time."""

    def first(mistaken: Bools, times_ms: Ints) -> Iterator[tuple[int, datetime]]:
        found = np.flatnonzero(mistaken)
        for row in found[np.argsort(times_ms[found], kind="stable")][:MAX_LISTED].tolist():
            yield row, datetime.fromtimestamp(int(times_ms[row]) / 1000, zone)

    listed = [
        Mistake("lost", time, float(answers.values[row]), answers.faults[row], answers.peers[row])
        for row, time in first(pairing.lost, answers.times_ms)
    ]
    kinds: tuple[tuple[MistakeKind, Bools], ...] = (
        ("invented", pairing.invented),
        ("wrong", pairing.wrong),
        ("late", pairing.late),
    )
    for kind, mistaken in kinds:
        listed += [
            Mistake(kind, time, float(readings.values[row]))
            for row, time in first(mistaken, readings.times_ms)
        ]
    return sorted(listed, key=lambda mistake: mistake.time)


def _by_day(meters: Iterable[MeterScore]) -> tuple[DayScore, ...]:
    days: dict[date, list[tuple[str, DayComparison]]] = {}
    for meter in meters:
        for day in meter.days:
            days.setdefault(day.day, []).append((meter.meter, day))
    return tuple(_score_day(day, days[day]) for day in sorted(days))


def _score_day(day: date, rows: Sequence[tuple[str, DayComparison]]) -> DayScore:
    errors = [(abs(row.error_pct), meter) for meter, row in rows if row.error_pct is not None]
    mean = sum(error for error, _ in errors) / len(errors) if errors else None
    worst, meter = max(errors, default=(None, None))
    coverage = sum(row.coverage for _, row in rows) / len(rows)
    return DayScore(day, len(errors), mean, worst, meter, coverage)
