"""The checks follow the site's files, so no reading of a new meter is lost."""

import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ingest.admission.current_checker import CurrentChecker
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.site_folder import SiteFolder, load
from tests.ingest.agent import SITE, START, batch, sample
from tests.stepped_clock import SteppedClock

TOPIC = mqtt_messages.topic(SITE, "agent-1", "batch")
METER = """
[[meter]]
id = "e-new"
name = "new"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "plant-room"
unit = 99
area = "block-1"
rated_max = 400.0
"""


class ManualClock(SteppedClock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        super().__init__(START, 0)
        self.set_by_service = True

    def tick(self, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)

    def is_set(self) -> bool:
        return self.set_by_service


@pytest.fixture
def site(example: SiteFolder, tmp_path: Path) -> Path:
    path = tmp_path / "site"
    shutil.copytree(example.path, path)
    return path


def new_reading() -> bytes:
    return mqtt_messages.encode_batch(batch(1, [sample(1), sample(2, "e-new")]))


def test_a_meter_that_was_added_is_known_at_its_first_reading(site: Path) -> None:
    clock = ManualClock()
    checker = CurrentChecker(load(site), clock, observe.log("test"))
    clock.tick(2)
    assert [one.meter for one in checker.check(TOPIC, new_reading()).to_quarantine] == ["e-new"]
    file = site / "site.toml"
    file.write_text(file.read_text() + METER)
    clock.tick(2)
    with capture_logs() as logs:
        checked = checker.check(TOPIC, new_reading())
    assert checked.to_quarantine == ()
    assert len(checked.points) == 2
    assert [line["event"] for line in logs] == ["site was read again"]


def test_a_mistake_in_the_files_changes_nothing_and_is_said_once(site: Path) -> None:
    clock = ManualClock()
    checker = CurrentChecker(load(site), clock, observe.log("test"))
    file = site / "site.toml"
    good = file.read_text()
    with capture_logs() as logs:
        for text in (good + "[[", good + '[[meter]]\nid = "x"\n', good.replace(SITE, "other")):
            file.write_text(text)
            clock.tick(2)
            assert len(checker.check(TOPIC, new_reading()).points) == 1
    assert [line["event"] for line in logs] == ["site can't be read again"]


def test_nothing_is_in_the_future_of_a_clock_that_is_not_set(example: SiteFolder) -> None:
    clock = ManualClock()
    clock.tick(-86_400 * 400)
    checker = CurrentChecker(example, clock, observe.log("test"))
    payload = mqtt_messages.encode_batch(batch(1))
    assert [one.reason for one in checker.check(TOPIC, payload).to_quarantine] == ["future"]
    clock.set_by_service = False
    checked = checker.check(TOPIC, payload)
    assert (checked.to_quarantine, len(checked.points)) == ((), 1)
