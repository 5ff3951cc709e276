"""What is said about a service never ends it."""

import os
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TextIO

import pytest
import structlog

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
    fault = observe.Fault(observe.log("edge"), "spool can't be written")
    fault.happened("database or disk is full")
    fault.over()
    assert fault.times == 0


def test_a_log_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    observe.set_up_logs(json=True)
    observe.log("edge").info("polling", meters=3)
    assert '"event": "polling"' in heard.getvalue()
    assert heard.getvalue().endswith("}\n")
