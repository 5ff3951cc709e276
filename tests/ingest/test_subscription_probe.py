"""An ingest to which the broker passes no messages reports this, with possible causes."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from ingest import app
from ingest.quarantine.quarantine_file import Quarantine
from ingest.settings import BatchSettings, IngestSettings, SubscriptionSettings
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.mqtt import broker, embedded_broker
from jieneng.mqtt.broker import BrokerSettings
from jieneng.mqtt.mqtt_client import MqttClient
from jieneng.observe import MetricsSettings
from jieneng.site_folder import SiteFolder
from tests.edge_agent.agent_setup import until
from tests.ingest.agent import SITE, batch, connected
from tests.servers import Mosquitto, free_port

EVENT = "the broker passes no messages to the shared subscription"
PROBE = mqtt_messages.topic(SITE, "~ingest", "batch")
ANSWER = mqtt_messages.topic(SITE, "~ingest", "ack")
Logs = list[MutableMapping[str, Any]]

pytestmark = pytest.mark.server


def settings(port: int, protocol: Literal["auto", "5", "3.1.1"] = "auto") -> IngestSettings:
    return IngestSettings(
        broker=BrokerSettings(port=port, protocol=protocol),
        batch=BatchSettings(max_delay_s=0.05),
        subscription=SubscriptionSettings(probe_interval_s=0.2),
        metrics=MetricsSettings(port=free_port()),
    )


@pytest.fixture
def folder(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    return msgspec.structs.replace(example, path=tmp_path)


@asynccontextmanager
async def running(coroutine: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def ingest(folder: SiteFolder, how: IngestSettings) -> Any:
    return app.run(folder, how, SystemClock())


async def asked(how: IngestSettings, what: str) -> str:
    url = f"http://127.0.0.1:{how.metrics.port}/{what}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


def of(logs: Logs, event: str) -> list[str]:
    return [str(one.get("reason", "")) for one in logs if one["event"] == event]


@asynccontextmanager
async def probes(port: int) -> AsyncIterator[list[str]]:
    """Count probes and answers, by topic."""
    seen: list[str] = []

    async def listen() -> None:
        async with broker.client(BrokerSettings(port=port), "witness") as client:
            await client.subscribe_or_raise(f"jieneng/1/{SITE}/~ingest/+")
            seen.append("listens")
            messages = aiter(client.messages)
            while True:
                seen.append((await anext(messages)).topic.value)

    async with running(listen()):
        await until(lambda: seen)
        yield seen


async def test_a_broker_without_shared_subscriptions_is_found_out(folder: SiteFolder) -> None:
    port = free_port()
    how = settings(port)
    with capture_logs() as logs:
        async with running(embedded_broker.run("127.0.0.1", port)), running(ingest(folder, how)):
            await until(lambda: of(logs, EVENT))
            health = await asked(how, "health")
            assert "jieneng_ingest_subscription_up 0.0" in await asked(how, "metrics")
    (reason,) = of(logs, EVENT)
    assert "does not support shared subscriptions (set share = false)" in reason
    assert '"ok": false' in health
    assert EVENT in health


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    "mosquitto", [("topic read #", "topic write jieneng/1/+/+/ack")], indirect=True
)
async def test_access_rules_that_let_nothing_pass_are_found_out(
    folder: SiteFolder, mosquitto: Mosquitto, protocol: Literal["5", "3.1.1"]
) -> None:
    how = settings(mosquitto.port, protocol)
    with capture_logs() as logs:
        async with running(ingest(folder, how)):
            await until(lambda: of(logs, EVENT))
    (reason,) = of(logs, EVENT)
    assert ("not authorised" if protocol == "5" else "access rules do not let") in reason


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_two_idle_copies_hear_their_probes_and_say_nothing(
    folder: SiteFolder, mosquitto: Mosquitto, protocol: Literal["5", "3.1.1"]
) -> None:
    """Each probe goes to one copy only, which may be the other one."""
    one, two = settings(mosquitto.port, protocol), settings(mosquitto.port, protocol)
    with capture_logs() as logs:
        async with (
            probes(mosquitto.port) as seen,
            running(ingest(folder, one)),
            running(ingest(folder, two)),
        ):
            await until(lambda: seen.count(ANSWER) >= 10)
            assert "jieneng_ingest_subscription_up 1.0" in await asked(one, "metrics")
            assert await asked(two, "health") == '{"ok": true}'
    assert of(logs, EVENT) == []
    assert Quarantine(folder.path / "quarantine").last_id() == 0


@pytest.mark.parametrize(
    "mosquitto",
    [
        (
            "topic read #",
            f"topic write jieneng/1/{SITE}/agent-1/batch",
            "topic write jieneng/1/+/+/ack",
        )
    ],
    indirect=True,
)
async def test_rules_that_refuse_probes_alone_are_no_fault_once_a_batch_came(
    folder: SiteFolder, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access rules that are older than the probes refuse only these."""
    how = settings(mosquitto.port)
    over = f"{EVENT}: over"
    asked_for: list[str] = []
    deliver = MqttClient.deliver

    async def counted(client: MqttClient, topic: str, payload: bytes) -> int:
        asked_for.append(topic)
        return await deliver(client, topic, payload)

    monkeypatch.setattr(MqttClient, "deliver", counted)
    with capture_logs() as logs:
        async with running(ingest(folder, how)), connected(mosquitto.port) as agent:
            await until(lambda: of(logs, EVENT))
            await agent.resend_until_stored(batch(1))
            await until(lambda: of(logs, over))
            before = len(asked_for)
            await until(lambda: len(asked_for) > before + 3)  # each after a silence
    assert len(of(logs, EVENT)) == 1


async def test_a_probe_of_anybody_stores_nothing_and_a_large_one_is_not_answered(
    folder: SiteFolder, mosquitto: Mosquitto
) -> None:
    how = settings(mosquitto.port)
    async with (
        probes(mosquitto.port) as seen,
        running(ingest(folder, how)),
        connected(mosquitto.port) as agent,
    ):
        await until(lambda: ANSWER in seen)
        for payload in (b"", b"\xff" * 100, b"x" * 10**6):
            await agent.client.publish(PROBE, payload, qos=1)
        await agent.resend_until_stored(batch(1))
        assert await asked(how, "health") == '{"ok": true}'
    assert Quarantine(folder.path / "quarantine").last_id() == 0
