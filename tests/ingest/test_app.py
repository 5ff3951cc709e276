"""The whole ingest against a real broker and real stores: nothing lost, nothing counted twice."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import aiohttp
import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from ingest import app, ledger
from ingest.quarantine.quarantine_entry import AgentAccount, EntryFilter, QuarantineItem
from ingest.quarantine.quarantine_file import Quarantine
from ingest.receipts.receipt_file import ReceiptFile
from ingest.receiver import Receiver
from ingest.settings import BatchSettings, IngestSettings, SubscriptionSettings
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import ConfigError
from jieneng.metering.reading import Ack, Batch, Status
from jieneng.metering.schema import Point
from jieneng.mqtt.broker import BrokerSettings
from jieneng.observe import MetricsSettings
from jieneng.site_folder import SiteFolder
from jieneng.storage import Series, Store, StoreSettings, open_store
from jieneng.storage.influx import InfluxStore
from tests.ingest.agent import BOOT, SITE, START, FakeAgent, batch, connected, sample
from tests.patience import PATIENCE_S
from tests.servers import Influx, Mosquitto, free_port

ROOT = Path(__file__).parents[2]

#: On a bus of agent-2.
OTHER_METER = "e-b3"

#: Points that an ingest has written.
LAST = "jieneng_ingest_last_reading_timestamp_seconds"
WRITTEN = 'jieneng_ingest_points_total{outcome="stored"}'


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


@pytest.fixture(params=["sqlite", "sqlite over MQTT 3.1.1", "influx"])
def settings(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> IngestSettings:
    if request.param == "sqlite":
        return settings_for(mosquitto)
    if request.param != "influx":
        old = BrokerSettings(port=mosquitto.port, protocol="3.1.1")
        return msgspec.structs.replace(settings_for(mosquitto), broker=old)
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


async def test_two_batches_of_two_agents_and_media_lie_in_their_own_series(
    folder: SiteFolder, settings: IngestSettings
) -> None:
    ours = batch(1, [sample(1), sample(2, "w-main", "volume_m3")])
    theirs = batch(1, [sample(3, OTHER_METER, "energy_kwh")], agent="agent-2")
    async with (
        running(folder, settings),
        connected(settings.broker.port) as one,
        connected(settings.broker.port, "agent-2") as two,
    ):
        await asyncio.gather(one.resend_until_stored(ours), two.resend_until_stored(theirs))
        async with reading(folder, settings) as store:
            assert await stored(store) == [1, 3]
            assert await stored(store, "water", "volume_m3") == [2]
            assert await stored(store, field="quality") == [1, 3]


async def test_one_unknown_meter_costs_its_neighbours_nothing(
    folder: SiteFolder, settings: IngestSettings
) -> None:
    odd = batch(1, [sample(1), sample(2, "e-nosuch"), sample(3, OTHER_METER), sample(4)])
    async with running(folder, settings), connected(settings.broker.port) as agent:
        await agent.resend_until_stored(odd)
        async with reading(folder, settings) as store:
            assert await stored(store) == [1, 4]
    kept = {one.reason: mqtt_messages.decode_batch(one.payload) for one in quarantined(folder)}
    assert kept == {
        "unknown_meter": batch(1, [sample(2, "e-nosuch")]),
        "other_agent": batch(1, [sample(3, OTHER_METER)]),
    }


async def test_what_the_store_is_away_for_is_not_acknowledged_and_is_there_afterwards(
    folder: SiteFolder, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Stopped longer than the memory of the ingest reaches: 5 points of 40."""
    server = Influx(tmp_path / "influx").start()
    small = BatchSettings(max_points=2, max_delay_s=0.02, max_waiting=5)
    store_settings = StoreSettings(kind="influx", url=server.url)
    settings = settings_for(mosquitto, store=store_settings, batch=small)
    batches = [batch(seq) for seq in range(1, 41)]
    try:
        async with running(folder, settings), connected(mosquitto.port) as agent:
            await agent.resend_until_stored(batches[0])
            server.kill()
            heard = len(agent.acks)
            for _ in range(3):
                for one in batches[1:]:
                    await agent.send(one)
            assert len(agent.acks) == heard
            server.start()
            await agent.resend_until_stored(*batches)
            async with reading(folder, settings) as store:
                assert await stored(store) == list(range(1, 41))
    finally:
        server.stop()


async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    settings = settings_for(mosquitto)
    async with running(folder, settings):
        async with connected(mosquitto.port) as agent:
            await agent.resend_until_stored(batch(1))
            mosquitto.kill()
        mosquitto.start()
        async with connected(mosquitto.port) as agent:
            await agent.resend_until_stored(batch(1), batch(2))
        async with reading(folder, settings) as store:
            assert await stored(store) == [1, 2]


class NeverAcknowledges(Receiver):
    """An ingest that is killed between write and acknowledgement."""

    async def acknowledge(self, agent: str, ack: Ack) -> None:
        raise asyncio.CancelledError


async def test_killed_between_write_and_acknowledgement_leaves_one_point(
    folder: SiteFolder, settings: IngestSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(settings.broker.port) as agent, reading(folder, settings) as store:
        with monkeypatch.context() as patched:
            patched.setattr(app, "Receiver", NeverAcknowledges)
            async with running(folder, settings):
                while await stored(store) != [1]:
                    await agent.send(batch(1))
        assert agent.acks == []
        async with running(folder, settings):
            await agent.resend_until_stored(batch(1), batch(2))
        assert await stored(store) == [1, 2]


COPY = """
import asyncio, sys
from pathlib import Path
import msgspec
from ingest import app
from ingest.settings import IngestSettings
from jieneng.clock import SystemClock
from jieneng.site_folder import load

folder = msgspec.structs.replace(load(Path(sys.argv[1])), path=Path(sys.argv[2]))
settings = msgspec.json.decode(sys.argv[3], type=IngestSettings)
asyncio.run(app.run(folder, settings, SystemClock()))
"""


@asynccontextmanager
async def copy(
    folder: SiteFolder, settings: IngestSettings
) -> AsyncIterator[asyncio.subprocess.Process]:
    """An ingest in a process of its own, so that it can be killed."""
    site = ROOT / "jieneng" / "sites" / "example"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COPY, str(site), str(folder.path)),
        msgspec.json.encode(settings).decode(),
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def heard_any_of(agent: FakeAgent, batches: Sequence[Batch]) -> bool:
    return not agent.stored.isdisjoint(one.seq for one in batches)


async def test_an_ingest_killed_at_any_moment_loses_and_doubles_nothing(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    settings = settings_for(mosquitto)
    batches = [batch(seq) for seq in range(1, 301)]
    async with connected(mosquitto.port) as agent:
        for part in (batches[:100], batches[100:200], batches[200:]):
            async with copy(folder, settings) as process:
                sending = asyncio.create_task(agent.resend_until_stored(*part))
                await agent.until(partial(heard_any_of, agent, part))
                process.kill()
                await process.wait()
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending
        async with copy(folder, settings):
            await agent.resend_until_stored(*batches)
    async with reading(folder, settings) as store:
        assert await stored(store) == list(range(1, 301))


async def test_two_copies_share_the_work_and_the_survivor_does_all_of_it(
    folder: SiteFolder, mosquitto: Mosquitto, influx: Influx
) -> None:
    store_settings = StoreSettings(kind="influx", url=influx.url, database=f"t{uuid4().hex}")
    one, two = (
        settings_for(mosquitto, store=store_settings, metrics=MetricsSettings(port=free_port()))
        for _ in range(2)
    )
    async with connected(mosquitto.port) as agent, copy(folder, one) as first:
        await until_up(one)
        async with copy(folder, two):
            await until_up(two)
            await agent.resend_until_stored(*(batch(seq) for seq in range(1, 101)))
            counts = [await metric(one, WRITTEN), await metric(two, WRITTEN)]
            assert min(counts) > 0
            newest = [await metric(copy_, f"{LAST}{{meter") for copy_ in (one, two)]
            assert max(newest) == START / 1000 + 100, "each copy tells of what it stored itself"
            first.kill()
            await first.wait()
            await agent.resend_until_stored(*(batch(seq) for seq in range(101, 151)))
    async with reading(folder, one) as store:
        assert await stored(store) == list(range(1, 151))


async def test_a_broker_without_shared_subscriptions_is_served_plainly(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    settings = settings_for(mosquitto, subscription=SubscriptionSettings(share=False))
    async with running(folder, settings), connected(mosquitto.port) as agent:
        await agent.resend_until_stored(batch(1))


HOSTILE = {
    "empty": b"",
    "random": bytes(range(256)) * 10,
    "deep": b"[" * 500_000,
    "deep inside": b'{"v":1,"agent":5,"x":' + b"[" * 500_000,
    "huge": b'{"v":1,"boot":"6f1c2a9e","seq":7001,"samples":"' + b"x" * 5_000_000 + b'"}',
    "huge number": b'{"v":1,"agent":"agent-1","boot":"6f1c2a9e","seq":1' + b"0" * 4000 + b"}",
    "other version": b'{"v":2,"boot":"6f1c2a9e","seq":7002,"readings":{}}',
    "other form": b'{"v":1,"agent":"agent-1","boot":"6f1c2a9e","seq":7003}',
    "no samples": mqtt_messages.encode_batch(Batch("agent-1", BOOT, 7004, ())),
    "other agent": mqtt_messages.encode_batch(batch(7005, agent="agent-2")),
    "unknown meter": mqtt_messages.encode_batch(batch(7006, [sample(1, "e-nosuch")])),
    "other medium": mqtt_messages.encode_batch(batch(7007, [sample(1, "e-main", "volume_m3")])),
    "wide quality": mqtt_messages.encode_batch(batch(7008)).replace(
        b",0,0,[", b",0,1" + b"0" * 400 + b",["
    ),
    "json but not ours": b'["v", 1]',
    "null": b"null",
}


async def test_hostile_payloads_end_in_quarantine_and_the_ingest_goes_on(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    settings = settings_for(mosquitto, metrics=MetricsSettings(port=free_port()))
    async with running(folder, settings), connected(mosquitto.port) as agent:
        await until_up(settings)
        for payload in HOSTILE.values():
            await agent.publish("batch", payload)
            await agent.publish("status", payload)
            # A topic of the ingest, but of no agent of this test.
            await agent.client.publish(mqtt_messages.topic(SITE, "agent-2", "ack"), payload, qos=1)
        for name in ("nosuch-agent", "$x", "中文", "x" * 1000):
            topic = mqtt_messages.topic(SITE, name, "batch")
            await agent.client.publish(topic, mqtt_messages.encode_batch(batch(1)), qos=1)
        await agent.resend_until_stored(batch(1), batch(2))
        await agent.until(lambda: agent.quarantined.keys() >= set(range(7002, 7009)))
        assert agent.stored == {1, 2}
        assert agent.quarantined == {
            7002: "version",
            7003: "form",
            7004: "empty",
            7005: "other_agent",
            7006: "unknown_meter",
            7007: "quantity",
            7008: "form",
        }
        # 7001 is too large to be kept, so it is not acknowledged.
        counts = Counter(one.reason for one in quarantined(folder))
        assert counts["unknown_agent"] == 4
        assert sum(counts.values()) == 2 * len(HOSTILE) + 4 - 1  # an empty status is no mistake
        assert set(counts) == {
            *("too_large", "not_json", "version", "form", "empty"),
            *("other_agent", "unknown_meter", "quantity", "unknown_agent"),
        }
        async with reading(folder, settings) as store:
            assert await stored(store) == [1, 2]
        assert "jieneng_ingest_set_aside_total" in await metrics_of(settings)


async def test_the_books_of_the_agents_are_kept(folder: SiteFolder, mosquitto: Mosquitto) -> None:
    settings = settings_for(mosquitto, metrics=MetricsSettings(port=free_port()))
    said = Status(
        agent="agent-1", boot=BOOT, online=True, time_ms=START, read=10, stored=6, pending=3
    )
    said = msgspec.structs.replace(said, unacknowledged_s=75.5)
    async with running(folder, settings), connected(mosquitto.port) as agent:
        await until_up(settings)
        await agent.publish_status(said)
        await agent.publish_status(msgspec.structs.replace(said, time_ms=START + 1000, dropped=1))
        await agent.publish_status(msgspec.structs.replace(said, online=False))  # its last will
        await until(settings, WRITTEN, 6)
        async with reading(folder, settings) as store:
            end_ms = SystemClock().now_ms() + 1
            (account,) = await ledger.latest_ledgers(store, SITE, start_ms=0, end_ms=end_ms)
    assert (account.agent, account.time_ms, account.is_balanced) == ("agent-1", START + 1000, True)
    assert (account.read, account.stored, account.pending, account.dropped) == (10, 6, 3, 1)
    assert account.online is False
    assert account.unacknowledged_s == 75.5
    assert not msgspec.structs.replace(account, dropped=0).is_balanced
    assert ReceiptFile(folder.path / "quarantine").sequences() == []


async def test_what_an_ingest_holds_of_an_agent_is_a_series(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    settings = settings_for(mosquitto)
    odd = batch(3, [sample(3, "e-nosuch"), sample(4)])
    async with running(folder, settings), connected(mosquitto.port) as agent:
        await agent.resend_until_stored(batch(1), odd)
        machine = ReceiptFile(folder.path / "quarantine").machine()
        async with reading(folder, settings) as store:
            now_ms = SystemClock().now_ms()
            span = (now_ms - 10**6, now_ms + 10**6)
            found = await series_of(store, "receipt", "missing", span)
            (series,) = found
            assert dict(series.tags) == {"site": SITE, "agent": "agent-1", "machine": machine}
            assert series.values[-1] == 1
            other = await ledger._set_aside(store, SITE, span, "", {})
            assert other == {"agent-1": AgentAccount(held=1)}


async def test_a_secret_that_can_t_be_read_ends_the_ingest_with_its_mend(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    store = StoreSettings(kind="influx", username="u", password_file="/no/such")  # noqa: S106 - a path
    with pytest.raises(ConfigError, match="/no/such"):
        await app.run(folder, settings_for(mosquitto, store=store), SystemClock())


# --- what the tests above look with ---------------------------------------------------------------


def quarantined(folder: SiteFolder) -> list[QuarantineItem]:
    kept = Quarantine(folder.path / "quarantine")
    try:
        return [entry.item for entry in kept.entries(EntryFilter())]
    finally:
        kept.close()


async def metrics_of(settings: IngestSettings) -> str:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{settings.metrics.port}/metrics"
        async with session.get(url) as response:
            return await response.text()


async def metric(settings: IngestSettings, name: str) -> float:
    for line in (await metrics_of(settings)).splitlines():
        if line.startswith(name):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


async def until(settings: IngestSettings, name: str, value: float) -> None:
    """Return when a metric of that ingest has got so far."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(aiohttp.ClientError):
                if await metric(settings, name) >= value:
                    return
            await asyncio.sleep(0.02)


async def series_of(
    store: Store, measurement: str, field: str, span: tuple[int, int]
) -> list[Series]:
    """Return the series of a field, once there is one."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await store.read(measurement, field, where={}, start_ms=span[0], end_ms=span[1])
            if found:
                return found
            await asyncio.sleep(0.05)


async def until_up(settings: IngestSettings) -> None:
    """Return when that ingest has subscribed."""
    await until(settings, "jieneng_ingest_broker_up", 1)


@pytest.mark.parametrize(("days", "lines"), [(0, 0), (30, 1)])
async def test_a_retention_that_deletes_readings_is_logged_once(
    days: int, lines: int, influx: Influx
) -> None:
    name = f"t{uuid4().hex}"
    store = InfluxStore(StoreSettings(kind="influx", url=influx.url, database=name))
    await store.prepare()
    await store.write([Point.of("water", (("meter", "m"),), (("volume_m3", 1.0),), 10**12)])
    if days:
        kept = f"DURATION {days}d SHARD DURATION 1d"
        await store._query("POST", f'ALTER RETENTION POLICY "autogen" ON "{name}" {kept}')
    with capture_logs() as logs:
        await app._check_retention(store, SystemClock(), structlog.get_logger())
    await store.close()
    assert [one.get("retention_days") for one in logs] == [days] * lines
