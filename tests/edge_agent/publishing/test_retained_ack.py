"""A retained acknowledgement comes at each new connection, and removes nothing from the spool."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import AGENT, SITE, running, until
from tests.edge_agent.publishing.test_small_packets import (
    OLD,
    Version,
    publisher,
    row,
    said,
    versions,
)
from tests.servers import Mosquitto

pytestmark = pytest.mark.server


@versions
async def test_a_retained_acknowledgement_is_not_believed(
    mosquitto: Mosquitto, tmp_path: Path, version: Version
) -> None:
    topic = mqtt_messages.topic(SITE, AGENT, "ack")
    payload = mqtt_messages.encode_ack(Ack(OLD, stored=((1, 9),)))
    spool = Spool(tmp_path / "s", 10**6, observe.log("test"))
    await spool.put([row(1, samples=3)])
    one = publisher(spool, mosquitto.port, version)
    with capture_logs() as logs:
        async with broker.client(BrokerSettings(port=mosquitto.port), "somebody") as client:
            await client.publish(topic, payload, qos=1, retain=True)
            async with running(one.run()):
                await until(lambda: one.counts.published >= 3)
                assert said(logs, "acknowledgements can't be understood") == ["a retained message"]
                assert spool.counts.pending == 3
                await client.publish(topic, payload, qos=1)
                await until(lambda: not spool.counts.pending)
    await spool.close()
