"""A log that can't be written never ends a service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TextIO

import pytest
import structlog
from structlog.testing import capture_logs

from jieneng import observe

FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def nobody_reads() -> Iterator[TextIO]:
    """A pipe whose other end is gone, as that of a logger which died."""
    there, here = os.pipe()
    os.close(there)
    file = os.fdopen(here, "w", buffering=1)
    yield file
    with pytest.raises(BrokenPipeError):  # what was not written is still in it
        file.close()


@pytest.fixture
def full_disk() -> Iterator[TextIO]:
    if not FULL.exists():
        pytest.skip("only Linux has a disk that is always full")
    file = FULL.open("w", buffering=1)
    yield file
    with pytest.raises(OSError, match="No space left"):
        file.close()


@pytest.mark.parametrize("where", ["full_disk", "nobody_reads"])
@pytest.mark.parametrize("json", [True, False])
def test_a_log_line_that_can_not_be_written_ends_nobody(
    where: str, json: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", request.getfixturevalue(where))
    observe.set_up_logs(json=json)
    fault = observe.LoggedFault(observe.log("edge"), "spool can't be written")
    fault.report("database or disk is full")
    fault.clear()
    assert fault.occurrences == 0


def test_a_log_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    observe.set_up_logs(json=True)
    observe.log("edge").info("polling", meters=3)
    assert '"event": "polling"' in heard.getvalue()
    assert heard.getvalue().endswith("}\n")


class Watched:
    """A fault on a clock, and what was said of it."""

    def __init__(self, **how: int) -> None:
        self.now_s = 0.0
        self.fault = observe.LoggedFault(
            observe.log("edge"), "it is silent", now_s=lambda: self.now_s, **how
        )

    def goes(self, *polls: bool, every_s: float = 60.0) -> list[str]:
        """What is said while it is bad or good so often; one `times` behind each end."""
        with capture_logs() as logs:
            for bad in polls:
                self.now_s += every_s
                if bad:
                    self.fault.report("nothing came")
                else:
                    self.fault.clear()
        return [one["event"] + str(one.get("times", "")) for one in logs]


BEGUN, OVER = "it is silent", "it is silent: over"
BAD, GOOD = True, False


def test_a_fault_is_said_when_it_begins_and_when_it_ends() -> None:
    one = Watched(after=2)
    assert one.goes(BAD, GOOD, BAD) == []
    assert one.goes(BAD) == [BEGUN]
    assert one.goes(BAD, BAD) == []
    assert one.goes(GOOD) == [OVER + "4"]
    assert one.goes(GOOD, GOOD) == []


def test_one_that_comes_back_soon_is_over_when_it_has_stayed_away_for_a_while() -> None:
    one = Watched()
    assert one.goes(BAD, GOOD) == [BEGUN, OVER + "1"]
    assert one.goes(BAD) == [BEGUN]
    assert one.goes(*5 * [GOOD, BAD]) == []
    assert one.goes(*14 * [GOOD]) == []
    assert one.goes(GOOD) == [OVER + "6"]
    assert one.goes(*59 * [GOOD]) == []


def test_one_that_comes_back_late_is_a_fault_like_the_first() -> None:
    one = Watched()
    one.goes(BAD, GOOD, BAD, *20 * [GOOD])
    assert one.goes(*60 * [GOOD], BAD, GOOD) == [BEGUN, OVER + "1"]


def test_one_of_what_is_gone_is_over_at_once() -> None:
    one = Watched()
    one.goes(BAD, GOOD, BAD, GOOD)
    with capture_logs() as logs:
        one.fault.end(why="no longer polled")
    assert [(said["event"], said["why"]) for said in logs] == [(OVER, "no longer polled")]
    assert one.fault.occurrences == 0


def test_a_fault_that_a_person_has_to_mend_is_an_error() -> None:
    fault = observe.SevereFault(observe.log("test"), "it is full")
    with capture_logs() as logs:
        fault.report("no room")
        fault.report("no room")
        fault.clear()
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("it is full", "error"),
        ("it is full: over", "info"),
    ]


@pytest.mark.server
def test_logs_load_no_rich_and_leave_it_to_others() -> None:
    """An agent on a small box has no use for it; the screens of commands have."""
    program = (
        "import sys, edge_agent.app; print('rich' in sys.modules); "
        "import rich.console; print(rich.console.Console.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "Console"]
