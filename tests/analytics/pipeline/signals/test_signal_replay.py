"""Replays have the results of live rounds, also in a year whose hours are not stored."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from analytics import periods
from analytics.alerts.alert_rule import AlertRule
from analytics.pipeline.signals import signal_replay
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering import schema
from jieneng.metering.reading import Sample
from jieneng.metering.schema import Point
from jieneng.storage import Store
from tests.analytics.alerts.signals.made_hours import SHANGHAI
from tests.analytics.pipeline.signals.recorded_minutes import RULES, Cells, history, note
from tests.analytics.pipeline.signals.stored_messages import (
    at,
    meter_row,
    polls,
    reader,
    readings,
    site_folder,
)


async def replayed(source: SignalReader, rule: AlertRule, *span: float, step_s: float) -> Cells:
    found: Cells = {}
    start, end = span
    async for values in source.replay(rule, at(start), at(end), step_s):
        assert not values.is_replacement
        note(values, found)
    return found


async def test_a_replay_says_what_live_rounds_said(tmp_path: Path, store: Store) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b", "bus-b"))
    live = reader(folder, store, *RULES)
    said: dict[str, Cells] = {rule.id: {} for rule in RULES}
    for second, points in history(3):
        await store.write(points)
        for rule_id, values in (await live.read(at(round(second / 10) * 10 + 10))).items():
            note(values, said[rule_id])
    for rule in RULES:
        found = await replayed(reader(folder, store, *RULES), rule, -60, 450, step_s=10)
        by_live = {key: value for key, value in said[rule.id].items() if key[1] <= at(450)}
        assert {key: found[key] for key in by_live} == pytest.approx(by_live), rule.id
        assert len(by_live) > 20


async def test_a_replay_in_small_chunks_says_the_same(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    await store.write([point for _, points in history(5) for point in points])
    whole = {
        rule.id: await replayed(reader(folder, store), rule, -60, 450, step_s=10) for rule in RULES
    }
    monkeypatch.setattr(signal_replay, "_MAX_READINGS", 20)
    monkeypatch.setattr(signal_replay, "_MAX_STEPS", 7)
    for rule in RULES:
        chunked = await replayed(reader(folder, store), rule, -60, 450, step_s=10)
        assert chunked == pytest.approx(whole[rule.id])


async def test_a_coarser_replay_has_the_worst_of_its_steps(tmp_path: Path, store: Store) -> None:
    folder = site_folder(tmp_path, meter_row("a"))
    await store.write(readings("a", [(10, 3.0), (20, 90.0), (60, 4.0), (70, 5.0)]))
    found = await replayed(reader(folder, store), RULES[0], 0, 120, step_s=60)
    assert found == {("a", at(60)): 90.0, ("a", at(120)): 5.0}


async def test_history_that_was_read_rarely_holds_between_its_readings(
    tmp_path: Path, store: Store
) -> None:
    """The meter is polled every 10 s today; its past was imported by quarters of an hour."""
    folder = site_folder(tmp_path, meter_row("a"))
    await store.write(readings("a", [(900.0 * number, 60.0) for number in range(1, 13)]))
    found = await replayed(reader(folder, store), RULES[0], 0, 10_800, step_s=60)
    assert len(found) == (10_800 - 900) / 60 + 1


async def test_the_age_of_a_meter_that_was_silent_before_the_replay_is_known(
    tmp_path: Path, store: Store
) -> None:
    folder = site_folder(tmp_path, meter_row("a"), meter_row("b"))
    await store.write(readings("a", [(0, 1.0), (7290, 1.0)]) + polls("b", [(7000, False)]))
    found = await replayed(reader(folder, store), RULES[5], 7200, 7320, step_s=60)
    assert found == {
        ("a", at(7260)): 7260.0,
        ("a", at(7320)): 30.0,
        ("b", at(7260)): 260.0,
        ("b", at(7320)): 320.0,
    }


def registers(meter: str, first: date, last: date, leak: tuple[date, date]) -> list[Point]:
    """Return a register by quarters of an hour: nothing at night, but 0.5 m3/h while it leaks."""
    points, total = [], 100.0
    quarter = 900_000
    leaks = [periods.midnight_ms(day, SHANGHAI) for day in leak]
    end = periods.midnight_ms(last + timedelta(days=1), SHANGHAI)
    for time in range(periods.midnight_ms(first, SHANGHAI), end + 1, quarter):
        sample = Sample(meter, time, 0, ("volume_m3",), (total,))
        point = schema.reading_point("centre", "water", sample)
        assert point is not None
        points.append(point)
        hour = (time // 3_600_000 + 8) % 24
        total += 0.25 * (0.5 if leaks[0] <= time < leaks[1] else 0.0)
        total += 0.25 * (2.0 if 7 <= hour < 22 else 0.0)
    return points


@pytest.fixture
async def watered(tmp_path: Path, store: Store) -> SignalReader:
    """A site whose water meter has a year of registers, and no stored hours at all."""
    water = meter_row("w", medium="water", model="tuf-2000m-water", interval_s=900, rated_max=10.0)
    folder = site_folder(tmp_path, water, meter_row("e"))
    leak = date(2025, 4, 10), date(2025, 4, 20)
    await store.write(registers("w", date(2024, 6, 1), date(2025, 6, 1), leak))
    return reader(folder, store)


async def test_a_night_flow_is_replayed_over_ninety_days_of_registers(
    watered: SignalReader,
) -> None:
    """The leak lasted for ten nights: those that ended on 10 to 19 April."""
    rule = AlertRule(id="leak", signal="night_flow", above=0.3)
    found: Cells = {}
    start = periods.midnight_ms(date(2025, 3, 2), SHANGHAI)
    async for values in watered.replay(rule, start, start + 90 * 86_400_000):
        note(values, found)
    flows = {periods.local_day(time, SHANGHAI): value for (_, time), value in found.items()}
    assert len(flows) == 90
    leaking = [day for day, flow in flows.items() if flow > 0.3]
    assert leaking == [date(2025, 4, 10) + timedelta(days=number) for number in range(10)]
    assert all(flows[day] == pytest.approx(0.5) for day in leaking)


async def test_a_deviation_is_replayed_from_registers_with_its_profile(
    watered: SignalReader,
) -> None:
    """At night nothing is usual: a tenth of the day's mean is 0.125, and the leak four times it."""
    rule = AlertRule(id="unusual", signal="deviation", above=2.5, medium=("water",))
    found: Cells = {}
    start = periods.midnight_ms(date(2025, 4, 8), SHANGHAI)
    async for values in watered.replay(rule, start, start + 4 * 86_400_000):
        note(values, found)
    assert len(found) == 4 * 24
    at_three = [
        value
        for (_, time), value in found.items()
        if (time - periods.midnight_ms(periods.local_day(time, SHANGHAI), SHANGHAI))
        == 3 * 3_600_000
    ]
    assert at_three == pytest.approx([1.0, 1.0, 4.0, 4.0])
