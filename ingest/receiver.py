"""Receive messages over MQTT, and publish acknowledgements.

Laws:

- A message is checked and passed to the batcher at once, so no queue grows here. If the batcher
  does not accept a message, its agent sends the message again.
- After a lost connection, the receiver connects again, without limit of attempts. It keeps no
  session on the broker. A session could only hold back messages that another copy would store, and
  agents send unacknowledged batches again anyway.
- Messages are received and sent with QoS 0. A lost message costs one repetition, whereas a PUBACK
  for each message would take as much time as the check of the message. Besides, a broker drops
  messages to a slow subscriber even with QoS 1.
- Probes detect a broker that accepts the connection but passes no messages (`subscription_probe`).
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
from ingest.subscription_probe import SubscriptionProbe
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import ConfigError
from jieneng.metering.reading import Ack
from jieneng.mqtt import broker
from jieneng.mqtt.broker_faults import BrokerFaults
from jieneng.mqtt.mqtt_client import MqttClient
from jieneng.observe import Log


class Receiver:
    """The connection of one copy of the ingest to the broker."""

    def __init__(self, settings: IngestSettings, site: str, *, metrics: Metrics, log: Log) -> None:
        self._settings = settings
        self._site = site
        self._metrics = metrics
        self._log = log
        self._identifier = f"jieneng-ingest-{site}-{secrets.token_hex(4)}"
        self._client: MqttClient | None = None
        self._failures = 0
        self._end_code: int | None = None  # with which the broker ended the last connection
        batches = mqtt_messages.topic(site, "+", "batch")
        shared = settings.subscription
        self._batch_filter = f"$share/{shared.group}/{batches}" if shared.share else batches
        self._faults = BrokerFaults(log, settings.broker.host, self._identifier)
        self._probe = SubscriptionProbe(
            site,
            self._identifier,
            settings.subscription,
            subscription=self._batch_filter,
            metrics=metrics,
            log=log,
        )

    def faults(self) -> list[str]:
        """Return the reasons why no messages arrive now, in sentences."""
        return [*self._faults.texts(), *self._probe.faults()]

    async def run(self, checker: CurrentChecker, batcher: Batcher) -> None:
        """Receive until cancelled; connect again whenever the connection is lost."""
        while True:
            try:
                await broker.cancellable(self._connection(checker, batcher))
            except* (aiomqtt.MqttError, OSError, ConfigError) as errors:
                self._faults.report(broker.first_error(errors), self._end_code)
            finally:
                self._client, self._end_code = None, None
                self._metrics.broker_up.set(0)
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures))

    async def acknowledge(self, agent: str, ack: Ack) -> None:
        """Publish an acknowledgement; without a connection, do nothing."""
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
        async with broker.client(
            self._settings.broker, self._identifier, many_messages=True
        ) as client:
            self._client = client
            try:
                await self._receive(client, checker, batcher)
            finally:
                self._end_code = client.end_code

    async def _receive(self, client: MqttClient, checker: CurrentChecker, batcher: Batcher) -> None:
        # Every copy receives every status: brokers send no retained message to a shared
        # subscription, and writing the same ledger twice is harmless.
        for topic in (self._batch_filter, mqtt_messages.topic(self._site, "+", "status")):
            await client.subscribe_or_raise(topic, qos=0)
        # If this subscription is refused, a single copy still receives its own probes.
        await client.subscribe(self._probe.ack_topic, qos=0)
        self._failures = 0
        self._faults.clear()
        self._metrics.broker_up.set(1)
        self._log.info("receiving", site=self._site, share=self._settings.subscription.share)

        count = cache(self._metrics.received.labels)
        probe = self._probe

        def handle(topic: str, payload: bytes) -> None:
            if not probe.take(client, topic, payload):
                count(batcher.add(checker.check(topic, payload))).inc()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(probe.run(client), name="probe")
            await client.receive(handle)
