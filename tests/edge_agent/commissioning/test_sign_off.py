"""The verdict of a sign-off record."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from edge_agent.commissioning import sign_off
from edge_agent.commissioning.display_search import DisplayReading

CONTEXT = sign_off.SignOffContext(
    by="me", link="tcp h:502", meter="e-1", unit=3, model="m", ct=40.0, pt=1.0
)
MOMENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "verdict"),
    [
        (8123.45, "ok"),
        (8123.43, "ok"),  # a hundredth shown, a hundredth of the register
        (8123.42, "not ok"),
        (8123.97, "ok"),  # and half a kWh may have flowed
        (8123.98, "not ok"),
        (812345.0, "not ok"),
        (float("nan"), "not ok"),
    ],
)
def test_a_step_of_each_and_what_can_have_flowed(read: float, verdict: str) -> None:
    seen = DisplayReading("energy_kwh", Decimal("8123.45"), possible_increase=0.5)
    assert sign_off.compare(CONTEXT, seen, read, 0.01, MOMENT).verdict == verdict


def test_a_record_is_one_line_that_is_read_back() -> None:
    seen = DisplayReading("energy_kwh", Decimal("8123.450"))
    made = sign_off.compare(CONTEXT, seen, 8123.45, 0.01, MOMENT)
    line = made.line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line, type=sign_off.SignOffRecord) == made
    assert (made.ct, made.pt) == (40.0, 1.0)
    assert (made.time, made.display) == ("2026-03-01T09:30:00.000+00:00", "8123.450")


def test_a_record_from_before_ratios_were_kept_is_read_as_not_knowing_them() -> None:
    made = sign_off.compare(CONTEXT, DisplayReading("energy_kwh", Decimal("1.0")), 1.0, 0.1, MOMENT)
    known = msgspec.json.decode(made.line())
    before = {name: value for name, value in known.items() if name not in {"ct", "pt"}}
    again = msgspec.json.decode(msgspec.json.encode(before), type=sign_off.SignOffRecord)
    assert again == msgspec.structs.replace(made, ct=None, pt=None)


@pytest.mark.parametrize(
    ("shown", "side", "verdict"),
    [
        ("10800.0", "primary", "ok"),
        ("270.00", "secondary", "ok"),
        ("10790.0", "primary", "not ok"),
        ("271.00", "secondary", "not ok"),
    ],
)
def test_a_record_is_of_the_side_that_agreed_or_of_the_nearer(
    shown: str, side: str, verdict: str
) -> None:
    seen = DisplayReading("energy_kwh", Decimal(shown))
    behind = sign_off.compare(CONTEXT, seen, 10800.0, 0.4, MOMENT)
    before = sign_off.compare(CONTEXT, seen, 270.0, 0.01, MOMENT, side="secondary", ratio=40.0)
    best = sign_off.closest([behind, before])
    assert (best.side, best.verdict) == (side, verdict)
