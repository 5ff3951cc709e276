"""Faults that hurt users of other systems do not hurt this agent: scenarios, polled.

An answer that is whole, right and in time is kept; nothing else is. (A reply with other registers'
contents is whole and right for all that a protocol can tell: it is kept and marked.)
"""

import math
from typing import Literal

import msgspec
import pytest

from simulators.faults.connection_faults import OneConnection
from simulators.faults.reply_faults import LateAnswer, Reset
from simulators.scenarios import scenario
from tests.scenario_runs import NAMES, play, played, played_scenarios, scored

pytestmark = pytest.mark.server


@played_scenarios(*NAMES)
def test_nothing_is_lost_invented_or_believed_wrongly(name: str) -> None:
    run = played(name)
    for meter in scored(run).meters:
        counts = meter.counts
        mistakes = (counts.lost, counts.invented, counts.wrong, counts.late)
        assert mistakes == (0, 0, 0, 0), (meter.meter, counts, meter.findings)


@played_scenarios("spikes", "wrong-register")
def test_what_is_far_too_much_is_kept_and_marked(name: str) -> None:
    counts = scored(played(name)).counts
    assert counts.untrue >= 2
    assert counts.untrue_marked == counts.untrue


@played_scenarios("one-dead-unit")
def test_a_dead_unit_costs_its_neighbours_no_poll(name: str) -> None:
    """60 polls in an hour, each of which is three questions."""
    run = played(name)
    kept = {name: len(run.series(name).times_ms) for name in ("e-1", "e-2", "e-3")}
    assert kept == {"e-1": 60, "e-2": 0, "e-3": 60}
    asked = sum(one.meter == "e-2" for one in run.exchanges)
    assert asked <= 16, "a silent unit is asked less and less"


@pytest.mark.parametrize("newcomer", ["closed", "ignored", "takes_over"])
def test_a_gateway_that_takes_one_connection_is_asked_over_one(
    newcomer: Literal["closed", "ignored", "takes_over"],
) -> None:
    one = scenario.read("one-connection-gateway")
    rules = [
        msgspec.structs.replace(row, newcomer=newcomer) if isinstance(row, OneConnection) else row
        for row in one.fault
    ]
    assert rules != list(one.fault) or newcomer == "closed"
    run = play(msgspec.structs.replace(one, fault=tuple(rules)))
    assert len({one.peer for one in run.exchanges}) == 1
    assert len(run.series("e-1").times_ms) == 60


def test_a_gateway_that_resets_after_every_answer_costs_no_poll() -> None:
    """Each reset is on its way while the next question is sent, or comes just after it."""
    one = scenario.read("connection-reset")
    resets = [row for row in one.fault if isinstance(row, Reset) and row.place == "after"]
    after = msgspec.structs.replace(resets[0], probability=1.0)
    run = play(msgspec.structs.replace(one, fault=(after,)))
    for name in ("e-1", "e-2"):
        kept = [sample for sample in run.samples if sample.meter == name]
        assert len(kept) == 60
        assert not any(math.isnan(value) for sample in kept for value in sample.values)


def test_answers_after_the_time_out_are_believed_and_are_not_called_wrong() -> None:
    """An agent that has learned how slow the gateway is waits longer than the site's time-out."""
    one = scenario.read("late-reply-tcp")
    [late] = [row for row in one.fault if isinstance(row, LateAnswer)]
    head = msgspec.structs.replace(one.scenario, duration_s=900.0)
    timeout_s = one.bus[0].timeout_s
    slow = msgspec.structs.replace(late, delay_s=2.0 * timeout_s, probability=1.0, duration_s=200.0)
    faster = msgspec.structs.replace(late, delay_s=1.5 * timeout_s, probability=1.0, after_s=200.0)
    run = play(msgspec.structs.replace(one, scenario=head, fault=(slow, faster)))
    for score in scored(run).meters:
        assert score.counts.readings >= 8
        assert score.counts.right == score.counts.readings, score.findings
