"""The deployed broker, on a real mosquitto: an agent can't act as another one."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import pytest

from jieneng.metering.mqtt_messages import topic
from tests.conftest import ROOT
from tests.servers import Server, free_port, need

BROKER = ROOT / "deploy" / "broker"
SITE, OTHER_SITE = "huaian-centre", "other-centre"
LOGINS = {
    "ingest": "three",
    f"{SITE}/agent-1": "one",
    f"{SITE}/agent-2": "two",
    f"{OTHER_SITE}/agent-1": "four",
}


class DeployedBroker(Server):
    """mosquitto with the files of `deploy/broker`, but for the paths of the container."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        passwords = folder / "passwords"
        passwords.touch()
        for login, password in LOGINS.items():
            command = [need("mosquitto_passwd"), "-b", str(passwords), login, password]
            subprocess.run(command, check=True, capture_output=True)
        text = (BROKER / "mosquitto.conf").read_text()
        for deployed, here in {
            "listener 1883": f"listener {self.port} 127.0.0.1",
            "/run/secrets/mosquitto_passwd": str(passwords),
            "/mosquitto/config/acl": str(BROKER / "acl"),
            "/mosquitto/data/": f"{folder}/",
        }.items():
            assert deployed in text
            text = text.replace(deployed, here)
        config = folder / "mosquitto.conf"
        config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        super().__init__(
            [need("mosquitto"), "-c", str(config)], self._listens, folder / "mosquitto.log"
        )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def login(self, name: str | None, password: str | None = None) -> aiomqtt.Client:
        secret = LOGINS.get(name or "") if password is None else password
        return aiomqtt.Client("127.0.0.1", self.port, username=name, password=secret)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedBroker]:
    server = DeployedBroker(tmp_path_factory.mktemp("broker"))
    server.start()
    yield server
    server.stop()


async def next_message(client: aiomqtt.Client) -> tuple[str, bytes]:
    message = await anext(aiter(client.messages))
    assert isinstance(message.payload, bytes)
    return str(message.topic), message.payload


async def test_an_agent_is_heard_and_answered(broker: DeployedBroker) -> None:
    async with broker.login("ingest") as ingest, broker.login(f"{SITE}/agent-1") as agent:
        await ingest.subscribe(f"$share/ingest/{topic('+', '+', 'batch')}", qos=1)
        await ingest.subscribe(topic("+", "+", "status"), qos=1)
        await agent.subscribe(topic(SITE, "agent-1", "ack"), qos=1)
        await agent.publish(topic(SITE, "agent-1", "batch"), b"batch", qos=1)
        assert await next_message(ingest) == (topic(SITE, "agent-1", "batch"), b"batch")
        await agent.publish(topic(SITE, "agent-1", "status"), b"status", qos=1)
        assert await next_message(ingest) == (topic(SITE, "agent-1", "status"), b"status")
        await ingest.publish(topic(SITE, "agent-1", "ack"), b"ack", qos=1)
        assert await next_message(agent) == (topic(SITE, "agent-1", "ack"), b"ack")


async def test_an_agent_cannot_publish_as_another(broker: DeployedBroker) -> None:
    """Its messages in others' names do not arrive; its own last message does."""
    async with broker.login("ingest") as ingest, broker.login(f"{SITE}/agent-1") as agent:
        await ingest.subscribe(topic("+", "+", "batch"), qos=1)
        await ingest.subscribe(topic("+", "+", "status"), qos=1)
        for forged in (
            topic(SITE, "agent-2", "batch"),
            topic(SITE, "agent-2", "status"),
            topic(OTHER_SITE, "agent-1", "batch"),
            topic(SITE, "agent-1", "batch") + "/more",
        ):
            await agent.publish(forged, b"forged", qos=1)
        await agent.publish(topic(SITE, "agent-1", "batch"), b"own", qos=1)
        assert await next_message(ingest) == (topic(SITE, "agent-1", "batch"), b"own")


async def test_an_agent_cannot_acknowledge(broker: DeployedBroker) -> None:
    """Only the ingest can make an agent delete its readings."""
    async with (
        broker.login("ingest") as ingest,
        broker.login(f"{SITE}/agent-1") as victim,
        broker.login(f"{SITE}/agent-2") as attacker,
    ):
        await victim.subscribe(topic(SITE, "agent-1", "ack"), qos=1)
        await attacker.publish(topic(SITE, "agent-1", "ack"), b"forged", qos=1)
        await ingest.publish(topic(SITE, "agent-1", "ack"), b"true", qos=1)
        assert await next_message(victim) == (topic(SITE, "agent-1", "ack"), b"true")


async def test_an_agent_cannot_read_others(broker: DeployedBroker) -> None:
    """Whatever it subscribes to, it receives only its own acknowledgements."""
    async with AsyncExitStack() as stack:
        ingest = await stack.enter_async_context(broker.login("ingest"))
        neighbour = await stack.enter_async_context(broker.login(f"{SITE}/agent-1"))
        listener = await stack.enter_async_context(broker.login(f"{SITE}/agent-2"))
        for wide in ("#", topic("+", "+", "ack"), topic(SITE, "agent-1", "ack")):
            await listener.subscribe(wide, qos=1)
        await neighbour.publish(topic(SITE, "agent-1", "batch"), b"private", qos=1)
        await ingest.publish(topic(SITE, "agent-1", "ack"), b"private", qos=1)
        await ingest.publish(topic(OTHER_SITE, "agent-2", "ack"), b"private", qos=1)
        await ingest.publish(topic(SITE, "agent-2", "ack"), b"own", qos=1)
        assert await next_message(listener) == (topic(SITE, "agent-2", "ack"), b"own")


async def test_two_copies_of_the_ingest_share_the_work(broker: DeployedBroker) -> None:
    async with (
        broker.login("ingest") as one,
        broker.login("ingest") as two,
        broker.login(f"{SITE}/agent-1") as agent,
    ):
        for copy in (one, two):
            await copy.subscribe(f"$share/copies/{topic('+', '+', 'batch')}", qos=1)
        await agent.publish(topic(SITE, "agent-1", "batch"), b"1", qos=1)
        await agent.publish(topic(SITE, "agent-1", "batch"), b"2", qos=1)
        heard = {(await next_message(one))[1], (await next_message(two))[1]}
        assert heard == {b"1", b"2"}


@pytest.mark.parametrize(
    ("name", "password"),
    [(None, None), (f"{SITE}/agent-1", "wrong"), (f"{SITE}/+", "one"), ("nobody", "x")],
)
async def test_strangers_are_refused(
    broker: DeployedBroker, name: str | None, password: str | None
) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with broker.login(name, password):
            pass
