"""Scores by hand: an issue costs its share of the figure, times the points of its part."""

import pytest

from analytics.quality.quality_rules import PART_POINTS, RULES
from analytics.quality.quality_score import QualityIssue, issue, part_scores, ranked
from jieneng.metering.findings import KINDS, Confirmation, Finding


def rated(code: str, meter: str, share: float) -> QualityIssue:
    found = issue(Finding.of(code, meter), share, 5000.0)
    assert found is not None
    return found


def test_each_rule_is_a_finding_and_the_points_are_100() -> None:
    assert set(RULES) <= set(KINDS)
    assert sum(PART_POINTS.values()) == 100.0


def test_a_gap_of_a_tenth_costs_a_tenth_of_each_part_that_judges_consumption() -> None:
    gap = rated("gap", "e", 0.1)
    assert (gap.points, gap.amount) == (9.0, 500.0)
    assert {one.part: one.score for one in part_scores([gap])} == {
        "completeness": 36.0,
        "plausibility": 22.5,
        "consistency": 22.5,
        "denominators": 10.0,
    }


@pytest.mark.parametrize("code", ["gap", "no_readings"])
def test_without_readings_only_the_denominators_have_points(code: str) -> None:
    scores = [one.score for one in part_scores([rated(code, "e", 1.0)])]
    assert scores == [0.0, 0.0, 0.0, 10.0]


def test_an_estimate_costs_only_completeness() -> None:
    assert rated("not_read", "e", 0.1).points == 4.0


def test_what_is_to_be_verified_costs_a_fifth() -> None:
    assert rated("year_change", "e", 0.5).points == pytest.approx(0.2 * 0.5 * 25)


def test_one_meter_costs_once_in_a_part() -> None:
    issues = [rated("gap", "e", 0.1), rated("not_read", "e", 0.05), rated("gap", "f", 0.1)]
    assert part_scores(issues)[0].score == 32.0


def test_a_score_does_not_fall_below_0() -> None:
    assert part_scores([rated("gap", meter, 1.0) for meter in "ef"])[0].score == 0.0


def test_the_most_expensive_issue_is_the_first() -> None:
    issues = [rated("year_change", "e", 0.3), rated("gap", "f", 0.2)]
    assert [one.finding.subject for one in ranked(issues)] == ["f", "e"]


def test_confirmed_small_and_unrated_findings_are_no_issues() -> None:
    confirmed = Finding("gap", "e", confirmed=Confirmation("张三", "现场核对"))
    assert issue(confirmed, 0.5, 1.0) is None
    assert issue(Finding.of("gap", "e"), 0.0001, 1.0) is None
    assert issue(Finding.of("provisional_factor", "e"), 1.0, 1.0) is None
