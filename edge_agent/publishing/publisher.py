"""Spool -> MQTT, and acknowledgements back.

Laws:

1. MQTT's own acknowledgement means nothing here: a batch leaves the spool only when the ingest says
   that it is stored, or set aside on its disk.
2. Both ends of the spool go out in turn (`window`): a backlog keeps nothing live waiting.
3. The agent listens before it speaks: it subscribes to its acknowledgements before it publishes.
4. Batches of earlier runs go out under their own names, and are acknowledged under them.
5. `status` is retained: online with the counts while connected, offline by our own word when we
   leave, and by the broker's when we vanish.

Times here are real seconds: a network does not know that a demonstration runs faster than life.
"""

import asyncio
import math
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import aiomqtt
import msgspec

from edge_agent.health import Health
from edge_agent.publishing.in_flight import InFlight
from edge_agent.settings import PublishSettings
from edge_agent.spool.batch_queue import Row
from edge_agent.spool.spool import Spool
from jieneng import broker
from jieneng.broker import BrokerSettings
from jieneng.clock import Clock
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import SpoolUnavailable, WireError
from jieneng.metering.reading import Ack, Status
from jieneng.observe import Log, LoggedFault

_RECONNECT_S: Final = 1.0  # after a failure, doubling with each one ...
_RECONNECT_LONGEST_S: Final = 30.0  # ... up to this; each wait is 50 to 100 % of it
_AT_ONCE: Final = 8  # publishes awaited together; aiomqtt complains of more than ten
_FAREWELL_S: Final = 2.0  # for the last status, when the agent is told to end
_UNREADABLE_S: Final = 1.0  # between two looks at a spool that can't be read
_REASONS: Final = 32  # of quarantine that are told apart


class PublishCounts(msgspec.Struct):
    """What went over the broker, since the agent started, in batches.

    Attributes:
        published: given to the broker, repetitions included.
        acked: that left the spool on the ingest's word.
        quarantined: of those, set aside by the ingest.
        connected: whether there is a broker at the moment.
    """

    published: int = 0
    acked: int = 0
    quarantined: int = 0
    connected: bool = False


class Publisher:
    """Publishes one spool under the name of one agent."""

    def __init__(
        self,
        spool: Spool,
        *,
        site: str,
        agent: str,
        boot: str,
        broker_settings: BrokerSettings,
        settings: PublishSettings,
        clock: Clock,
        log: Log,
        health: Health,
    ) -> None:
        self.counts: Final = PublishCounts()
        self._spool = spool
        self._agent = agent
        self._boot = boot
        self._identifier = f"jieneng-{site}-{agent}"
        self._topics: dict[mqtt_messages.Channel, str] = {
            channel: mqtt_messages.topic(site, agent, channel)
            for channel in ("batch", "ack", "status")
        }
        self._broker_settings = broker_settings
        self._settings = settings
        self._clock = clock
        self._health = health
        self._log = log
        self._failures = 0
        self._broker_fault = LoggedFault(log, "broker can't be reached", host=broker_settings.host)
        self._ack_fault = LoggedFault(log, "acknowledgements can't be understood")
        self._spool_fault = LoggedFault(log, "spool can't be read")
        self._reasons: set[str] = set()

    async def run(self) -> None:
        """Publish until cancelled, over as many connections as it takes."""
        while True:
            try:
                await broker.cancellable(self._connection())
            except* (aiomqtt.MqttError, OSError) as errors:
                self._broker_fault.happened(_first(errors))
            finally:
                self.counts.connected = False
            self._failures += 1
            await asyncio.sleep(_backoff_s(self._failures))

    async def _connection(self) -> None:
        last = mqtt_messages.encode_status(self._book(online=False))
        will = aiomqtt.Will(self._topics["status"], last, 1, retain=True)
        async with broker.client(self._broker_settings, self._identifier, will=will) as client:
            try:
                await self._talk(client)
            except asyncio.CancelledError:
                with suppress(aiomqtt.MqttError):
                    await self._say(client, online=False, timeout_s=_FAREWELL_S)
                raise

    async def _talk(self, client: aiomqtt.Client) -> None:
        await client.subscribe(self._topics["ack"], qos=1)
        await self._say(client, online=True)
        self.counts.connected = True
        window = InFlight(
            self._settings.ack_timeout_s,
            self._settings.window,
            newest_first=self._settings.catch_up == "newest",
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(client, window), name="send")
            tasks.create_task(self._listen(client, window), name="listen")
            tasks.create_task(self._report(client), name="report")

    # --- out ---

    async def _send(self, client: aiomqtt.Client, window: InFlight) -> None:
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as publishing:
            while True:
                self._spool.changed.clear()
                rows = await self._due(window)
                for row in rows:
                    await places.acquire()
                    window.sent([row.key], loop.time())
                    publishing.create_task(self._publish(client, row, places))
                if len(rows) < _AT_ONCE:  # else there may be more, or what came meanwhile
                    await self._changed_or(window.next_due_s())

    async def _due(self, window: InFlight) -> Sequence[Row]:
        while self._spool.counts.size_bytes:
            now_s = asyncio.get_running_loop().time()
            try:
                ends = await self._spool.ends(window.size, window.under_way)
                due = window.due(ends, now_s, _AT_ONCE)
                rows = await self._spool.read(due) if due else ()
            except SpoolUnavailable as error:
                self._spool_fault.happened(error)
                await asyncio.sleep(_UNREADABLE_S)  # nobody will say that it can be read again
            else:
                self._spool_fault.over()
                return rows
        # As after most acknowledgements: nobody has to look.
        window.forget()
        return ()

    async def _publish(self, client: aiomqtt.Client, row: Row, places: asyncio.Semaphore) -> None:
        """Give it to the broker. Nobody waits for that but the one who wants the place.

        Where a group of them was waited for, a default mosquitto held back the last answers until
        our system had acknowledged the first: 40 ms for each group.
        """
        try:
            await client.publish(self._topics["batch"], row.payload, qos=1)
        finally:
            places.release()
        self.counts.published += 1

    async def _changed_or(self, deadline_s: float) -> None:
        """Return when the spool has changed, or at the deadline of the loop's clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if deadline_s == math.inf else deadline_s):
                await self._spool.changed.wait()

    async def _report(self, client: aiomqtt.Client) -> None:
        while True:
            await asyncio.sleep(self._settings.status_interval_s)
            await self._say(client, online=True)
            # Only now: a broker that takes us and throws us out again is not there.
            self._failures = 0
            self._broker_fault.over()

    async def _say(
        self, client: aiomqtt.Client, *, online: bool, timeout_s: float | None = None
    ) -> None:
        status = mqtt_messages.encode_status(self._status() if online else self._book(online=False))
        await client.publish(self._topics["status"], status, qos=1, retain=True, timeout=timeout_s)

    def _status(self) -> Status:
        """How the agent is, and its book."""
        health, timekeeper = self._health, self._health.timekeeper
        return msgspec.structs.replace(
            self._book(online=True),
            uptime_s=health.uptime_s,
            spool_bytes=self._spool.counts.size_bytes,
            spool_age_s=self._spool.age_s,
            clock_ok=timekeeper.ok,
            clock_jumps=timekeeper.jumps,
            bus_load=health.bus_load.look(),
        )

    def _book(self, *, online: bool) -> Status:
        counts = self._spool.counts
        return Status(
            agent=self._agent,
            boot=self._boot,
            online=online,
            time_ms=self._clock.now_ms(),
            read=counts.read,
            stored=counts.stored,
            pending=counts.pending,
            dropped=counts.dropped,
        )

    # --- in ---

    async def _listen(self, client: aiomqtt.Client, window: InFlight) -> None:
        acks: list[Ack] = []
        messages = client.messages
        async for message in messages:
            # An embedded amqtt also sends what is retained on topics that others subscribed to.
            if message.topic.value == self._topics["ack"] and (ack := self._ack(message.payload)):
                acks.append(ack)
            if acks and not len(messages):  # what came meanwhile is confirmed together
                window.heard(asyncio.get_running_loop().time())
                await self._confirm(acks)
                acks = []

    def _ack(self, payload: object) -> Ack | None:
        try:
            ack = mqtt_messages.decode_ack(payload if isinstance(payload, bytes) else b"")
        except WireError as error:
            self._ack_fault.happened(error)
            return None
        self._ack_fault.over()
        return ack

    async def _confirm(self, acks: Sequence[Ack]) -> None:
        try:
            self.counts.acked += await self._spool.confirm(acks)
        except SpoolUnavailable as error:  # they stay, go out again, and are confirmed then
            self._spool_fault.happened(error)
            return
        for ack in acks:
            self.counts.quarantined += len(ack.quarantined)
            for seq, reason in ack.quarantined:
                self._say_quarantined(ack.boot, seq, reason)

    def _say_quarantined(self, boot: str, seq: int, reason: str) -> None:
        """Once a reason: what is wrong with one batch is mostly wrong with all."""
        if reason not in self._reasons and len(self._reasons) < _REASONS:
            self._reasons.add(reason)
            self._log.warning("batch quarantined by the ingest", boot=boot, seq=seq, reason=reason)


def _backoff_s(failures: int) -> float:
    longest_s = min(_RECONNECT_S * 2.0 ** min(failures - 1, 16), _RECONNECT_LONGEST_S)
    return longest_s * random.uniform(0.5, 1)  # noqa: S311 - spreads agents, hides nothing


def _first(errors: BaseExceptionGroup[Exception]) -> BaseException:
    """One of the errors in a group of groups: they all tell of one lost connection."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
