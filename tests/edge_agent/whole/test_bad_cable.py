"""A cable that sometimes loses answers does not fill the log, and does not hide silent meters."""

import random
from collections import Counter

import pytest
from structlog.testing import capture_logs

from tests.edge_agent.misbehaving import Question
from tests.edge_agent.polling.stepped_gateway import Answer, Bus

METERS = 10
SILENT = "meter does not answer as it should"


@pytest.mark.parametrize("lost", [0.05, 0.1, 0.2, 0.3])
async def test_whatever_share_of_answers_is_lost_a_meter_is_named_a_few_times(lost: float) -> None:
    """At 20 %, ten meters had 541 lines an hour."""
    chance = random.Random(1)

    def answer(question: Question, _: float) -> Answer:
        return None if chance.random() < lost else question.reply(1)

    bus = Bus(answer, units=METERS)
    with capture_logs() as logs:
        await bus.run(3600.0)
        first = len(logs)
        await bus.run(4 * 3600.0)
    assert {one["event"] for one in logs} <= {SILENT, f"{SILENT}: over"}
    assert first <= 4 * METERS
    assert len(logs) - first <= 3 * 4 * METERS
    by_meter = Counter(one["meter"] for one in logs)
    assert max(by_meter.values()) <= 16


async def test_a_meter_that_falls_silent_on_a_bad_cable_is_named_as_long_as_it_is() -> None:
    """The last line about it is true: its fault began, and did not end."""
    chance = random.Random(1)

    def answer(question: Question, now_s: float) -> Answer:
        dead = question.unit == 1 and now_s > 3600.0
        return None if dead or chance.random() < 0.1 else question.reply(1)

    bus = Bus(answer, units=2)
    with capture_logs() as logs:
        await bus.run(2 * 3600.0)
    last = [one["event"] for one in logs if one["meter"] == "m1"][-1]
    assert last == SILENT


async def test_a_meter_that_was_silent_once_is_over_it_with_its_first_answer() -> None:
    def answer(question: Question, now_s: float) -> Answer:
        return None if 600.0 < now_s < 660.0 else question.reply(1)

    bus = Bus(answer)
    with capture_logs() as logs:
        await bus.run(1200.0)
    assert [one["event"] for one in logs] == [SILENT, f"{SILENT}: over"]
