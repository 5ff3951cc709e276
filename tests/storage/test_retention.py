"""A retention shorter than the readings in the store is found, one that fits is not."""

import pytest

from jieneng.metering.schema import Point
from jieneng.storage.influx import InfluxStore
from jieneng.storage.retention import ShortRetention, find_short_retention
from tests.servers import Influx2
from tests.storage.conftest import settings_of

pytestmark = pytest.mark.server

DAY_MS = 86_400_000
NOW_MS = 1_795_000_000_000


@pytest.mark.parametrize("server", ["influx", "influx2"])
@pytest.mark.parametrize(
    ("kept_days", "found"),
    [(0, None), (400, None), (365, None), (30, ShortRetention(30 * 86400.0, 370 * 86400.0))],
)
async def test_readings_older_than_the_retention_are_found(
    server: str, kept_days: int, found: ShortRetention | None, request: pytest.FixtureRequest
) -> None:
    settings = settings_of(request, server)
    store = InfluxStore(settings)
    await store.prepare()
    tags = (("meter", "m"), ("site", "s"))
    old = Point.of("water", tags, (("volume_m3", 1.0),), NOW_MS - 370 * DAY_MS)
    assert (await store.write([old])).written == 1
    if kept_days:
        await shorten(request, server, store, kept_days)
    assert await find_short_retention(store, NOW_MS) == found
    await store.close()


async def shorten(
    request: pytest.FixtureRequest, server: str, store: InfluxStore, days: int
) -> None:
    """Shorten a retention as a person does, who does not ask `ingest prepare`."""
    name = store._settings.database
    if server == "influx":
        statement = (
            f'ALTER RETENTION POLICY "autogen" ON "{name}" DURATION {days}d SHARD DURATION 7d'
        )
        await store._query("POST", statement)
        return
    influx2: Influx2 = request.getfixturevalue("influx2")
    (bucket,) = influx2.call("GET", f"/api/v2/buckets?name={name}")["buckets"]
    kept = {"everySeconds": days * 86400, "shardGroupDurationSeconds": 7 * 86400}
    rules = [{"type": "expire", **kept}]
    influx2.call("PATCH", f"/api/v2/buckets/{bucket['id']}", retentionRules=rules)


async def test_a_new_store_has_no_short_retention(request: pytest.FixtureRequest) -> None:
    store = InfluxStore(settings_of(request, "influx2"))
    assert await find_short_retention(store, NOW_MS) is None
    await store.close()
