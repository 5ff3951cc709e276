"""The subjects of a rule: offices are empty at night, and heating follows the weather."""

from msgspec.structs import replace

from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.rule_subjects import subjects
from jieneng.site_folder import SiteFolder

IDLE = AlertRule(id="own", signal="idle_load", above=70.0)
DEVIATION = AlertRule(id="own", signal="deviation", above=2.0)


def test_only_offices_are_empty_at_night_unless_a_rule_names_another_area(
    example: SiteFolder,
) -> None:
    assert subjects(IDLE, example.site) == ("block-1", "block-2", "block-3")
    named = replace(IDLE, area=("block-2", "canteen"))
    assert subjects(named, example.site) == ("block-2", "canteen")


def test_heating_and_cooling_have_no_usual_load_unless_a_rule_names_the_meter(
    example: SiteFolder,
) -> None:
    watched = subjects(replace(DEVIATION, medium=("electricity",)), example.site)
    assert {"e-main", "e-b1", "e-b1-light"} <= set(watched)
    assert not {meter for meter in watched if example.site.meters[meter].item == "hvac"}
    assert subjects(replace(DEVIATION, meter=("e-b1-hvac",)), example.site) == ("e-b1-hvac",)
