"""MQTT -> deliveries, and acknowledgements -> MQTT.

Laws:

- What arrives is judged and offered at once; nothing queues up here. What the batcher leaves comes
  again from its agent.
- A lost connection is made anew, for ever. No session is kept on the broker: it could only hold
  back what another copy would store, and what was not acknowledged comes again anyway.
- Acknowledgements go out with QoS 0: a lost one costs one repetition.
"""

import asyncio
import secrets

import aiomqtt

from ingest.admission import Gate
from ingest.backoff import backoff_s
from ingest.batcher import Batcher
from ingest.metrics import Metrics
from ingest.settings import IngestSettings
from jieneng import broker
from jieneng.clock import Clock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack
from jieneng.observe import Log, LoggedFault


class Receiver:
    """The broker connection of one copy of the ingest."""

    def __init__(
        self, settings: IngestSettings, site: str, *, metrics: Metrics, clock: Clock, log: Log
    ) -> None:
        self._settings = settings
        self._site = site
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._identifier = f"jieneng-ingest-{site}-{secrets.token_hex(4)}"
        self._client: aiomqtt.Client | None = None
        self._failures = 0
        self._fault = LoggedFault(log, "broker can't be reached", host=settings.broker.host)

    async def run(self, gate: Gate, batcher: Batcher) -> None:
        """Receive until cancelled, over as many connections as it takes."""
        while True:
            try:
                await broker.cancellable(self._connection(gate, batcher))
            except (aiomqtt.MqttError, OSError) as error:
                self._fault.happened(error)
            finally:
                self._client = None
                self._metrics.broker_up.set(0)
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures))

    async def acknowledge(self, agent: str, ack: Ack) -> None:
        """Tell an agent; without a connection it is not told, and repeats."""
        if self._client is None:
            return
        topic = mqtt_messages.topic(self._site, agent, "ack")
        try:
            await self._client.publish(topic, mqtt_messages.encode_ack(ack), qos=0)
        except aiomqtt.MqttError:
            return  # the connection is gone, which `run` notices and says
        counted = self._metrics.acknowledged
        counted.labels(agent, "stored").inc(sum(last - first + 1 for first, last in ack.stored))
        counted.labels(agent, "quarantined").inc(len(ack.quarantined))

    async def _connection(self, gate: Gate, batcher: Batcher) -> None:
        async with broker.client(self._settings.broker, self._identifier) as client:
            self._client = client
            for topic in self._topics():
                await _subscribe(client, topic)
            self._failures = 0
            self._fault.over()
            self._metrics.broker_up.set(1)
            self._log.info("receiving", site=self._site, share=self._settings.subscription.share)
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                delivery = gate.judge(message.topic.value, payload, self._clock.now_ms())
                self._metrics.received.labels(batcher.offer(delivery)).inc()

    def _topics(self) -> tuple[str, str]:
        # Every copy hears every status: brokers hand no retained message to a shared subscription,
        # and to write the same account twice is harmless.
        batch = mqtt_messages.topic(self._site, "+", "batch")
        shared = self._settings.subscription
        return (
            f"$share/{shared.group}/{batch}" if shared.share else batch,
            mqtt_messages.topic(self._site, "+", "status"),
        )


async def _subscribe(client: aiomqtt.Client, topic: str) -> None:
    for code in await client.subscribe(topic, qos=1):
        if (code if isinstance(code, int) else code.value) >= 0x80:  # MQTT 3.1.1, section 3.9.3
            raise aiomqtt.MqttError(f"the broker refuses the subscription to {topic}")
