"""Live reading: few queries, each reading once, a backlog in order, silent meters recognised."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from analytics.alerts.alert import SignalValues
from analytics.alerts.alert_rule import AlertRule
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering.errors import StoreUnavailable
from jieneng.storage import Store
from tests.analytics.pipeline.signals.stored_messages import (
    BEGIN_MS,
    CountingStore,
    agent_state,
    at,
    meter_row,
    names,
    polls,
    reader,
    readings,
    site_folder,
)

POWER = AlertRule(id="power", signal="quantity", quantity="power_kw", above=50.0)
SILENT = AlertRule(id="silent", signal="reading_age", above=1800.0)


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncIterator[CountingStore]:
    store = CountingStore(tmp_path)
    await store.prepare()
    yield store
    await store.close()


def known(values: SignalValues, subject: str) -> dict[float, float]:
    """Return the known values of a subject, by seconds after the start."""
    row = values.values[values.subjects.index(subject)].tolist()
    times = ((values.times_ms - BEGIN_MS) / 1000).tolist()
    return {time: value for time, value in zip(times, row, strict=True) if not np.isnan(value)}


async def whole(live: SignalReader, now_ms: int, rule: str, subject: str) -> dict[float, float]:
    """Return all values of a subject that can be read now; none comes twice."""
    found: dict[float, float] = {}
    while True:
        values = (await live.read(now_ms)).get(rule)
        if values is not None and subject in values.subjects:
            new = known(values, subject)
            assert not found.keys() & new.keys()
            found |= new
        if not live.is_behind:
            return found


async def test_rounds_bring_each_reading_once_and_in_the_meters_own_time(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    live = reader(folder, store, POWER)
    await store.write(readings("a", [(0, 1.0), (10, 2.0)]) + readings("b", [(3, 7.0)]))
    first = (await live.read(at(11)))["power"]
    assert known(first, "a") == {0.0: 1.0, 10.0: 2.0}
    assert known(first, "b") == {10.0: 7.0}
    await store.write(readings("a", [(20, 3.0)]))
    second = (await live.read(at(21)))["power"]
    assert second.subjects == ("a",)
    assert known(second, "a") == {20.0: 3.0}
    assert "power" not in await live.read(at(31))


async def test_a_round_of_many_rules_is_a_query_a_field(
    tmp_path: Path, counted: CountingStore
) -> None:
    folder = site_folder(tmp_path, *(meter_row(f"m{number}") for number in range(20)))
    rules = (
        POWER,
        AlertRule(id="power-low", signal="quantity", quantity="power_kw", below=1.0),
        AlertRule(id="jump", signal="rate", quantity="power_kw", above=100.0),
        SILENT,
        AlertRule(id="bus", signal="failed_polls", above=50.0),
        AlertRule(id="agent", signal="agent_age", above=300.0),
        AlertRule(id="spool", signal="spool_age", above=300.0),
        AlertRule(id="clock", signal="clock_untrusted", above=0.5),
    )
    live = reader(folder, counted, *rules)
    for seconds in (0.0, 10.0, 20.0):
        for number in range(20):
            await counted.write(readings(f"m{number}", [(seconds, 5.0)]))
            await counted.write(polls(f"m{number}", [(seconds, True)]))
        await counted.write([agent_state("agent-1", seconds, spool_age_s=1.0, clock_ok=1.0)])
        counted.queries.clear()
        found = await live.read(at(seconds + 1))
    assert names(counted.queries) == [
        "agent.clock_ok",
        "agent.online",
        "agent.spool_age_s",
        "electricity.power_kw",
        "electricity.quality",
        "poll.ok",
    ]
    assert set(found) == {rule.id for rule in rules}


async def test_a_meter_that_returns_brings_its_backlog_in_order(
    tmp_path: Path, counted: CountingStore
) -> None:
    """Ten minutes at the agent, then all of it within a round: every step with its own time."""
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    live = reader(folder, counted, POWER)
    for seconds in range(0, 600, 10):
        await counted.write(readings("b", [(seconds, 1.0)]))
        if seconds == 0:
            await counted.write(readings("a", [(0, 1.0)]))
        await live.read(at(seconds + 1))
    backlog = [(float(s), 100.0 + s) for s in range(10, 610, 10)]
    await counted.write(readings("a", backlog))
    counted.queries.clear()
    assert await whole(live, at(601), "power", "a") == dict(backlog)
    assert len(counted.queries) <= 3


async def test_readings_that_are_all_stored_minutes_late_are_evaluated(
    tmp_path: Path, counted: CountingStore
) -> None:
    """An ingest that is behind, or a demo that runs faster than real time."""
    folder = site_folder(tmp_path, meter_row("a"))
    live = reader(folder, counted, POWER, SILENT)
    found: dict[float, float] = {}
    for seconds in range(0, 600, 10):
        await counted.write(readings("a", [(float(seconds), float(seconds))]))
        rounds = await live.read(at(seconds + 200))
        found |= known(rounds["power"], "a") if "power" in rounds else {}
        assert known(rounds["silent"], "a") == {seconds + 200.0: 200.0}
    late = {float(seconds): float(seconds) for seconds in range(10, 600, 10)}
    assert {time: found[time] for time in late} == late


async def test_many_that_return_together_are_read_by_few_queries(
    tmp_path: Path, counted: CountingStore
) -> None:
    ids = [f"m{number}" for number in range(40)]
    folder = site_folder(tmp_path, *map(meter_row, ids))
    live = reader(folder, counted, POWER)
    await counted.write([point for one in ids for point in readings(one, [(0, 1.0)])])
    await live.read(at(1))
    backlog = [(float(s), float(s)) for s in range(10, 610, 10)]
    await counted.write([point for one in ids for point in readings(one, backlog)])
    counted.queries.clear()
    assert await whole(live, at(601), "power", "m39") == dict(backlog)
    assert len(counted.queries) <= 6


async def test_readings_of_an_agent_whose_clock_is_behind_are_found(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    live = reader(folder, store, POWER, SILENT)
    await store.write(readings("a", [(0, 1.0)]))
    await live.read(at(1))
    late = [(float(s), float(s)) for s in range(10, 100, 10)]
    await store.write(readings("a", late))
    assert await whole(live, at(7200), "power", "a") == dict(late)


async def test_the_age_of_a_silent_meter_grows_with_the_time_and_survives_a_restart(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    await store.write(readings("a", [(0, 1.0)]) + readings("b", [(0, 1.0), (7190, 1.0)]))
    live = reader(folder, store, SILENT)
    for now_s in (7200.0, 7210.0):
        found = (await live.read(at(now_s)))["silent"]
        assert known(found, "a") == {now_s: now_s}
        assert known(found, "b") == {now_s: now_s - 7190}


async def test_many_silent_meters_are_looked_up_in_a_few_rounds(
    tmp_path: Path, counted: CountingStore
) -> None:
    """A service that starts during an outage of all meters is not held up by asking for each."""
    ids = [f"m{number}" for number in range(60)]
    folder = site_folder(tmp_path, *map(meter_row, ids))
    await counted.write([point for one in ids for point in readings(one, [(0, 1.0)])])
    live = reader(folder, counted, SILENT)
    first = (await live.read(at(7200)))["silent"]
    assert np.isfinite(first.values).sum() == 50
    second = (await live.read(at(7210)))["silent"]
    assert (second.values == 7210.0).all()


async def test_a_meter_that_never_answered_is_silent_since_its_first_poll(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    await store.write(polls("a", [(0, False), (10, False)]))
    found = (await reader(folder, store, SILENT).read(at(100)))["silent"]
    assert known(found, "a") == {100.0: 100.0}
    assert known(found, "b") == {}


async def test_meters_that_nobody_polls_or_that_are_not_in_place_are_not_silent(
    tmp_path: Path, store: Store
) -> None:
    by_hand = meter_row("hand").replace('bus = "bus-a"', "")
    gone = meter_row("gone") + "removed = 2025-06-03\n"
    coming = meter_row("coming") + "installed = 2025-06-05\n"
    folder = site_folder(tmp_path, by_hand, gone, coming, meter_row("a"))
    await store.write([p for m in ("hand", "gone", "coming", "a") for p in readings(m, [(0, 1.0)])])
    found = (await reader(folder, store, SILENT).read(at(100)))["silent"]
    assert "hand" not in found.subjects
    assert known(found, "gone") == known(found, "coming") == {}
    assert known(found, "a") == {100.0: 100.0}


async def test_an_agent_that_said_goodbye_is_silent_since_its_last_sign_of_life(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b", "bus-b"))
    rule = AlertRule(id="agent", signal="agent_age", above=300.0)
    goodbye = agent_state("agent-1", 50, online=0.0)
    await store.write([agent_state("agent-1", 0), goodbye, agent_state("agent-2", 90)])
    found = (await reader(folder, store, rule).read(at(100)))["agent"]
    assert known(found, "agent-1") == {100.0: 100.0}
    assert known(found, "agent-2") == {100.0: 10.0}


async def test_after_a_restart_the_readings_since_the_last_round_are_evaluated(
    tmp_path: Path, store: Store
) -> None:
    """`a` went silent while the service was down, and returns with a backlog after its restart."""
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    written = [(float(s), float(s)) for s in range(0, 3600, 10)]
    await store.write(readings("b", written) + readings("a", written[:200]))
    live = reader(folder, store, POWER, since_ms=at(1000))
    found = await whole(live, at(3600), "power", "a")
    assert [one for one in found if one > 1000] == [t for t, _ in written[:200] if t > 1000]
    await store.write(readings("a", [*written[200:], (3600.0, 1.0)]))
    later = await whole(live, at(3601), "power", "a")
    assert list(later) == [*(t for t, _ in written[200:]), 3600.0]


async def test_a_round_that_fails_is_made_up_for(tmp_path: Path, counted: CountingStore) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    live = reader(folder, counted, POWER)
    await counted.write(readings("a", [(0, 1.0)]))
    await live.read(at(1))
    await counted.write(readings("a", [(10, 2.0), (20, 3.0)]))
    counted.fails = True
    with pytest.raises(StoreUnavailable):
        await live.read(at(21))
    counted.fails = False
    assert await whole(live, at(22), "power", "a") == {10.0: 2.0, 20.0: 3.0}


async def test_a_rule_for_idle_hours_has_no_values_in_working_hours(
    tmp_path: Path, store: Store
) -> None:
    """The start is 08:00 on a Wednesday, when work begins."""
    folder = site_folder(tmp_path, meter_row("a"))
    rule = AlertRule(id="idle", signal="quantity", quantity="power_kw", above=5.0, when="idle")
    await store.write(readings("a", [(-20, 1.0), (-10, 2.0), (0, 3.0), (10, 4.0)]))
    found = await whole(reader(folder, store, rule), at(11), "idle", "a")
    assert found == {-20.0: 1.0, -10.0: 2.0}


async def test_a_quantity_that_every_sixth_poll_reads_holds_for_sixty_seconds_and_more(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a") + "every = {power_kw = 6}\n")
    await store.write(readings("a", [(0, 1.0), (60, 2.0)]))
    found = await whole(reader(folder, store, POWER), at(61), "power", "a")
    assert found == {**{10.0 * i: 1.0 for i in range(6)}, 60.0: 2.0}
