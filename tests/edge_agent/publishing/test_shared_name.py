"""Two copies of one agent on one broker: they disconnect each other, and both say why."""

import time
from pathlib import Path

import aiomqtt
import pytest
from structlog.testing import capture_logs

from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Status
from jieneng.mqtt import broker, reason_codes
from jieneng.mqtt.broker import BrokerSettings
from jieneng.mqtt.broker_faults import UNSHARED_S, BrokerFaults
from tests.edge_agent.agent_setup import AGENT, SITE, Ingest, running, until
from tests.edge_agent.publishing.test_small_packets import NEW, OLD, Version, publisher, versions
from tests.servers import Mosquitto

NAME = f"jieneng-{SITE}-{AGENT}"
EVENT = f"another client uses the name {NAME}"
STATUS = mqtt_messages.topic(SITE, AGENT, "status")


@versions
async def test_two_copies_say_it_once_and_try_on_slowly(
    mosquitto: Mosquitto, tmp_path: Path, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mosquitto does not tell why it ends the connection: the status of the other one is found."""
    monkeypatch.setattr("edge_agent.publishing.publisher._RECONNECT_S", 0.02)
    monkeypatch.setattr("edge_agent.publishing.publisher._RECONNECT_MAX_S", 0.3)
    spools = [Spool(tmp_path / name, 10**6, observe.log("test")) for name in "ab"]
    one, two = (
        publisher(spool, mosquitto.port, version, boot)
        for spool, boot in zip(spools, (OLD, NEW), strict=True)
    )
    with capture_logs() as logs:
        async with running(one.run()), running(two.run()):
            await until(lambda: len([log for log in logs if log["event"] == EVENT]) == 2)
            await until(lambda: one.counts.connected)
            await until(lambda: two.counts.connected)
            await until(lambda: one.counts.connected)
            said = [fault for copy in (one, two) for fault in copy.faults() if NAME in fault]
            assert len(said) == 2
            await until(lambda: one._failures >= 6)
            await until(lambda: two._failures >= 6)
    assert len([log for log in logs if log["event"] == EVENT]) == 2
    assert len([log for log in logs if log["event"] == "broker can't be reached"]) <= 2
    for spool in spools:
        await spool.close()


async def test_a_status_of_an_earlier_run_accuses_nobody(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that was killed comes back with what it had saved, half an hour ago."""
    monkeypatch.setattr("edge_agent.publishing.publisher._RECONNECT_S", 0.02)
    before_ms = time.time_ns() // 1_000_000 - 60_000
    earlier = mqtt_messages.encode_status(
        Status(agent=AGENT, boot=OLD, online=True, time_ms=before_ms)
    )
    spool = Spool(tmp_path / "s", 10**6, observe.log("test"))
    one = publisher(spool, mosquitto.port, "3.1.1")
    ingest = Ingest(mosquitto.port)
    with capture_logs() as logs:
        async with running(ingest.run()), running(one.run()):
            for _ in range(2):
                await until(lambda: ingest.status and ingest.status.boot == NEW)
                mosquitto.kill()
                await until(lambda: not one.counts.connected)
                one._broker_settings = BrokerSettings(port=9)  # away until it has its old state
                mosquitto.start()
                async with broker.client(BrokerSettings(port=mosquitto.port), "x") as client:
                    await client.publish(STATUS, earlier, qos=1, retain=True)
                await until(lambda: ingest.status and ingest.status.boot == OLD)
                one._broker_settings = BrokerSettings(port=mosquitto.port, protocol="3.1.1")
            await until(lambda: ingest.status and ingest.status.boot == NEW)
    assert not [log for log in logs if log["event"] == EVENT]
    await spool.close()


def test_a_name_counts_as_taken_until_a_connection_has_lasted() -> None:
    with capture_logs() as logs:
        faults = BrokerFaults(observe.log("test"), "host", "a name")
        faults.report(aiomqtt.MqttError("gone"), reason_codes.TAKEN_OVER, was_connected=True)
        faults.clear(UNSHARED_S - 1)
        faults.report(aiomqtt.MqttError("gone"), None, was_connected=True)
        assert [one["event"] for one in logs] == ["another client uses the name a name"]
        (text,) = faults.texts()
        assert "disconnect each other" in text
        faults.report(aiomqtt.MqttError("refused"), None, was_connected=False)
        assert len(faults.texts()) == 2
        faults.clear(UNSHARED_S)
        assert faults.texts() == []
