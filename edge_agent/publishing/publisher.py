"""Publish the spool over MQTT, and confirm to it what the ingest has acknowledged.

Laws:

1. MQTT's own acknowledgement is not relied on: a batch leaves the spool only when the ingest says
   that it is stored, or set aside on the ingest's disk.
2. Both ends of the spool are sent in turn (`in_flight`), so a backlog never holds up live readings.
3. The agent subscribes to its acknowledgements before it publishes.
4. Batches of earlier runs are sent under their own names, and acknowledged under them.
5. A batch that is larger than the broker takes is cut in the spool (`message_limit`). A sample that
   is too large alone stays there, parked.
6. `status` is retained: online with the counts while connected. It becomes offline by the agent's
   own message when the agent ends, and by the broker's last will when the connection is lost.

Times in this module are real seconds: a network does not know that a demonstration runs faster.
"""

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import aiomqtt
import msgspec

from edge_agent.health import AgentHealth
from edge_agent.publishing.agent_status import AgentStatus
from edge_agent.publishing.in_flight import InFlight
from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.settings import PublishSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from jieneng import broker
from jieneng.broker import BrokerSettings, Client
from jieneng.clock import Clock
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import SpoolUnavailable, WireError
from jieneng.metering.reading import Ack
from jieneng.observe import Log, LoggedFault

_RECONNECT_S: Final = 1.0  # wait after a failure, doubled by each further one ...
_RECONNECT_MAX_S: Final = 30.0  # ... up to this; each wait is 50 to 100 % of it
_MAX_CONCURRENT_PUBLISHES: Final = 8  # aiomqtt warns of more than ten
_LAST_STATUS_TIMEOUT_S: Final = 2.0  # for the offline status, when the agent is told to end
_UNREADABLE_RETRY_S: Final = 1.0  # wait before a spool that can't be read is tried again
_MAX_LOGGED_REASONS: Final = 32  # reasons of quarantine that are logged


class PublishCounts(msgspec.Struct):
    """Counts of batches since the agent started.

    Attributes:
        published: handed to the broker, resends included.
        acked: removed from the spool on the ingest's acknowledgement.
        quarantined: of those, set aside by the ingest.
        parked: given up their place, because later ones were acknowledged and they were not.
        connected: True while there is a connection to a broker.
    """

    published: int = 0
    acked: int = 0
    quarantined: int = 0
    parked: int = 0
    connected: bool = False


class Publisher:
    """The publisher of one spool, under the name of one agent."""

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
        self._status = AgentStatus(spool, health, clock, agent=agent, boot=boot)
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
        self._take_number = take_number
        self._unanswered: list[int] = []  # sizes of batches that the broker has not answered
        self._end_code: int | None = None  # with which it ended the last connection
        self._cut_fault = LoggedFault(log, "batches are larger than the broker takes, and are cut")
        self._oversize_fault = LoggedFault(log, "a message can't be cut to what the broker takes")
        self._broker_fault = LoggedFault(log, "broker can't be reached", host=broker_settings.host)
        self._ack_fault = LoggedFault(log, "acknowledgements can't be understood")
        self._spool_fault = LoggedFault(log, "spool can't be read")
        self._parked_fault = LoggedFault(log, "batches are not acknowledged")
        self._logged_reasons: set[str] = set()

    async def run(self) -> None:
        """Publish until cancelled, and reconnect as often as needed."""
        while True:
            try:
                await broker.cancellable(self._connection())
            except* (aiomqtt.MqttError, OSError) as errors:
                self._broker_fault.report(broker.loss_text(_first_error(errors), self._end_code))
                if self._limit.broke(self._unanswered):
                    self._failures = 0  # the next connection may well last
            finally:
                self.counts.connected = False
                self._unanswered, self._end_code = [], None
            self._failures += 1
            await asyncio.sleep(_backoff_s(self._failures))

    async def _connection(self) -> None:
        offline = self._status.encoded(online=False)
        will = aiomqtt.Will(self._topics["status"], offline, 1, retain=True)
        async with broker.client(self._broker_settings, self._identifier, will=will) as client:
            self._unanswered = []
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

    async def _session(self, client: Client) -> None:
        await client.subscribe_or_raise(self._topics["ack"])
        await self._publish_status(client, online=True)
        self.counts.connected = True
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

    async def _send(self, client: Client, in_flight: InFlight) -> None:
        loop = asyncio.get_running_loop()
        free_slots = asyncio.Semaphore(_MAX_CONCURRENT_PUBLISHES)
        async with asyncio.TaskGroup() as publishing:
            while True:
                self._spool.changed.clear()
                rows = await self._next_batches(in_flight)
                for row in rows:
                    await free_slots.acquire()
                    in_flight.mark_sent([row.key], loop.time())
                    publishing.create_task(self._publish(client, row, free_slots))
                if len(rows) < _MAX_CONCURRENT_PUBLISHES:  # otherwise more may be due
                    await self._wait_for_change(in_flight.next_due_s())

    async def _next_batches(self, in_flight: InFlight) -> Sequence[QueuedBatch]:
        while self._spool.counts.size_bytes:
            now_s = asyncio.get_running_loop().time()
            try:
                ends = await self._spool.ends(
                    in_flight.size, in_flight.keys, in_flight.wanted_parked(now_s)
                )
                due = in_flight.due(ends, now_s, _MAX_CONCURRENT_PUBLISHES)
                await self._park(in_flight)
                rows: Sequence[QueuedBatch] = await self._spool.read(due) if due else ()
                if any(len(row.payload) > self._limit.payload_bytes for row in rows):
                    rows = await self._cut(rows, in_flight)
            except SpoolUnavailable as error:
                self._spool_fault.report(error)
                await asyncio.sleep(_UNREADABLE_RETRY_S)  # no event tells when it can be read again
            else:
                self._spool_fault.clear()
                return rows
        # The spool is empty, as after most acknowledgements: no query is needed.
        in_flight.clear()
        self._parked_fault.clear()
        return ()

    async def _cut(self, rows: Sequence[QueuedBatch], in_flight: InFlight) -> Sequence[QueuedBatch]:
        """Cut what is too large in the queue, and return the others: the parts go next."""
        limit = self._limit.payload_bytes
        fitting = [row for row in rows if len(row.payload) <= limit]
        for row in rows:
            if len(row.payload) <= limit:
                continue
            parts = await self._spool.cut(row.key, limit, self._boot, self._take_number)
            sizes = f"{len(row.payload)} bytes, and it takes at most {limit:.0f}"
            if parts > 1:
                in_flight.release(row.key)
                self._cut_fault.report(sizes)
                continue
            self._oversize_fault.report(sizes)
            if in_flight.give_up(row.key, asyncio.get_running_loop().time()):
                await self._spool.park([row.key])
                self.counts.parked += 1
        return fitting

    async def _park(self, in_flight: InFlight) -> None:
        """Park batches that can't pass, and report it once for all of them."""
        if keys := in_flight.take_parked():
            await self._spool.park(keys)
            self.counts.parked += len(keys)
            boot, seq = keys[0]
            self._parked_fault.report(
                "the ingest acknowledges later ones; they are tried again ever later",
                batch_boot=boot,
                seq=seq,
            )
        elif not in_flight.is_any_parked:
            self._parked_fault.clear()

    async def _publish(
        self, client: Client, row: QueuedBatch, free_slots: asyncio.Semaphore
    ) -> None:
        """Publish one batch, then free its slot for the next one.

        Only the next batch that needs the slot waits for it. When the agent waited for whole groups
        of publishes, a default mosquitto held back the last answers until the system had
        acknowledged the first ones: 40 ms for each group.
        """
        size_bytes = len(row.payload)
        self._unanswered.append(size_bytes)
        try:
            code = await client.deliver(self._topics["batch"], row.payload)
        finally:
            free_slots.release()
        self._unanswered.remove(size_bytes)
        self.counts.published += 1
        if code == broker.TOO_LARGE:
            self._limit.refused(size_bytes)
        elif not broker.is_refusal(code):
            self._limit.passed(size_bytes)

    async def _wait_for_change(self, deadline_s: float) -> None:
        """Return when the spool has changed, or at the deadline of the loop's clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if deadline_s == math.inf else deadline_s):
                await self._spool.changed.wait()

    async def _report(self, client: Client) -> None:
        while True:
            await asyncio.sleep(self._settings.status_interval_s)
            await self._publish_status(client, online=True)
            # Only now: a broker that accepts the agent and disconnects it again counts as down.
            self._failures = 0
            self._broker_fault.clear()

    async def _publish_status(
        self, client: Client, *, online: bool, timeout_s: float | None = None
    ) -> None:
        status = self._status.encoded(online=online)
        if len(status) > self._limit.payload_bytes:
            limit = self._limit.payload_bytes
            self._oversize_fault.report(
                f"the status has {len(status)} bytes, and it takes at most {limit:.0f}"
            )
            return
        await client.publish(self._topics["status"], status, qos=1, retain=True, timeout=timeout_s)
        self._limit.passed(len(status))

    # --- in ---

    async def _listen(self, client: Client, in_flight: InFlight) -> None:
        acks: list[Ack] = []
        messages = client.messages
        async for message in messages:
            # An embedded amqtt also sends retained messages of topics that others subscribed to.
            if message.topic.value == self._topics["ack"] and (ack := self._ack(message.payload)):
                acks.append(ack)
            if acks and not len(messages):  # several acknowledgements are confirmed together
                in_flight.acknowledged(acks, asyncio.get_running_loop().time())
                await self._confirm(acks)
                acks = []

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
            self.counts.acked += await self._spool.confirm(acks)
        except SpoolUnavailable as error:  # the batches stay, are sent again, and confirmed then
            self._spool_fault.report(error)
            return
        for ack in acks:
            self.counts.quarantined += len(ack.quarantined)
            reasons = (*ack.quarantined, *((seq, reason) for seq, reason, _ in ack.partly))
            for seq, reason in reasons:
                self._log_quarantined(ack.boot, seq, reason)

    def _log_quarantined(self, boot: str, seq: int, reason: str) -> None:
        """Log a reason once: what is wrong with one batch is mostly wrong with all."""
        if reason not in self._logged_reasons and len(self._logged_reasons) < _MAX_LOGGED_REASONS:
            self._logged_reasons.add(reason)
            self._log.warning(
                "samples were set aside by the ingest", boot=boot, seq=seq, reason=reason
            )


def _backoff_s(failures: int) -> float:
    longest_s = min(_RECONNECT_S * 2.0 ** min(failures - 1, 16), _RECONNECT_MAX_S)
    return longest_s * random.uniform(0.5, 1)  # noqa: S311 - spreads agents, hides nothing


def _first_error(errors: BaseExceptionGroup[Exception]) -> BaseException:
    """Return one error of nested groups: all of them tell of one lost connection."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
