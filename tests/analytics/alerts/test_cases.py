"""Cases from the field: series in, notices out. `case_player` says how a case is written."""

import pytest

from tests.analytics.alerts.case_player import CASES, CasePlayer, Sent

NAMES = sorted(path.parent.name for path in CASES.glob("*/case.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    player = CasePlayer(CASES / name)
    sent = player.play()
    expected = (CASES / name / "notices.txt").read_text(encoding="utf-8")
    assert player.lines(sent) == expected, player.case.title
    assert_begins_and_ends_alternate(sent)


def assert_begins_and_ends_alternate(sent: list[Sent]) -> None:
    """Each firing has one notice and one end; there is no end without a notice before."""
    told = set[str]()
    for one in sent:
        keys = {alert.key for alert in one.notice.alerts}
        event = one.notice.event
        if event == "fired":
            assert not keys & told
            told |= keys
        elif event == "flapping":
            told |= keys
        elif event == "reminder":
            assert keys <= told
        elif event != "passed":
            assert keys <= told
            told -= keys


def test_there_are_enough_cases() -> None:
    """The issue asks for 40 cases; a folder without a `case.toml` is none."""
    assert len(NAMES) >= 40
