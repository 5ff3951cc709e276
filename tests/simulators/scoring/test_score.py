"""The score finds and counts each known mistake once, and no others."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scoring.consumption_comparison import IntervalAmounts, sum_intervals
from simulators.scoring.reading_pairs import Answers, Readings, ScoringRules
from simulators.scoring.score import MAX_LISTED, MeterData, MeterScore, Score, ScoreCounts, score
from simulators.verdict import Verdict

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN = 1_748_707_200_000  # 2025-06-01, 00:00 in Huai'an
HOUR = 3_600_000
QUARTER = 900_000
RULES = ScoringRules(begin_ms=BEGIN, end_ms=BEGIN + 24 * HOUR, zone=ZONE, tolerance_ms=1000)
NO_AMOUNTS = IntervalAmounts(np.zeros(0, np.int64), np.zeros(0))

#: Second of the run, value, and where they matter: quality; verdict, undisturbed register.
Held = tuple[float, float] | tuple[float, float, int]
Row = tuple[float, float] | tuple[float, float, Verdict] | tuple[float, float, Verdict, float]


def answers(rows: Sequence[Row]) -> Answers:
    full = [(*row, *("good", row[1])[len(row) - 2 :]) for row in rows]
    return Answers(
        np.asarray([BEGIN + round(1000 * row[0]) for row in full], dtype=np.int64),
        np.asarray([row[1] for row in full], dtype=np.float64),
        np.asarray([row[3] for row in full], dtype=np.float64),
        np.asarray([row[2] for row in full], dtype=np.str_),
        tuple(f"fault-{n}" for n in range(len(full))),
        ("127.0.0.1:40000",) * len(full),
    )


def readings(rows: Sequence[Held]) -> Readings:
    return Readings(
        np.asarray([BEGIN + round(1000 * row[0]) for row in rows], dtype=np.int64),
        np.asarray([row[1] for row in rows], dtype=np.float64),
        np.asarray([row[2] if len(row) > 2 else 0 for row in rows], dtype=np.int64),
    )


def scored(
    said: Sequence[Row],
    stored: Sequence[Held],
    *,
    rules: ScoringRules = RULES,
    step: float = 1.0,
) -> MeterScore:
    case = MeterData(
        "e", "energy_kwh", step, answers(said), readings(stored), NO_AMOUNTS, NO_AMOUNTS
    )
    return score([case], rules).meters[0]


def mistakes(
    said: Sequence[Row],
    stored: Sequence[Held],
    *,
    rules: ScoringRules = RULES,
    step: float = 1.0,
) -> dict[str, int]:
    """The counts that are not 0, without those of what was given."""
    counts = msgspec.structs.asdict(scored(said, stored, rules=rules, step=step).counts)
    given_ones = ("good", "doubtful", "bad", "readings")
    return {name: n for name, n in counts.items() if n and name not in given_ones}


# --- one by one -----------------------------------------------------------------------------------

THREE: list[Row] = [(10, 100.0), (20, 101.0), (30, 102.0)]


def test_what_is_stored_as_it_was_read_is_right() -> None:
    found = scored(THREE, [(10.2, 100.0), (19.6, 101.0), (31, 102.0)])
    assert found.counts == ScoreCounts(good=3, readings=3, right=3)
    assert found.counts.mistakes == 0
    assert found.findings == ()


def test_an_answer_that_is_not_stored_is_lost() -> None:
    found = scored(THREE, [(10, 100.0), (30, 102.0)])
    assert found.counts == ScoreCounts(good=3, readings=2, right=2, lost=1)
    (finding,) = found.findings
    assert (finding.mistake, finding.value, finding.faults) == ("lost", 101.0, "fault-1")
    assert finding.peer == "127.0.0.1:40000"
    assert finding.time.isoformat() == "2025-06-01T00:00:20+08:00"


def test_a_value_that_no_answer_of_the_time_said_is_wrong_and_its_answer_not_lost_too() -> None:
    assert mistakes(THREE, [(10, 100.0), (20, 100.0), (30, 102.0)]) == {"right": 2, "wrong": 1}


def test_a_reading_far_from_all_answers_is_invented() -> None:
    assert mistakes(THREE, [(10, 100.0), (15, 100.0), (20, 101.0), (30, 102.0)]) == {
        "right": 3,
        "invented": 1,
    }


@pytest.mark.parametrize("second", [15, 3000])
def test_a_reading_with_another_time_is_late_and_its_answer_not_lost(second: float) -> None:
    assert mistakes(THREE, [(10, 100.0), (second, 101.0), (30, 102.0)]) == {"right": 2, "late": 1}


def test_a_reading_may_be_late_by_being_early() -> None:
    assert mistakes(THREE, [(4, 101.0), (10, 100.0), (30, 102.0)]) == {"right": 2, "late": 1}


def test_what_is_late_by_more_than_an_hour_is_another_reading() -> None:
    assert mistakes(THREE, [(10, 100.0), (3700, 101.0), (30, 102.0)]) == {
        "right": 2,
        "lost": 1,
        "invented": 1,
    }


def test_a_doubtful_answer_may_be_kept_or_not() -> None:
    said: list[Row] = [(10, 100.0, "doubtful"), (20, 101.0, "doubtful")]
    assert mistakes(said, [(10, 100.0)]) == {"right": 1}
    assert mistakes(said, [(10, 100.0), (25, 101.0)]) == {"right": 1, "late": 1}


def test_what_only_a_bad_answer_said_is_wrong() -> None:
    said: list[Row] = [(10, 100.0), (20, 7.0, "bad")]
    assert mistakes(said, [(10, 100.0), (20, 7.0)]) == {"right": 1, "wrong": 1}


def test_a_bad_answer_does_not_stand_for_the_good_one_beside_it() -> None:
    """A meter asked again: the first answer is kept instead of the second, which is lost."""
    said: list[Row] = [(10, 7.0, "bad"), (10.5, 100.0)]
    assert mistakes(said, [(10, 7.0)]) == {"wrong": 1, "lost": 1}
    assert mistakes(said, [(10.5, 100.0)]) == {"right": 1}
    assert mistakes(said, [(10, 7.0), (10.5, 100.0)]) == {"wrong": 1, "right": 1}


def test_what_a_bad_and_a_good_answer_said_is_right() -> None:
    said: list[Row] = [(10, 100.0, "bad"), (10.5, 100.0)]
    assert mistakes(said, [(10.5, 100.0)]) == {"right": 1}


def test_an_answer_without_a_value_explains_nothing() -> None:
    said: list[Row] = [(10, 100.0), (20, float("nan"), "bad", 101.0)]
    assert mistakes(said, [(10, 100.0), (20, 101.0)]) == {"right": 1, "wrong": 1}


def test_a_reading_that_is_stored_twice_is_invented_the_second_time() -> None:
    assert mistakes(THREE, [(10, 100.0), (10.3, 100.0), (20, 101.0), (30, 102.0)]) == {
        "right": 3,
        "invented": 1,
    }


def test_where_a_counter_stands_still_a_lost_one_is_not_explained_away() -> None:
    said: list[Row] = [(10 * n, 100.0) for n in range(1, 51)]
    stored = [(10 * n + 0.1, 100.0) for n in range(1, 51) if n not in (7, 8, 30)]
    assert mistakes(said, stored) == {"right": 47, "lost": 3}


def test_also_where_the_tolerance_is_wider_than_the_interval() -> None:
    """A simulation at 3600 times real time: 180 s, polled every 10 s."""
    rules = msgspec.structs.replace(RULES, tolerance_ms=180_000)
    said: list[Row] = [(10 * n, 100.0 + n // 40) for n in range(1, 401)]
    stored = [(10 * n + 23, 100.0 + n // 40) for n in range(1, 401) if n not in (7, 8, 300)]
    assert mistakes(said, stored, rules=rules) == {"right": 397, "lost": 3}


def test_a_doubtful_answer_costs_no_neighbour_its_reading() -> None:
    """All say the same; whichever way they are paired, all are explained."""
    rules = msgspec.structs.replace(RULES, tolerance_ms=180_000)
    said: list[Row] = [(10 * n, 100.0, "doubtful" if n % 9 == 5 else "good") for n in range(1, 101)]
    stored = [(10.0 * n, 100.0) for n in range(1, 101)]
    assert mistakes(said, stored, rules=rules) == {"right": 100}


def test_a_good_answer_is_not_lost_because_a_doubtful_one_says_the_same() -> None:
    said: list[Row] = [(10, 100.0, "doubtful"), (10.5, 100.0)]
    assert mistakes(said, [(10.5, 100.0)]) == {"right": 1}


def test_an_altered_reading_stands_in_its_own_place_where_the_counter_stands_still() -> None:
    """Two readings, one altered and one moved, would each do for either answer."""
    said: list[Row] = [(10 * n, 100.0) for n in range(1, 6)]
    stored = [(10, 100.0), (20, 3.0), (30, 100.0), (45, 100.0), (50, 100.0)]
    assert mistakes(said, stored) == {"right": 3, "wrong": 1, "late": 1}


def test_two_masters_get_two_answers_and_both_are_readings() -> None:
    said: list[Row] = [(10, 100.0), (10.4, 100.0), (20, 101.0), (20.4, 101.0)]
    both = [(10, 100.0), (10.4, 100.0), (20, 101.0), (20.4, 101.0)]
    assert mistakes(said, both) == {"right": 4}
    assert mistakes(said, both[:3]) == {"right": 3, "lost": 1}


def test_what_another_master_was_told_nobody_has_to_store() -> None:
    told = answers([*THREE, (12, 100.0), (22, 101.0)])
    peers = (*("10.0.0.2:502",) * 3, *("10.0.0.9:40000",) * 2)
    told = msgspec.structs.replace(told, peers=peers)
    for wanted, lost in (((), 2), (("10.0.0.2",), 0), (("10.0.0.2:502", "10.0.0.3"), 0)):
        case = MeterData(
            "e",
            "energy_kwh",
            1.0,
            told.required_of(wanted),
            readings([(10, 100.0), (20, 101.0), (30, 102.0)]),
            NO_AMOUNTS,
            NO_AMOUNTS,
        )
        assert score([case], RULES).counts.lost == lost


def test_two_equal_answers_in_one_millisecond_are_one_point_in_a_store_or_two() -> None:
    said: list[Row] = [(10, 100.0), (10, 100.0)]
    assert mistakes(said, [(10, 100.0)]) == {"right": 1}
    assert mistakes(said, [(10, 100.0), (10.002, 100.0)]) == {"right": 2}
    assert mistakes(said, []) == {"lost": 1}
    assert mistakes([(10, 100.0), (10, 101.0)], [(10, 100.0)]) == {"right": 1, "lost": 1}


def test_only_the_runs_span_counts() -> None:
    rules = msgspec.structs.replace(RULES, end_ms=BEGIN + 60_000)
    assert mistakes(THREE, [(-5, 90.0), (10, 100.0), (20, 101.0), (30, 102.0), (61, 102.0)],
                    rules=rules) == {"right": 3}  # fmt: skip


def test_what_was_read_in_the_last_moment_may_be_on_its_way() -> None:
    rules = msgspec.structs.replace(RULES, end_ms=BEGIN + 35_000)
    assert mistakes(THREE, [(10, 100.0)], rules=rules) == {"right": 1, "lost": 1}
    assert mistakes(THREE, [(10, 100.0), (20, 101.0), (30, 102.0)], rules=rules) == {"right": 3}
    assert mistakes(THREE, [(10, 100.0), (20, 101.0), (30, 9.0)], rules=rules) == {
        "right": 2,
        "wrong": 1,
    }


@pytest.mark.parametrize(
    ("step", "value", "other", "same"),
    [
        (1.0, 100.0, 100.4, True),
        (1.0, 100.0, 101.0, False),
        (0.001, 812_345.678, 812_345.678 * (1 + 1e-15), True),
        (0.001, 812_345.678, 812_345.679, False),
        (0.0, 812_345.678, float(np.float32(812_345.678)), True),
        (0.0, 1_234.5, float(np.nextafter(np.float32(1_234.5), np.float32(2e3))), False),
        (0.0, 0.0, 0.0, True),
    ],
)
def test_values_are_equal_within_half_a_step(
    step: float, value: float, other: float, same: bool
) -> None:
    expected = {"right": 1} if same else {"wrong": 1}
    assert mistakes([(10, value)], [(10, other)], step=step) == expected


def test_a_neighbours_value_is_not_taken_for_an_equal_one() -> None:
    """0.6 and 1.2 with a step of 0.4: after the start of the run another ratio came into force."""
    said: list[Row] = [(10, 0.4), (20, 0.6), (30, 1.2)]
    assert mistakes(said, [(10, 0.4), (20, 0.6), (30, 1.2)], step=0.4) == {"right": 3}


def test_what_repeats_a_disturbed_register_is_right_and_untrue() -> None:
    said: list[Row] = [
        (10, 100.0),
        (20, 101.0, "good", 102.0),  # one step, which is nothing
        (30, 102.0, "good", 110.0),
        (40, 0.0, "good", 111.0),
    ]
    stored: list[Held] = [(10, 100.0), (20, 101.0), (30, 102.0, 8), (40, 0.0)]
    assert mistakes(said, stored) == {"right": 4, "untrue": 2, "untrue_marked": 1}


def test_of_many_mistakes_the_first_are_told() -> None:
    said: list[Row] = [(10 * n, 100.0 + n) for n in range(1, 101)]
    found = scored(said, [(10 * n + 5, -1.0) for n in range(1, 101)])
    assert (found.counts.lost, found.counts.invented) == (100, 100)
    assert len(found.findings) == 2 * MAX_LISTED
    assert [one.mistake for one in found.findings[:4]] == ["lost", "invented"] * 2


def test_nothing_said_and_nothing_stored_is_fine() -> None:
    assert mistakes([], []) == {}
    assert mistakes([], [(10, 100.0)]) == {"invented": 1}
    assert mistakes([(10, 100.0)], []) == {"lost": 1}


def test_the_sum_is_over_all_meters() -> None:
    cases = [
        MeterData(name, "energy_kwh", 1.0, answers(THREE), readings(stored), NO_AMOUNTS, NO_AMOUNTS)
        for name, stored in (("a", [(10.0, 100.0)]), ("b", [(10.0, 100.0), (20.0, 101.0)]))
    ]
    found = score(cases, RULES)
    assert found.counts == ScoreCounts(good=6, readings=3, right=3, lost=3)
    assert [one.meter for one in found.meters] == ["a", "b"]


# --- known mistakes in random polls ---------------------------------------------------------------


class Poll(msgspec.Struct, frozen=True):
    """A poll, and what a pipeline makes of it."""

    gap_ms: int
    growth: int
    fate: tuple[Verdict, str]
    apart_ms: int
    wheres: tuple[int, int]
    altered_by: int


_FATES: list[tuple[Verdict, str]] = [
    *(("good", fate) for fate in ("keep", "keep", "keep", "delete", "alter", "move")),
    *(("doubtful", fate) for fate in ("keep", "delete")),
    *(("bad", fate) for fate in ("keep", "delete")),
]  # fmt: skip

polls = st.lists(
    st.builds(
        Poll,
        st.integers(5000, 20_000),
        st.sampled_from([0, 0, 0, 1, 2, 5]),
        st.sampled_from(_FATES),
        st.integers(-1000, 1000),
        st.tuples(st.integers(0, 10**6), st.integers(1001, 3999)),
        st.integers(1, 3),
    ),
    max_size=60,
)
inventions = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1001, 3999)), max_size=10)


@given(polls, inventions, st.sampled_from([1.0, 0.8, 0.001]))
def test_known_mistakes_are_counted_as_they_were_made(
    made: list[Poll], invented: list[tuple[int, int]], step: float
) -> None:
    """Gaps have 5 s or more, so what lies 1001 to 3999 ms after a poll is near none."""
    times = np.cumsum([2000, *(poll.gap_ms for poll in made)])
    values = step * (1000 + np.cumsum([0, *(poll.growth for poll in made)]))
    said: list[Row] = []
    stored: list[Held] = []
    for number, poll in enumerate(made):
        time, value = float(times[number]), float(values[number])
        # A bad answer says what only it says.
        verdict, fate = poll.fate
        value = value if verdict != "bad" else -value
        said.append((time / 1000, value, verdict))
        if fate == "keep":
            stored.append(((time + poll.apart_ms) / 1000, value))
        elif fate == "alter":
            stored.append(((time + poll.apart_ms) / 1000, value + step * poll.altered_by))
        elif fate == "move":
            place, after = poll.wheres
            stored.append(((float(times[place % len(made)]) + after) / 1000, value))
    for number, (place, after) in enumerate(invented):
        begin = float(times[place % len(made)]) if made else 2000.0
        stored.append(((begin + after) / 1000, 5 * step * (number + 1)))
    fates = [poll.fate for poll in made]
    rules = msgspec.structs.replace(RULES, end_ms=BEGIN + int(times[-1]) + 20_000)
    counts = scored(said, stored, rules=rules, step=step).counts
    assert counts == ScoreCounts(
        good=sum(verdict == "good" for verdict, _ in fates),
        doubtful=sum(verdict == "doubtful" for verdict, _ in fates),
        bad=sum(verdict == "bad" for verdict, _ in fates),
        readings=len(stored),
        right=fates.count(("good", "keep")) + fates.count(("doubtful", "keep")),
        lost=fates.count(("good", "delete")),
        invented=len(invented),
        wrong=fates.count(("good", "alter")) + fates.count(("bad", "keep")),
        late=fates.count(("good", "move")),
    )


def largest(stored: list[tuple[int, int]], said: list[tuple[int, int]], within: int) -> int:
    """Return the largest number of pairs, found the slow way: augmenting paths."""
    partner: dict[int, int] = {}

    def place(reading: int, tried: set[int]) -> bool:
        for answer, (time, value) in enumerate(said):
            near = abs(time - stored[reading][0]) <= within and value == stored[reading][1]
            if near and answer not in tried:
                tried.add(answer)
                if answer not in partner or place(partner[answer], tried):
                    partner[answer] = reading
                    return True
        return False

    return sum(place(reading, set()) for reading in range(len(stored)))


crowd = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=12)


@given(crowd, crowd, crowd)
def test_as_many_are_explained_as_can_be(
    stored: list[tuple[int, int]], good: list[tuple[int, int]], doubtful: list[tuple[int, int]]
) -> None:
    """In a crowd, where readings and answers of one value overlap in every way."""
    good = list(dict.fromkeys(good))  # two in one moment are one point
    said: list[Row] = [
        *((float(time), float(value)) for time, value in good),
        *((float(time), float(value), "doubtful") for time, value in doubtful),
    ]
    rules = msgspec.structs.replace(RULES, tolerance_ms=2000, late_within_ms=2000)
    counts = scored(said, [(float(t), float(v)) for t, v in stored], rules=rules).counts
    assert counts.right == largest(stored, [*good, *doubtful], 2)
    unexplained = len(good) - largest(stored, good, 2)
    assert counts.lost <= unexplained <= counts.lost + counts.wrong
    assert counts.right + counts.wrong + counts.late + counts.invented == counts.readings
    assert counts.late == 0


# --- consumption ----------------------------------------------------------------------------------


def consumption(flowed: IntervalAmounts, computed: IntervalAmounts) -> Score:
    none = (answers([]), readings([]))
    return score(
        [
            MeterData("a", "energy_kwh", 1.0, *none, flowed, computed),
            MeterData("b", "energy_kwh", 1.0, *none, flowed, flowed),
        ],
        RULES,
    )


def quarters(begin_ms: int, *values: float) -> IntervalAmounts:
    return IntervalAmounts(
        begin_ms + QUARTER * np.arange(len(values)), np.asarray(values, dtype=float)
    )


def test_each_local_day_has_its_error() -> None:
    """From 23:30 in Huai'an on: two quarters of one day, and two of the next."""
    begin = BEGIN - 2 * QUARTER
    found = consumption(quarters(begin, 1.0, 2.0, 3.0, 4.0), quarters(begin, 1.0, 2.3, 3.5, 3.5))
    first, second = found.meters[0].days
    assert (first.day, second.day) == (date(2025, 5, 31), date(2025, 6, 1))
    assert (first.flowed, first.stored, first.coverage) == (3.0, 3.3, 1.0)
    assert first.error == pytest.approx(0.3)
    assert first.error_pct == pytest.approx(10.0)
    assert second.error_pct == 0.0
    assert found.meters[0].whole is not None
    assert found.meters[0].whole.error_pct == pytest.approx(3.0)
    assert [day.worst_meter for day in found.days] == ["a", "b"]
    assert found.days[0].mean_error_pct == pytest.approx(5.0)
    assert found.days[0].worst_error_pct == pytest.approx(10.0)
    assert [day.meters for day in found.days] == [2, 2]


def test_what_the_store_lacks_counts_as_nothing_and_lowers_the_coverage() -> None:
    computed = quarters(BEGIN, 1.0, float("nan"), 1.0)
    found = consumption(quarters(BEGIN, 1.0, 1.0, 1.0, 1.0), computed)
    (day,) = found.meters[0].days
    assert (day.stored, day.error, day.error_pct, day.coverage) == (2.0, -2.0, -50.0, 0.5)
    assert found.days[0].coverage == 0.75


def test_what_the_store_has_of_other_times_is_not_looked_at() -> None:
    computed = quarters(BEGIN - QUARTER, 9.0, 1.0, 2.0, 9.0)
    found = consumption(quarters(BEGIN, 1.0, 2.0), computed)
    assert found.meters[0].days[0].error == 0.0


def test_of_a_day_of_which_nothing_is_stored_the_error_is_not_known() -> None:
    found = consumption(quarters(BEGIN, 1.0, 1.0), NO_AMOUNTS)
    (day,) = found.meters[0].days
    assert (day.flowed, day.stored, day.error, day.error_pct, day.coverage) == (
        2.0, None, None, None, 0.0,
    )  # fmt: skip
    assert (found.days[0].meters, found.days[0].worst_meter) == (1, "b")


def test_where_nothing_flowed_an_error_has_no_percent() -> None:
    found = consumption(quarters(BEGIN, 0.0, 0.0), quarters(BEGIN, 0.0, 0.5))
    assert (found.meters[0].days[0].error, found.meters[0].days[0].error_pct) == (0.5, None)
    assert found.days[0].mean_error_pct is None


def test_short_intervals_are_summed_where_all_of_a_longer_one_are_there() -> None:
    begin = BEGIN + 600_000
    minutes = IntervalAmounts(begin + 60_000 * np.arange(30), np.arange(30.0))
    found = sum_intervals(minutes, 60_000, QUARTER)
    assert found.starts_ms.tolist() == [BEGIN + QUARTER]
    assert found.values.tolist() == [sum(range(5, 20))]
    assert not len(sum_intervals(NO_AMOUNTS, 60_000, QUARTER).starts_ms)


def test_a_run_shorter_than_an_interval_has_no_days() -> None:
    found = consumption(NO_AMOUNTS, quarters(BEGIN, 1.0))
    assert (found.meters[0].whole, found.meters[0].days, found.days) == (None, (), ())
