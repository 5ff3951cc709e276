"""The properties of the broker's client that the services need."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

import aiomqtt
import pytest

from jieneng.mqtt import broker, embedded_broker, reason_codes
from jieneng.mqtt.broker import BrokerSettings, client
from jieneng.mqtt.mqtt_client import MqttClient
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto, free_port

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


@asynccontextmanager
async def embedded() -> AsyncIterator[int]:
    port = free_port()
    serving = asyncio.create_task(embedded_broker.run("127.0.0.1", port))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(aiomqtt.MqttError):
                    async with client(BrokerSettings(port=port, protocol="3.1.1"), "first"):
                        break
                await asyncio.sleep(0.01)
        yield port
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1_and_that_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []
    new_client = broker._new_client

    def counted(*args: object) -> MqttClient:
        tried.append(int(args[2]))  # type: ignore[call-overload]  # the version
        return new_client(*args)  # type: ignore[arg-type]  # passed on as they came

    async with embedded() as port:
        monkeypatch.setattr(broker, "_new_client", counted)
        for _ in range(2):
            async with client(BrokerSettings(port=port), "test") as one:
                assert await one.deliver("t", b"x") == 0
        assert tried == [5, 4, 4]
        with pytest.raises(broker.ConnectionRefused, match="this version of MQTT"):
            async with client(BrokerSettings(port=port, protocol="5"), "test"):
                pass


async def test_a_broker_that_waits_for_more_of_a_message_of_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    """amqtt misreads the last will of an agent, and never answers: no demo stored a reading."""
    async with embedded() as port:
        settings = BrokerSettings(port=port, timeout_s=0.5)
        will = aiomqtt.Will("jieneng/1/site/agent/status", b"offline", 1, retain=True)
        async with client(settings, "jieneng-site-agent", will=will) as one:
            assert await one.deliver("t", b"x") == 0


@pytest.mark.parametrize("mosquitto", [("max_packet_size 2048",)], indirect=True)
async def test_a_broker_of_mqtt_5_says_how_much_it_takes(mosquitto: Mosquitto) -> None:
    """To the byte: the largest message passes, one that is larger ends the connection."""
    async with client(BrokerSettings(port=mosquitto.port), "test") as one:
        most = one.max_payload_bytes("a topic")
        await one.subscribe_or_raise("a topic")
        assert await one.deliver("a topic", b"x" * int(most)) == 0
        assert len((await anext(one.messages)).payload) == most
    async with client(BrokerSettings(port=mosquitto.port, protocol="3.1.1"), "test") as old:
        assert old.max_payload_bytes("a topic") == math.inf
    with pytest.raises(aiomqtt.MqttError):
        async with client(BrokerSettings(port=mosquitto.port, timeout_s=0.5), "test") as one:
            await one.deliver("a topic", b"x" * 3000)
    assert one.end_code == reason_codes.TOO_LARGE


async def test_a_broker_of_mqtt_5_says_that_nobody_listens(mosquitto: Mosquitto) -> None:
    """Also of a shared subscription, which counts as a listener."""
    async with client(BrokerSettings(port=mosquitto.port), "test") as one:
        assert await one.deliver("t", b"x") == reason_codes.NO_SUBSCRIBERS
        await one.subscribe_or_raise("$share/group/t")
        assert await one.deliver("t", b"x") == 0


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("mosquitto", [("allow_anonymous false",)], indirect=True)
async def test_a_refusal_is_told_in_plain_words(
    mosquitto: Mosquitto, protocol: Literal["5", "3.1.1"]
) -> None:
    settings = BrokerSettings(port=mosquitto.port, protocol=protocol)
    with pytest.raises(broker.ConnectionRefused, match="not authorised; check username"):
        async with client(settings, "test"):
            pass


async def test_a_broker_that_closes_at_once_is_an_error_at_once() -> None:
    """Nothing answers a connection that is closed: a wait for it would take the time-out."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    settings = BrokerSettings(port=server.sockets[0].getsockname()[1], timeout_s=3600)
    async with server, asyncio.timeout(PATIENCE_S):
        with pytest.raises(aiomqtt.MqttError, match="closes the connection"):
            async with client(settings, "test"):
                pass


@asynccontextmanager
async def scripted(*answers: bytes) -> AsyncIterator[int]:
    """A broker that sends these packets after the first packet that comes, and then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"".join(answers))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


CONNACK, DISCONNECT = b"\x20\x03\x00\x00\x00", b"\xe0\x02\x8e\x00"


async def test_the_reason_with_which_a_connection_ends_is_heard() -> None:
    """As newer brokers than the one of these tests say it."""
    async with scripted(CONNACK, DISCONNECT) as port, asyncio.timeout(PATIENCE_S):
        settings = BrokerSettings(port=port, protocol="5", timeout_s=3600)
        one = broker._new_client(settings, "test", aiomqtt.ProtocolVersion.V5, None)
        with pytest.raises(aiomqtt.MqttError) as error:
            async with one:
                await one.subscribe_or_raise("t")
    assert one.end_code == reason_codes.TAKEN_OVER
    assert "same client id" in broker.loss_text(error.value, one.end_code)


async def test_a_connection_that_is_lost_at_once_ends_what_waits_for_it() -> None:
    """Not after the time-out: an hour here."""
    for _ in range(20):
        async with scripted(CONNACK) as port, asyncio.timeout(PATIENCE_S):
            settings = BrokerSettings(port=port, protocol="5", timeout_s=3600)
            with pytest.raises(aiomqtt.MqttError):
                await subscribe_and_publish(settings)


async def subscribe_and_publish(settings: BrokerSettings) -> None:
    async with client(settings, "test") as one:
        await one.subscribe_or_raise("t")
        await one.deliver("t", b"x")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1])
async def test_messages_of_all_sizes_are_handed_on_whole_and_in_order(
    mosquitto: Mosquitto, protocol: Literal["5", "3.1.1"], qos: int
) -> None:
    """Also those that came before the handler, and those of which one read brings a part."""
    settings = BrokerSettings(port=mosquitto.port, protocol=protocol)
    sent = [bytes([number % 256]) * (number * 37 % 9000) for number in range(500)]
    found: list[tuple[str, bytes]] = []
    async with client(settings, "subscriber") as one, client(settings, "publisher") as other:
        await one.subscribe_or_raise("t/+", qos)
        await other.publish("t/0", sent[0], qos=1)
        while not len(one.messages):  # noqa: ASYNC110 - a queue of aiomqtt, without an event
            await asyncio.sleep(0)
        receiving = asyncio.create_task(one.receive(lambda *message: found.append(message)))
        for number, payload in enumerate(sent[1:], 1):
            await other.publish(f"t/{number}", payload, qos=1)
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < len(sent):  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.01)
        mosquitto.kill()
        with pytest.raises(aiomqtt.MqttError):
            async with asyncio.timeout(PATIENCE_S):
                await receiving
    assert found == [(f"t/{number}", payload) for number, payload in enumerate(sent)]
