"""The whole ingest against a real broker and real stores: nothing lost, nothing counted twice."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from ingest import app, ledger
from ingest.config import BatchSettings, IngestSettings, SubscriptionSettings
from ingest.quarantine import Quarantine
from jieneng.broker import BrokerSettings
from jieneng.clock import SystemClock
from jieneng.metering.reading import Status
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, StoreSettings, open_store
from tests.ingest.agent import BOOT, SITE, START, batch, connected, sample
from tests.servers import Influx, Mosquitto

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    return msgspec.structs.replace(example, path=tmp_path)


def settings_for(broker: Mosquitto, **chosen: object) -> IngestSettings:
    quick = BatchSettings(max_delay_s=0.05)
    base = IngestSettings(broker=BrokerSettings(port=broker.port), batch=quick)
    return msgspec.structs.replace(base, **chosen)


@asynccontextmanager
async def running(folder: SiteFolder, settings: IngestSettings) -> AsyncIterator[None]:
    task = asyncio.create_task(app.run(folder, settings, SystemClock()))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def reading(folder: SiteFolder, settings: IngestSettings) -> AsyncIterator[Store]:
    store = open_store(settings.store, folder.path)
    try:
        yield store
    finally:
        await store.close()


async def stored(store: Store, medium: str = "electricity", field: str = "energy_kwh") -> list[int]:
    """Numbers of the samples in the store, each as often as it stands there."""
    found = await store.read(medium, field, where={}, start_ms=START, end_ms=START + 10**9)
    return sorted((int(t) - START) // 1000 for series in found for t in series.times_ms)


@pytest.fixture(params=["sqlite", "influx"])
def settings(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> IngestSettings:
    if request.param == "sqlite":
        return settings_for(mosquitto)
    server: Influx = request.getfixturevalue("influx")
    store = StoreSettings(kind="influx", url=server.url, database=f"t{uuid4().hex}")
    return settings_for(mosquitto, store=store)


async def test_batches_are_stored_and_then_acknowledged_in_ranges(
    folder: SiteFolder, settings: IngestSettings
) -> None:
    async with running(folder, settings), connected(settings.broker.port) as agent:
        await agent.resend_until_stored(*(batch(seq) for seq in range(1, 51)))
        assert {ack.boot for ack in agent.acks} == {BOOT}
        async with reading(folder, settings) as store:
            assert await stored(store) == list(range(1, 51))
