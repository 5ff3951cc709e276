"""Load profiles are stored each day, after changes, and for earlier months."""

from datetime import date
from pathlib import Path

import numpy as np

from analytics.pipeline.profiles.profile_writer import ProfileWriter
from jieneng.metering import schema
from jieneng.storage import Series, Store
from tests.analytics.pipeline.profiles.test_profile_reader import FIRST_MS, reader_of, row

DAY_MS = 86_400_000
TODAY = date(2025, 6, 22)
ALWAYS = {"start_ms": FIRST_MS - 90 * DAY_MS, "end_ms": FIRST_MS + 90 * DAY_MS}


async def stored(store: Store, measurement: str, field: str, **tags: str) -> Series:
    """Return the only series of a field."""
    where = {"site": "centre", "scope": "main", **tags}
    (found,) = await store.read(measurement, field, where=where, **ALWAYS)
    return found


async def test_a_day_is_written_once_and_again_after_a_change(tmp_path: Path, store: Store) -> None:
    """21 complete days; one of three Sundays and one of three Mondays are holidays."""
    reader = await reader_of(tmp_path, store, row("main"), computed=True)
    writer = ProfileWriter(reader, store)
    await writer.update(TODAY, ())
    peak = await stored(store, schema.PROFILE, "peak_demand")
    assert peak.tags["period"] == "2025-06"
    assert peak.times_ms.tolist() == [FIRST_MS + 20 * DAY_MS]
    assert peak.values.tolist() == [12.0]
    assert (await stored(store, schema.PROFILE, schema.INTERVAL_S)).values == 900.0
    nights = await stored(store, schema.NIGHT, "least")
    assert ((nights.times_ms - FIRST_MS) / DAY_MS).tolist() == list(range(21))
    week = await stored(store, schema.WEEK_PROFILE, "median")
    hours = (week.times_ms - FIRST_MS) // 3_600_000
    assert {*np.unique(hours // 24).tolist()} == set(range(16, 21))
    assert set(week.values) == {6.0}
    for measurement in (schema.PROFILE, schema.NIGHT, schema.WEEK_PROFILE):
        await store.delete(measurement, where={"site": "centre"}, **ALWAYS)
    await writer.update(TODAY, ())
    assert not await store.read(schema.PROFILE, "peak_demand", where={}, **ALWAYS)
    await writer.update(TODAY, {date(2025, 6, 3)})
    assert (await stored(store, schema.PROFILE, "peak_demand")).values == 12.0


async def test_earlier_months_are_written_one_at_a_time(tmp_path: Path, store: Store) -> None:
    """In August, June and July have none; July comes first, and has no hour that is measured."""
    reader = await reader_of(tmp_path, store, row("main"), computed=True)
    writer, found = ProfileWriter(reader, store), []
    for _ in range(3):
        await writer.update(date(2025, 8, 5), ())
        series = await store.read(schema.PROFILE, schema.COVERAGE, where={}, **ALWAYS)
        found.append({one.tags["period"]: one.values[0] for one in series})
    only_july = {"2025-08": 0.0, "2025-07": 0.0}
    assert found[0] == only_july
    assert found[1] == found[2] == {**only_july, "2025-06": 0.7}
