"""For a misspelt name, the nearest known name is suggested."""

import pytest

from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.spelling import nearest


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("havc", ("lighting", "hvac", "power", "special"), "hvac"),
        ("ligthing", ("lighting", "hvac", "power", "special"), "lighting"),
        ("gatewy", ("gateway-2", "gateway", "plant-room"), "gateway"),
        ("Block-1", ("block-2", "block-1"), "block-1"),
        ("acrel-1352", ("acrel-adw300", "acrel-dtsd1352", "acrel-ddsy1352"), "acrel-dtsd1352"),
        ("voltag_a_v", tuple(QUANTITIES), "voltage_a_v"),
        ("interval", ("installed", "interval_s"), "interval_s"),
        ("1", ("1", "2"), "1"),
    ],
)
def test_the_nearest_name_is_suggested(name: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest(name, known) == meant


@pytest.mark.parametrize("name", ["", "x", "zzz", "boiler", 5000 * "a"])
def test_nothing_is_suggested_for_what_resembles_no_name(name: str) -> None:
    assert nearest(name, ("lighting", "hvac", "power", "special")) is None


def test_of_names_equally_near_the_first_is_suggested() -> None:
    assert nearest("e-9", ("e-1", "e-2")) == "e-1"
    assert nearest("anything", ()) is None
