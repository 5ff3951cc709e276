"""Rows of `alerts.toml` that probably have an unwanted effect cause a warning with their line."""

from pathlib import Path

import pytest

from analytics.alerts.alert_files import examine_alerts
from jieneng.metering.errors import UnreadKeys
from jieneng.site_folder import SiteFolder
from tests.analytics.alerts.checking.file_cases import file_cases
from tests.analytics.sites import site

CASES = file_cases("suspicions.txt")


@pytest.mark.parametrize("title", CASES)
def test_what_was_probably_meant_otherwise_is_told(
    title: str, tmp_path: Path, example: SiteFolder
) -> None:
    text, sentences = CASES[title]
    (tmp_path / "alerts.toml").write_text(text, encoding="utf-8")
    found = examine_alerts(tmp_path, example.site, models=example.models, years=[2026])
    assert not found.problems
    assert found.rules is not None
    assert "\n".join(map(str, found.warnings)) == sentences


HAND_READ = """
[[area]]
id = "block"
name = "block"
floor_area_m2 = [{from = 2020-01-01, value = 5200.0}]

[[meter]]
id = "e-main"
name = "e-main"
medium = "electricity"
area = "block"
rated_max = 100.0
"""


@pytest.mark.parametrize(
    ("signal", "sentence"),
    [
        ("reading_age", "none of its meters is polled."),
        ("imbalance", "none of its meters has meters below it."),
        ("night_flow", "nothing of the site matches it."),
        ("deviation", ""),
    ],
)
def test_a_rule_without_subjects_says_why(signal: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text(
        f'[[rule]]\nid = "own"\nsignal = "{signal}"\nabove = 1800.0\n', encoding="utf-8"
    )
    warnings = examine_alerts(tmp_path, site(HAND_READ)).warnings
    assert len(warnings) == bool(sentence)
    assert all(f"rule own watches nothing: {sentence}" in str(warning) for warning in warnings)


def test_a_meter_without_a_model_may_have_any_quantity(tmp_path: Path, example: SiteFolder) -> None:
    text, _ = CASES["no model of the meters has the quantity"]
    (tmp_path / "alerts.toml").write_text(text, encoding="utf-8")
    assert not examine_alerts(tmp_path, example.site).warnings


def test_a_year_without_known_holidays_is_told(tmp_path: Path, example: SiteFolder) -> None:
    (warning,) = examine_alerts(tmp_path, example.site, years=[2026, 2099]).warnings
    assert str(warning) == (
        "alerts.toml: the public holidays of 2099 are not known: only weekends count as days off. "
        "Update the software, or write the days to [hours] holiday and workday."
    )
    (tmp_path / "alerts.toml").write_text("[hours]\nholiday = [2099-10-01]\n", encoding="utf-8")
    assert not examine_alerts(tmp_path, example.site, years=[2099]).warnings


def test_a_site_with_mistakes_has_neither_rules_nor_warnings(
    tmp_path: Path, example: SiteFolder
) -> None:
    """An area whose id could not be read may be the one that a rule names."""
    (tmp_path / "alerts.toml").write_text(
        '[[rule]]\nid = "own"\nsignal = "night_flow"\nabove = 1.0\narea = ["lost"]\nmeter = ["w"]\n'
    )
    unread = UnreadKeys(frozenset({("area", 3, "id")}))
    found = examine_alerts(tmp_path, example.site, site_unread=unread, years=[2099])
    assert found.rules is None
    assert not found.warnings
    (problem,) = found.problems
    assert "meter = w, but w is not defined." in str(problem)
