"""The client of the broker does what the services rely on."""

import asyncio
import socket

import aiomqtt
import pytest

from jieneng.broker import BrokerSettings, client
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto

pytestmark = pytest.mark.server


async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten(
    mosquitto: Mosquitto,
) -> None:
    """Cancelled in the same turn of the loop in which the acknowledgement is read."""
    async with client(BrokerSettings(port=mosquitto.port), "test") as one:

        async def publish_for_ever() -> None:
            while True:
                await one.publish("t", b"x", qos=1)

        for _ in range(20):
            task = asyncio.create_task(publish_for_ever())
            while not one._pending_publishes:  # noqa: ASYNC110 - a dict of aiomqtt, without an event
                await asyncio.sleep(0)
            (answered,) = one._pending_publishes.values()
            await answered.wait()
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
            assert done, "the cancellation was forgotten"


async def test_a_broker_that_does_not_answer_is_an_error() -> None:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = BrokerSettings(port=mute.getsockname()[1], timeout_s=0.2)
        with pytest.raises(aiomqtt.MqttError, match="does not answer"):
            async with client(settings, "test"):
                pass
