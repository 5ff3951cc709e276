"""A fake agent: it publishes batches as a real agent would, and receives acknowledgements."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import aiomqtt

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack, Batch, Sample, Status
from jieneng.mqtt import broker
from jieneng.mqtt.broker import BrokerSettings
from tests.patience import PATIENCE_S

SITE = "huaian-centre"
BOOT = "6f1c2a9e"
#: In the past of any machine that runs the tests, because samples of the future are refused.
START = 1_735_000_000_000


def sample(number: int, meter: str = "e-main", quantity: str = "energy_kwh") -> Sample:
    return Sample(meter, START + 1000 * number, 0, (quantity,), (100.0 + number,))


def batch(seq: int, samples: Iterable[Sample] = (), *, agent: str = "agent-1") -> Batch:
    return Batch(agent, BOOT, seq, tuple(samples) or (sample(seq),))


class FakeAgent:
    """An agent connected to the broker.

    Attributes:
        acks: acknowledgements received so far.
    """

    def __init__(self, client: aiomqtt.Client, name: str) -> None:
        self.client = client
        self.name = name
        self.acks: list[Ack] = []
        self._received = asyncio.Event()

    async def send(self, batch: Batch) -> None:
        await self.publish("batch", mqtt_messages.encode_batch(batch))

    async def publish_status(self, status: Status) -> None:
        topic = mqtt_messages.topic(SITE, self.name, "status")
        await self.client.publish(topic, mqtt_messages.encode_status(status), qos=1, retain=True)

    async def publish(self, channel: mqtt_messages.Channel, payload: bytes) -> None:
        await self.client.publish(mqtt_messages.topic(SITE, self.name, channel), payload, qos=1)

    async def listen(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            self.acks.append(mqtt_messages.decode_ack(message.payload))
            self._received.set()

    @property
    def stored(self) -> set[int]:
        return {
            seq for ack in self.acks for first, last in ack.stored for seq in range(first, last + 1)
        }

    @property
    def quarantined(self) -> dict[int, str]:
        return dict(reason for ack in self.acks for reason in ack.quarantined)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on the acknowledgements holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._received.clear()
                await self._received.wait()

    async def resend_until_stored(self, *batches: Batch, every_s: float = 0.2) -> None:
        """Send batches again, as a real agent does, until all are acknowledged as stored."""
        async with asyncio.timeout(PATIENCE_S):
            while missing := [batch for batch in batches if batch.seq not in self.stored]:
                for batch in missing:
                    await self.send(batch)
                self._received.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(every_s):
                        await self._received.wait()


@asynccontextmanager
async def connected(port: int, name: str = "agent-1") -> AsyncIterator[FakeAgent]:
    async with broker.client(BrokerSettings(port=port), f"fake-{name}") as client:
        agent = FakeAgent(client, name)
        await client.subscribe(mqtt_messages.topic(SITE, name, "ack"), qos=1)
        listening = asyncio.create_task(agent.listen())
        try:
            yield agent
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await listening
