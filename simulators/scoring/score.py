"""What a store holds, against what the meters answered and what flowed. Pure: arrays in."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from simulators.load.seeded_noise import Ints
from simulators.scoring.consumption_comparison import Amounts, Compared, Day, consumption
from simulators.scoring.reading_pairs import Answers, Bools, Paired, Readings, Rules, pair, slack

Mistake = Literal["lost", "invented", "wrong", "late"]

#: Of the mistakes of a kind with a meter, so many are told of one by one.
TOLD: Final = 20


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
    paired = pair(case.answers, readings, case.step, rules)
    whole, days = consumption(case.flowed, case.computed, rules.zone)
    return MeterScore(
        meter=case.meter,
        quantity=case.quantity,
        counts=_counts(case, readings, paired),
        whole=whole,
        days=days,
        findings=tuple(_findings(case.answers, readings, paired, rules.zone)),
    )


def _inside(readings: Readings, rules: Rules) -> Readings:
    inside = (readings.times_ms >= rules.begin_ms) & (readings.times_ms <= rules.end_ms)
    return Readings(readings.times_ms[inside], readings.values[inside], readings.quality[inside])


def _counts(case: Case, readings: Readings, paired: Paired) -> Counts:
    answers = case.answers
    apart = np.abs(answers.values - answers.registers)
    disturbed = apart > 3.0 * slack(answers.registers, case.step)  # more than one step
    untrue = paired.right.copy()
    untrue[paired.right] = disturbed[paired.answer[paired.right]]
    return Counts(
        good=int((answers.verdicts == "good").sum()),
        doubtful=int((answers.verdicts == "doubtful").sum()),
        bad=int((answers.verdicts == "bad").sum()),
        readings=len(paired.right),
        right=int(paired.right.sum()),
        lost=int(paired.lost.sum()),
        invented=int(paired.invented.sum()),
        wrong=int(paired.wrong.sum()),
        late=int(paired.late.sum()),
        untrue=int(untrue.sum()),
        untrue_marked=int((untrue & (readings.quality != 0)).sum()),
    )


def _findings(
    answers: Answers, readings: Readings, paired: Paired, zone: ZoneInfo
) -> list[Finding]:
    """The first mistakes of each kind, by time."""

    def first(mistaken: Bools, times_ms: Ints) -> Iterator[tuple[int, datetime]]:
        found = np.flatnonzero(mistaken)
        for at in found[np.argsort(times_ms[found], kind="stable")][:TOLD].tolist():
            yield at, datetime.fromtimestamp(int(times_ms[at]) / 1000, zone)

    told = [
        Finding("lost", time, float(answers.values[at]), answers.faults[at], answers.peers[at])
        for at, time in first(paired.lost, answers.times_ms)
    ]
    kinds: tuple[tuple[Mistake, Bools], ...] = (
        ("invented", paired.invented),
        ("wrong", paired.wrong),
        ("late", paired.late),
    )
    for kind, mistaken in kinds:
        told += [
            Finding(kind, time, float(readings.values[at]))
            for at, time in first(mistaken, readings.times_ms)
        ]
    return sorted(told, key=lambda one: one.time)


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
