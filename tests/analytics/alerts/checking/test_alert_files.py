"""`alerts.toml` overrides the packaged rules; each mistake is reported with line and fix."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.alerts.alert_files import examine_alerts, load_alert_rules, packaged_alert_rules
from analytics.alerts.alert_rule import Grouping
from analytics.calendar.working_hours import Hours
from jieneng.metering.alert_signals import SIGNALS
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Site
from tests.analytics.alerts.checking.file_cases import file_cases
from tests.analytics.sites import site

SITE = """
[[area]]
id = "block-1"
name = "一号楼"

[[area]]
id = "floor-1"
name = "一层"
parent = "block-1"

[[meter]]
id = "e-main"
name = "e-main"
medium = "electricity"
area = "block-1"
rated_max = 100.0

[[meter]]
id = "w-main"
name = "w-main"
medium = "water"
area = "floor-1"
rated_max = 10.0
"""


@pytest.fixture(scope="module")
def centre() -> Site:
    return site(SITE)


def write(folder: Path, text: str) -> Path:
    (folder / "alerts.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_packaged_rules_are_in_force_without_a_file(tmp_path: Path, centre: Site) -> None:
    rules = load_alert_rules(tmp_path, centre)
    listed = (*rules.rules, *rules.disabled)
    assert {rule.id for rule in listed} == set(packaged_alert_rules())
    assert rules.hours == Hours()
    assert rules.grouping == Grouping()
    assert not rules.receivers


def test_an_enabled_packaged_rule_watches_each_signal(tmp_path: Path, centre: Site) -> None:
    watched = {rule.signal for rule in load_alert_rules(tmp_path, centre).rules}
    assert watched == set(SIGNALS)


def test_a_site_s_copy_of_the_packaged_file_has_no_mistake(tmp_path: Path, centre: Site) -> None:
    """The checks hold for the packaged rows too, and a copied row can be edited."""
    packaged = Path(__file__).parents[4] / "analytics" / "data" / "alerts.toml"
    write(tmp_path, packaged.read_text(encoding="utf-8"))
    found = examine_alerts(tmp_path, centre)
    assert not found.problems
    assert found.rules == load_alert_rules(tmp_path.parent, centre)


def test_a_row_of_a_packaged_id_replaces_it_as_a_whole(tmp_path: Path, centre: Site) -> None:
    row = '[[rule]]\nid = "meter-silent"\nsignal = "reading_age"\nabove = 600.0\n'
    rules = {rule.id: rule for rule in load_alert_rules(write(tmp_path, row), centre).rules}
    changed = rules["meter-silent"]
    assert changed.above == 600.0
    assert {rule.id for rule in rules.values()} >= {"bus-failing", "water-at-night"}
    row += 'clear = 300.0\n[[rule]]\nid = "bus-failing"\nsignal = "failed_polls"\nabove = 50.0\n'
    rules = {rule.id: rule for rule in load_alert_rules(write(tmp_path, row), centre).rules}
    assert packaged_alert_rules()["bus-failing"].for_s > 0
    assert rules["bus-failing"].for_s == 0
    assert rules["bus-failing"].clear is None


def test_two_lines_switch_a_packaged_rule_off_and_it_stays_listed(
    tmp_path: Path, centre: Site
) -> None:
    write(tmp_path, '[[rule]]\nid = "water-at-night"\nenabled = false\n')
    rules = load_alert_rules(tmp_path, centre)
    assert "water-at-night" not in {rule.id for rule in rules.rules}
    (off,) = (rule for rule in rules.disabled if rule.id == "water-at-night")
    assert (off.signal, off.above) == ("night_flow", packaged_alert_rules()["water-at-night"].above)


def test_a_maintenance_without_offset_is_local_to_the_site(tmp_path: Path, centre: Site) -> None:
    write(
        tmp_path,
        """
        [[maintenance]]
        id = "pipes"
        from = 2026-12-01T08:00:00
        to = 2026-12-01T12:00:00+09:00
        reason = "new pipes"
        """,
    )
    (maintenance,) = load_alert_rules(tmp_path, centre).maintenance
    assert maintenance.from_ == datetime(2026, 12, 1, 0, tzinfo=UTC)
    assert maintenance.to == datetime(2026, 12, 1, 3, tzinfo=UTC)


MISTAKES = file_cases("mistakes.txt")


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_told_with_its_line_and_how_to_fix_it(
    name: str, tmp_path: Path, centre: Site
) -> None:
    text, sentences = MISTAKES[name]
    with pytest.raises(ConfigError) as refused:
        load_alert_rules(write(tmp_path, text), centre)
    assert str(refused.value) == sentences
