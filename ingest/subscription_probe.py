"""Probe the subscription: check that the broker delivers published messages to the ingest.

Laws:

1. If no batch has arrived for `probe_interval_s`, the ingest publishes a probe. Its topic is the
   topic of an agent's batches, with `~ingest` as the agent's id; no agent can have this id. The
   broker delivers the probe to one of the copies, by the same subscription as batches. This copy
   publishes an answer, which all copies receive.
2. It is a fault if neither a batch nor an answer arrives within another `probe_interval_s`. The
   exception: if batches, but never a probe, have arrived on this connection, the broker's access
   rules seem to refuse probes, so a missing answer is no fault.
3. A probe is never stored. An answer contains only the name of the copy that sent the probe.
"""

import asyncio
from typing import Final

import msgspec

from ingest.metrics import Metrics
from ingest.settings import SubscriptionSettings
from jieneng.metering import mqtt_messages
from jieneng.mqtt import reason_codes
from jieneng.mqtt.mqtt_client import MqttClient
from jieneng.observe import Log, LoggedFault

_NAME: Final = "~ingest"
_MAX_BYTES: Final = 100  # largest probe that is answered
_UNKNOWN_SHARE: Final = "the broker does not support shared subscriptions: set share = false"
_OPEN_CAUSES: Final = (
    "the broker does not support shared subscriptions (set share = false), its access rules do not"
    " let the ingest subscribe to {subscription} or publish to {topic}, or its size limit is tiny"
)


class SubscriptionProbe:
    """The probes of one copy of the ingest.

    Attributes:
        batch_topic: topic of the probes.
        ack_topic: topic of the answers.
        is_heard: True after a batch or a probe was received by the subscription.
    """

    def __init__(
        self,
        site: str,
        copy: str,
        settings: SubscriptionSettings,
        *,
        subscription: str,
        metrics: Metrics,
        log: Log,
    ) -> None:
        """Begin without a fault.

        Args:
            site: id of the site.
            copy: name of this copy.
            settings: the table `[subscription]`.
            subscription: topic filter of the batches.
            metrics: metric that shows whether the subscription delivers messages.
            log: logger that reports the fault.
        """
        self.batch_topic: Final = mqtt_messages.topic(site, _NAME, "batch")
        self.ack_topic: Final = mqtt_messages.topic(site, _NAME, "ack")
        self.is_heard = False
        self._is_proven = False  # True after a batch or a probe was received on this connection
        self._probes_pass = False  # True after a probe was received on this connection
        self._payload = msgspec.json.encode({"v": mqtt_messages.VERSION, "probe": copy})
        self._settings = settings
        self._subscription = subscription
        self._metrics = metrics
        self._kind = "shared subscription" if settings.share else "subscription"
        self._fault = LoggedFault(log, f"the broker passes no messages to the {self._kind}")
        self._cause = ""

    async def run(self, client: MqttClient) -> None:
        """Send probes while no batch arrives, until cancelled or the connection is lost."""
        self.is_heard = self._is_proven = self._probes_pass = False
        while True:
            code = await client.deliver(self.batch_topic, self._payload)
            await asyncio.sleep(self._settings.probe_interval_s)
            if self.is_heard:
                self._is_proven = True
                self._clear()
            elif self._probes_pass or not self._is_proven:
                self._report(code)
            while self.is_heard:
                self.is_heard = False
                await asyncio.sleep(self._settings.probe_interval_s)

    def take(self, client: MqttClient, topic: str, payload: bytes) -> bool:
        """Handle a message if it is a probe or an answer; return False if it is neither."""
        if topic == self.batch_topic:  # of any copy
            self.is_heard = self._probes_pass = True
            if len(payload) <= _MAX_BYTES:
                client.send(self.ack_topic, payload)
            return True
        if topic == self.ack_topic:
            if payload == self._payload:
                self.is_heard = self._probes_pass = True
            return True
        self.is_heard = self.is_heard or topic.endswith("/batch")
        return False

    def faults(self) -> list[str]:
        """Return the present faults, in sentences."""
        if not self._cause:
            return []
        return [f"the broker passes no messages to the {self._kind}: {self._cause}"]

    def _clear(self) -> None:
        self._cause = ""
        self._fault.clear()
        self._metrics.subscription_up.set(1)

    def _report(self, code: int) -> None:
        if reason_codes.is_refusal(code):
            self._cause = f"it refuses {self.batch_topic}: {reason_codes.reason_text(code)}"
        elif code == reason_codes.NO_SUBSCRIBERS and self._settings.share:
            self._cause = _UNKNOWN_SHARE
        else:
            self._cause = _OPEN_CAUSES.format(
                subscription=self._subscription, topic=self.batch_topic
            )
        self._fault.report(self._cause)
        self._metrics.subscription_up.set(0)
