"""The reported load and uptime of an agent are right to the second."""

from typing import Any, cast

import pytest

from edge_agent.health import AgentHealth, BusLoad
from edge_agent.polling.poll import PollCounts
from edge_agent.publishing.agent_status import AgentStatus
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Status

BEGIN_MS = 1_795_000_000_000


class StillClock:
    """Stands where a test puts it."""

    def __init__(self) -> None:
        self.now_s = 500.0

    def now_ms(self) -> int:
        return BEGIN_MS

    def monotonic(self) -> float:
        return self.now_s


class Poller:
    """A bus that was busy for some seconds."""

    def __init__(self, bus: str, seconds: float = 0.0) -> None:
        self.bus = bus
        self.counts = PollCounts(busy_s=seconds)


class Agent:
    """The buses and clock of an agent, and one reader of the bus load."""

    def __init__(self, *buses: Poller) -> None:
        self.buses: tuple[Any, ...] = buses
        self.clock: Any = StillClock()
        self.load = self.asker()

    def asker(self) -> BusLoad:
        return BusLoad(lambda: self.buses, self.clock)

    def after(self, passed_s: float, **busy_s: float) -> dict[str, float]:
        """Return the load after some time in which buses were busy for so long."""
        for one in self.buses:
            one.counts.busy_s += busy_s.get(one.bus, 0.0)
        self.clock.now_s += passed_s
        return self.load.measure()


def test_load_is_the_share_of_the_time_since_the_last_question_in_which_a_bus_was_busy() -> None:
    agent = Agent(Poller("a"), Poller("b"))
    assert agent.after(10.0, a=2.5) == {"a": 0.25, "b": 0.0}
    assert agent.after(10.0, a=7.5, b=1.0) == {"a": 0.75, "b": 0.1}
    assert agent.after(20.0) == {"a": 0.0, "b": 0.0}


def test_a_poll_that_is_longer_than_the_time_between_two_questions_is_all_of_it() -> None:
    """A poll is counted when it ends, also for the time before the last measurement."""
    assert Agent(Poller("a")).after(2.0, a=5.0) == {"a": 1.0}


def test_what_a_bus_was_busy_for_before_it_was_first_asked_about_is_of_that_time() -> None:
    """A bus that a reload adds is in this case."""
    agent = Agent()
    assert agent.after(10.0) == {}
    agent.buses = (Poller("a", 3.0),)
    assert agent.after(10.0) == {"a": 0.3}


def test_a_bus_that_was_gone_and_came_back_counts_from_0() -> None:
    agent = Agent(Poller("a"))
    assert agent.after(10.0, a=8.0) == {"a": 0.8}
    agent.buses = (Poller("a"),)
    assert agent.after(10.0, a=2.0) == {"a": 0.2}, "gone and back between two questions"
    agent.buses = ()
    assert agent.after(10.0) == {}
    agent.buses = (Poller("a"),)
    assert agent.after(10.0, a=4.0) == {"a": 0.4}


def test_who_asks_twice_in_one_moment_hears_nothing_and_loses_nothing() -> None:
    agent = Agent(Poller("a"))
    agent.after(10.0)
    assert agent.after(0.0, a=5.0) == {}
    assert agent.after(10.0) == {"a": 0.5}


def test_two_askers_do_not_cut_each_others_time_short() -> None:
    agent = Agent(Poller("a"))
    other = agent.asker()
    agent.after(5.0, a=5.0)
    assert agent.after(5.0) == {"a": 0.0}
    assert other.measure() == {"a": 0.5}


def test_uptime_counts_from_the_start_of_the_agent() -> None:
    agent = Agent()
    health = AgentHealth(agent.load, ClockTrust(BEGIN_MS, 0), agent.clock)
    agent.clock.now_s += 90.5
    assert health.uptime_s == pytest.approx(90.5)


class Spool:
    """A spool whose oldest batch is two minutes old."""

    counts = SampleCounts(read=9, stored=2, pending=6, old=1, size_bytes=480)
    age_s = 120.5
    used_share = 0.25
    disk_used = 0.875


def test_the_status_says_what_spool_clock_and_buses_say() -> None:
    agent, spool = Agent(Poller("b")), Spool()
    health = AgentHealth(agent.load, ClockTrust(BEGIN_MS, 0), agent.clock)
    status = AgentStatus(
        cast("Any", spool),
        health,
        agent.clock,
        lambda: 75.5,
        lambda: BEGIN_MS + 36 * 3_600_000,
        agent="agent-1",
        boot="aaaaaaaa",
    )
    agent.buses[0].counts.busy_s = 3.0
    agent.clock.now_s += 12.0
    health.clock_trust.update(BEGIN_MS + 60_000, 0)
    assert mqtt_messages.decode_status(status.encoded(online=True)) == Status(
        agent="agent-1",
        boot="aaaaaaaa",
        online=True,
        time_ms=BEGIN_MS,
        read=9,
        stored=2,
        pending=6,
        dropped=1,
        uptime_s=12.0,
        spool_bytes=480,
        spool_age_s=120.5,
        clock_ok=True,
        clock_jumps=1,
        bus_load={"b": 0.25},
        unacknowledged_s=75.5,
        spool_share=0.25,
        disk_used=0.875,
        certificate_days=1.5,
    )
    health.clock_trust.update(0, 0)
    untrusted = mqtt_messages.decode_status(status.encoded(online=True))
    assert not untrusted.clock_ok
    assert untrusted.certificate_days is None, "a clock without the time knows no days"
