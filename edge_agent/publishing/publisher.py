"""Publish the batches of the spool over MQTT, and remove those that the ingest has acknowledged.

Laws:

1. A batch is removed from the spool only when the ingest reports that it has stored the batch, or
   has set it aside on the ingest's disk. MQTT's own acknowledgement has no effect.
2. The newest and the oldest batches are sent in turn (`in_flight`), so that a backlog does not
   delay live readings for long.
3. The agent subscribes to its acknowledgements before it publishes.
4. A batch keeps its name (boot id and number), even if it is sent after a restart of the agent.
5. The `status` message is retained. While connected, it says online and contains the counts. When
   the agent stops, it sends an offline status. When the connection is lost, the broker sends the
   last will, which is an offline status, too.
6. A fault between agent and store is logged once, and is listed in `faults` as long as it lasts: no
   broker, a broker that refuses, another client with the same name, or missing acknowledgements
   (`delivery`).

Times in this module are in real seconds, even if the simulated clock of a demonstration runs
faster.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import aiomqtt

from edge_agent.health import AgentHealth
from edge_agent.publishing.agent_status import AgentStatus
from edge_agent.publishing.delivery import Delivery
from edge_agent.publishing.in_flight import InFlight
from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.outbox import Outbox
from edge_agent.publishing.publish_counts import PublishCounts
from edge_agent.settings import PublishSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng.clock import Clock
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import ConfigError, SpoolUnavailable, WireError
from jieneng.metering.reading import Ack
from jieneng.mqtt import broker, reason_codes
from jieneng.mqtt.broker import BrokerSettings
from jieneng.mqtt.broker_faults import BrokerFaults
from jieneng.mqtt.mqtt_client import MqttClient
from jieneng.observe import Log, LoggedFault

_RECONNECT_S: Final = 1.0  # delay before reconnecting after a failure; each failure doubles it
_RECONNECT_MAX_S: Final = 30.0  # longest delay; a random part of up to half is subtracted
_MAX_CONCURRENT_PUBLISHES: Final = 8  # aiomqtt warns if there are more than ten
_SLOW_FAILURES: Final = 6  # number of failures assumed if another client has the same name
_LAST_STATUS_TIMEOUT_S: Final = 2.0  # time limit for the offline status when the agent stops
_MAX_LOGGED_REASONS: Final = 32  # largest number of quarantine reasons that are logged


class Publisher:
    """Publishes the batches of one spool, under the id of one agent."""

    def __init__(
        self,
        spool: Spool,
        *,
        site: str,
        agent: str,
        boot: str,
        broker_settings: BrokerSettings,
        settings: PublishSettings,
        limit: MessageLimit,
        take_number: Callable[[], int],
        clock: Clock,
        log: Log,
        health: AgentHealth,
    ) -> None:
        self.counts: Final = PublishCounts()
        self._spool = spool
        self._boot = boot
        self._clock = clock
        self._identifier = f"jieneng-{site}-{agent}"
        self._topics: dict[mqtt_messages.Channel, str] = {
            channel: mqtt_messages.topic(site, agent, channel)
            for channel in ("batch", "ack", "status")
        }
        self._broker_settings = broker_settings
        self._settings = settings
        self._log = log
        self._failures = 0
        self._limit = limit
        self._outbox = Outbox(
            spool, limit, self.counts, boot=boot, take_number=take_number, log=log
        )
        self._delivery = Delivery(settings.ack_timeout_s, self._topics["batch"])
        #: End of the validity of the broker's or of the agent's certificate [UTC, ms], whichever is
        #: first, as of the last connection; None without TLS.
        self.certificate_expiry_ms: int | None = None
        self._status = AgentStatus(
            spool,
            health,
            clock,
            self.unacknowledged_s,
            lambda: self.certificate_expiry_ms,
            agent=agent,
            boot=boot,
        )
        self._first_status_ms: int | None = None  # time of this run's first status
        self._connected_s = -math.inf  # time at which the present connection began
        self._unanswered: list[int] = []  # sizes of batches that the broker has not answered
        self._end_code: int | None = None  # reason code with which the broker disconnected last
        self._broker_faults = BrokerFaults(log, broker_settings.host, self._identifier)
        self._delivery_fault = LoggedFault(log, "published, and not acknowledged")
        self._ack_fault = LoggedFault(log, "acknowledgements can't be understood")
        self._spool_fault = LoggedFault(log, "acknowledged batches can't be removed")
        self._logged_reasons: set[str] = set()

    def unacknowledged_s(self) -> float:
        """Return the time for which published batches have not been acknowledged [s]."""
        return self._delivery.unacknowledged_s(time.monotonic())

    def faults(self) -> list[str]:
        """Return the present faults between agent and store, as sentences."""
        found = self._broker_faults.texts()
        if cause := self._delivery.cause(time.monotonic()):
            waited_s = self.unacknowledged_s()
            found.append(f"published, and not acknowledged for {waited_s:.0f} s: {cause}")
        if self._outbox.oversize:
            found.append(f"a message is too large: {self._outbox.oversize}")
        return found

    async def run(self) -> None:
        """Publish until cancelled, and reconnect as often as needed."""
        while True:
            try:
                await broker.cancellable(self._connection())
            except* (aiomqtt.MqttError, OSError, ConfigError) as errors:
                self._report_loss(broker.first_error(errors))
            finally:
                self.counts.connected = False
                self._unanswered, self._end_code = [], None
            self._failures += 1
            await asyncio.sleep(_backoff_s(self._failures))

    def _report_loss(self, error: BaseException) -> None:
        self._broker_faults.report(error, self._end_code, was_connected=self.counts.connected)
        if self._broker_faults.is_name_taken:
            self._failures = max(self._failures, _SLOW_FAILURES)
        elif self._end_code == reason_codes.TOO_LARGE and self._unanswered:
            self._limit.refused(max(self._unanswered))
            self._failures = 0
        elif self._limit.broke(self._unanswered):
            self._failures = 0  # this connection lasted long, so the next one may, too

    async def _connection(self) -> None:
        offline = self._status.encoded(online=False)
        will = aiomqtt.Will(self._topics["status"], offline, 1, retain=True)
        async with broker.client(self._broker_settings, self._identifier, will=will) as client:
            self._unanswered = []
            self.certificate_expiry_ms = broker.certificate_expiry_ms(self._broker_settings, client)
            self._limit.connected(client.max_payload_bytes(self._topics["batch"]))
            try:
                await self._session(client)
            except asyncio.CancelledError:
                with suppress(aiomqtt.MqttError):
                    await self._publish_status(
                        client, online=False, timeout_s=_LAST_STATUS_TIMEOUT_S
                    )
                raise
            finally:
                self._end_code = client.end_code

    async def _session(self, client: MqttClient) -> None:
        await client.subscribe_or_raise(self._topics["ack"])
        # Not every broker reports that another client has taken over the connection. The retained
        # status of the other client shows it.
        looks_for_others = self._first_status_ms is not None
        if looks_for_others:
            await client.subscribe(self._topics["status"], qos=1)
        await self._publish_status(client, online=True)
        if looks_for_others:
            await client.unsubscribe(self._topics["status"])
        self.counts.connected = True
        self._connected_s = time.monotonic()
        in_flight = InFlight(
            self._settings.ack_timeout_s,
            self._settings.window,
            newest_first=self._settings.catch_up == "newest",
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(client, in_flight), name="send")
            tasks.create_task(self._listen(client, in_flight), name="listen")
            tasks.create_task(self._report(client), name="report")

    # --- out ---

    async def _send(self, client: MqttClient, in_flight: InFlight) -> None:
        loop = asyncio.get_running_loop()
        free_slots = asyncio.Semaphore(_MAX_CONCURRENT_PUBLISHES)
        async with asyncio.TaskGroup() as publishing:
            while True:
                self._spool.changed.clear()
                rows = await self._outbox.next_batches(in_flight, _MAX_CONCURRENT_PUBLISHES)
                if not self._spool.counts.size_bytes:
                    self._delivery.acknowledged()
                for row in rows:
                    await free_slots.acquire()
                    in_flight.mark_sent([row.key], loop.time())
                    publishing.create_task(self._publish(client, row, free_slots))
                if len(rows) < _MAX_CONCURRENT_PUBLISHES:  # otherwise more batches may be due
                    await self._wait_for_change(in_flight.next_due_s())

    async def _publish(
        self, client: MqttClient, row: QueuedBatch, free_slots: asyncio.Semaphore
    ) -> None:
        """Publish one batch, then release its slot for another batch.

        Batches are not published in groups. With groups, mosquitto's last answers of each group
        were delayed by 40 ms, until TCP had acknowledged the first ones (Nagle's algorithm).
        """
        size_bytes = len(row.payload)
        self._unanswered.append(size_bytes)
        try:
            code = await client.deliver(self._topics["batch"], row.payload)
        finally:
            free_slots.release()
        self._unanswered.remove(size_bytes)
        self.counts.published += 1
        self._delivery.published(code, size_bytes, time.monotonic())
        if code == reason_codes.TOO_LARGE:
            self._limit.refused(size_bytes)
        elif reason_codes.is_refusal(code):
            self._check_delivery()
        else:
            self._limit.passed(size_bytes)

    def _check_delivery(self) -> None:
        if cause := self._delivery.cause(time.monotonic()):
            self._delivery_fault.report(cause, for_s=round(self.unacknowledged_s(), 1))
        else:
            self._delivery_fault.clear()

    async def _wait_for_change(self, deadline_s: float) -> None:
        """Wait until the spool changes, or until the deadline on the loop's clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if deadline_s == math.inf else deadline_s):
                await self._spool.changed.wait()

    async def _report(self, client: MqttClient) -> None:
        while True:
            await asyncio.sleep(self._settings.status_interval_s)
            await self._publish_status(client, online=True)
            # Only now is the connection regarded as up: some brokers accept an agent and disconnect
            # it at once.
            self._failures = 0
            self._broker_faults.clear(time.monotonic() - self._connected_s)
            self._check_delivery()

    async def _publish_status(
        self, client: MqttClient, *, online: bool, timeout_s: float | None = None
    ) -> None:
        status = self._status.encoded(online=online)
        if len(status) > self._limit.payload_bytes:
            self._outbox.report_oversize(f"the status has {len(status)} bytes")
            return
        if self._first_status_ms is None:
            self._first_status_ms = self._clock.now_ms()
        await client.deliver(self._topics["status"], status, retain=True, timeout_s=timeout_s)
        self._limit.passed(len(status))

    # --- in ---

    async def _listen(self, client: MqttClient, in_flight: InFlight) -> None:
        acks: list[Ack] = []
        messages = client.messages
        async for message in messages:
            # The embedded broker (amqtt) also sends retained messages of other clients' topics.
            topic = message.topic.value
            if topic == self._topics["ack"] and message.retain:
                # The ingest retains none. It would be taken for true at each new connection.
                self._ack_fault.report("a retained message")
            elif topic == self._topics["ack"] and (ack := self._ack(message.payload)):
                acks.append(ack)
            elif topic == self._topics["status"]:
                self._look_for_others(message.payload)
            if acks and not len(messages):  # confirm all acknowledgements received so far together
                in_flight.acknowledged(acks, asyncio.get_running_loop().time())
                await self._confirm(acks)
                acks = []

    def _look_for_others(self, payload: object) -> None:
        """Report another client with the same name if the payload is a new status of it."""
        with suppress(WireError):
            status = mqtt_messages.decode_status(payload if isinstance(payload, bytes) else b"")
            if status.boot != self._boot and status.time_ms >= (self._first_status_ms or math.inf):
                self._broker_faults.report_name_taken()

    def _ack(self, payload: object) -> Ack | None:
        try:
            ack = mqtt_messages.decode_ack(payload if isinstance(payload, bytes) else b"")
        except WireError as error:
            self._ack_fault.report(error)
            return None
        self._ack_fault.clear()
        return ack

    async def _confirm(self, acks: Sequence[Ack]) -> None:
        try:
            removed = await self._spool.confirm(acks)
        except SpoolUnavailable as error:  # the batches stay, and are sent and confirmed again
            self._spool_fault.report(error)
            return
        self._spool_fault.clear()
        self.counts.acked += removed
        if removed:
            self._delivery.acknowledged()
        for ack in acks:
            self.counts.quarantined += len(ack.quarantined)
            reasons = (*ack.quarantined, *((seq, reason) for seq, reason, _ in ack.partly))
            for seq, reason in reasons:
                self._log_quarantined(ack.boot, seq, reason)

    def _log_quarantined(self, boot: str, seq: int, reason: str) -> None:
        """Log a reason only once, because a reason mostly applies to many batches."""
        if reason not in self._logged_reasons and len(self._logged_reasons) < _MAX_LOGGED_REASONS:
            self._logged_reasons.add(reason)
            self._log.warning(
                "samples were set aside by the ingest", boot=boot, seq=seq, reason=reason
            )


def _backoff_s(failures: int) -> float:
    longest_s = min(_RECONNECT_S * 2.0 ** min(failures - 1, 16), _RECONNECT_MAX_S)
    return longest_s * random.uniform(0.5, 1)  # noqa: S311 - spreads agents, hides nothing
