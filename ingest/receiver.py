"""Receive messages over MQTT, and publish acknowledgements.

Laws:

- A message is checked and handed to the batcher at once; no queue builds up here. A message that
  the batcher does not take is sent again by its agent.
- A lost connection is made again, for ever. No session is kept on the broker: it could only hold
  back messages that another copy would store, and unacknowledged batches are sent again anyway.
- Nothing is received or sent with more than QoS 0: a message that is lost costs one repetition, a
  PUBACK for each message would cost as much as its check. The broker drops what a subscriber is too
  slow for with QoS 1 as well.
"""

import asyncio
import secrets
from functools import cache

import aiomqtt

from ingest.ack_parts import encoded_parts
from ingest.admission.current_checker import CurrentChecker
from ingest.backoff import backoff_s
from ingest.metrics import Metrics
from ingest.settings import IngestSettings
from ingest.storing.batcher import Batcher
from jieneng import broker
from jieneng.broker import Client
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack
from jieneng.observe import Log, LoggedFault


class Receiver:
    """The connection of one copy of the ingest to the broker."""

    def __init__(self, settings: IngestSettings, site: str, *, metrics: Metrics, log: Log) -> None:
        self._settings = settings
        self._site = site
        self._metrics = metrics
        self._log = log
        self._identifier = f"jieneng-ingest-{site}-{secrets.token_hex(4)}"
        self._client: Client | None = None
        self._failures = 0
        self._fault = LoggedFault(log, "broker can't be reached", host=settings.broker.host)

    async def run(self, checker: CurrentChecker, batcher: Batcher) -> None:
        """Receive until cancelled; connect again whenever the connection is lost."""
        while True:
            try:
                await broker.cancellable(self._connection(checker, batcher))
            except (aiomqtt.MqttError, OSError) as error:
                self._fault.report(error)
            finally:
                self._client = None
                self._metrics.broker_up.set(0)
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures))

    async def acknowledge(self, agent: str, ack: Ack) -> None:
        """Publish an acknowledgement; without a connection do nothing, and the agent repeats."""
        if self._client is None:
            return
        topic = mqtt_messages.topic(self._site, agent, "ack")
        try:
            for part in encoded_parts(ack):
                await self._client.publish(topic, part, qos=0)
        except aiomqtt.MqttError:
            return  # the connection is lost, which `run` notices and logs
        counted = self._metrics.acknowledged
        counted.labels(agent, "stored").inc(sum(last - first + 1 for first, last in ack.stored))
        counted.labels(agent, "quarantined").inc(len(ack.quarantined))

    async def _connection(self, checker: CurrentChecker, batcher: Batcher) -> None:
        async with broker.client(self._settings.broker, self._identifier) as client:
            self._client = client
            for topic in self._topics():
                await client.subscribe_or_raise(topic, qos=0)
            self._failures = 0
            self._fault.clear()
            self._metrics.broker_up.set(1)
            self._log.info("receiving", site=self._site, share=self._settings.subscription.share)

            count = cache(self._metrics.received.labels)

            def handle(topic: str, payload: bytes) -> None:
                count(batcher.add(checker.check(topic, payload))).inc()

            await client.receive(handle)

    def _topics(self) -> tuple[str, str]:
        # Every copy receives every status: brokers send no retained message to a shared
        # subscription, and writing the same ledger twice is harmless.
        batch = mqtt_messages.topic(self._site, "+", "batch")
        shared = self._settings.subscription
        return (
            f"$share/{shared.group}/{batch}" if shared.share else batch,
            mqtt_messages.topic(self._site, "+", "status"),
        )
