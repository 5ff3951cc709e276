"""A broker that takes small messages only: batches are cut, and all are stored."""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import PublishSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, Sample
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import (
    AGENT,
    SITE,
    Dtsd1352,
    Ingest,
    agent,
    bus,
    folder,
    gateway,
    health,
    meter,
    running,
    settings,
    until,
)
from tests.servers import Mosquitto

OLD, NEW = "aaaaaaaa", "bbbbbbbb"
LIMIT = 2048
PACKETS = (f"max_packet_size {LIMIT}",)
Version = Literal["5", "3.1.1"]
versions = pytest.mark.parametrize("version", ["5", "3.1.1"])


def row(seq: int, samples: int, name: str = "e") -> QueuedBatch:
    found = tuple(
        Sample(f"{name}-{one}", 1_795_000_000_000 + 1000 * seq + one, 0, ("energy_kwh",), (1.5,))
        for one in range(samples)
    )
    payload = mqtt_messages.encode_batch(Batch(AGENT, OLD, seq, found))
    return QueuedBatch(OLD, seq, samples, payload)


def publisher(
    spool: Spool, port: int, version: Version, boot: str = NEW, **publish: float
) -> Publisher:
    given: dict[str, Any] = {"ack_timeout_s": 0.2, "status_interval_s": 0.05, **publish}
    how = PublishSettings(**given)
    return Publisher(
        spool,
        site=SITE,
        agent=AGENT,
        boot=boot,
        broker_settings=BrokerSettings(port=port, protocol=version, timeout_s=2.0),
        settings=how,
        limit=MessageLimit(how.max_message_bytes),
        take_number=partial(next, itertools.count(1)),
        clock=SystemClock(),
        log=observe.log("test"),
        health=health(),
    )


def said(logs: Sequence[Mapping[str, Any]], event: str) -> list[str]:
    """Return the reasons that were logged with an event."""
    return [one["reason"] for one in logs if event in one["event"] and "reason" in one]


@versions
@pytest.mark.parametrize("mosquitto", [PACKETS], indirect=True)
async def test_forty_meters_behind_a_broker_of_small_packets_are_all_stored(
    mosquitto: Mosquitto, tmp_path: Path, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MQTT 5 the broker says its limit; with 3.1.1 it only breaks the connection."""
    monkeypatch.setattr("edge_agent.publishing.publisher._RECONNECT_S", 0.05)
    ingest = Ingest(mosquitto.port)
    sources = [Dtsd1352(unit) for unit in range(1, 41)]
    how = settings(mosquitto.port, broker=BrokerSettings(port=mosquitto.port, protocol=version))
    async with gateway(*sources) as port, running(ingest.run()):
        where = folder(
            tmp_path,
            bus("b", port),
            meters=[meter(f"e-{one.unit}", "b", one.unit, interval_s=1.0) for one in sources],
        )
        with capture_logs() as logs:
            async with running(agent(where, how)):
                for one in sources:
                    await until(partial(ingest.has, f"e-{one.unit}", 3))
                await until(lambda: ingest.status and ingest.status.stored > 120)
    assert max(map(len, map(mqtt_messages.encode_batch, ingest.batches.values()))) < LIMIT
    if version == "5":
        assert not [one for one in logs if "can't be reached" in one["event"]]


@versions
@pytest.mark.parametrize("mosquitto", [PACKETS], indirect=True)
async def test_batches_that_were_too_large_before_are_cut_in_the_spool(
    mosquitto: Mosquitto, tmp_path: Path, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one sample that is too large alone holds nothing up, stays, and is said."""
    monkeypatch.setattr("edge_agent.publishing.publisher._RECONNECT_S", 0.05)
    ingest = Ingest(mosquitto.port)
    spool = Spool(tmp_path / "s", 10**7, observe.log("test"))
    large = row(1, 1, name="x" * 3000)
    await spool.put([large, *(row(seq, 500) for seq in range(2, 12))])
    one = publisher(spool, mosquitto.port, version)
    with capture_logs() as logs:
        async with running(ingest.run()), running(one.run()):
            await until(lambda: spool.counts.pending == 1 and said(logs, "can't be cut"))
    assert len({(one.meter, one.time_ms) for one in ingest.samples}) == 5000
    assert spool.counts.stored == 5000
    assert not (await spool.ends(10)).oldest
    (alone,) = said(logs, "can't be cut")
    (cut,) = said(logs, "larger than the broker accepts, and are cut")
    assert alone.startswith(f"{len(large.payload)} bytes, and the broker accepts at most ")
    if version == "5":
        most = LIMIT - 10 - len(mqtt_messages.topic(SITE, AGENT, "batch"))
        assert cut.endswith(f" bytes, and it takes at most {most}")
    await spool.close()


async def test_a_limit_that_is_set_is_kept(mosquitto: Mosquitto, tmp_path: Path) -> None:
    ingest = Ingest(mosquitto.port)
    spool = Spool(tmp_path / "s", 10**7, observe.log("test"))
    await spool.put([row(seq, 500) for seq in range(1, 4)])
    one = publisher(spool, mosquitto.port, "5", max_message_bytes=1000)
    async with running(ingest.run()), running(one.run()):
        await until(lambda: spool.counts.pending == 0)
    sizes = list(map(len, map(mqtt_messages.encode_batch, ingest.batches.values())))
    assert max(sizes) <= 1000
    assert len(ingest.samples) == 1500
    await spool.close()
