"""A client of aiomqtt that can be cancelled at any time and keeps the broker's reason codes.

Law: a call that waits for the broker ends with an error as soon as the connection is lost.
"""

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

import aiomqtt

from jieneng.mqtt.read_ahead_socket import ReadAheadSocket
from jieneng.mqtt.reason_codes import is_refusal, reason_text

#: Largest number of bytes of a packet in addition to topic and payload: type and flags, remaining
#: length, length of the topic, packet identifier, and in MQTT 5 the length of the properties.
_PACKET_HEAD_BYTES: Final = 1 + 4 + 2 + 2 + 1
LOST: Final = "the connection was lost"
_T = TypeVar("_T")


class ClosedUnanswered(aiomqtt.MqttError):
    """The error if the broker closes the connection instead of accepting or refusing it."""


class NoAnswer(aiomqtt.MqttError):
    """The error if the broker does not answer in time."""


class MqttClient(aiomqtt.Client):
    """A client of aiomqtt that can be cancelled at any time and keeps the broker's reason codes.

    aiomqtt waits with `asyncio.wait_for`. In Python 3.11, `wait_for` loses a cancellation that
    arrives together with the answer (bpo-42130), so a service would not stop when it is told to.

    Attributes:
        max_packet_bytes: largest packet that the broker accepts; None if it states no limit.
        end_code: reason code with which the broker ended the connection; None if it gave none.
    """

    max_packet_bytes: int | None = None
    end_code: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Futures for the reason code of each message without acknowledgement, by packet identifier.
        self._deliveries: dict[int, asyncio.Future[int]] = {}
        self._is_lost = False  # True once the connection was lost
        self._is_connecting = False  # True while a thread opens the socket
        self._is_abandoned = False  # True once nobody waits for the connection any more
        self._handler: Callable[[str, bytes], None] | None = None

    def max_payload_bytes(self, topic: str) -> float:
        """Return the largest payload that the broker accepts on a topic; inf without a limit."""
        if self.max_packet_bytes is None:
            return math.inf
        return self.max_packet_bytes - _PACKET_HEAD_BYTES - len(topic.encode())

    def broker_certificate(self) -> bytes | None:
        """Return the certificate that the broker showed, in DER; None without TLS."""
        sock = self._client.socket()
        return sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None

    async def deliver(
        self, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float | None = None
    ) -> int:
        """Publish with QoS 1, and return the reason code of the broker's acknowledgement.

        In MQTT 3.1.1 the code is always 0, because that version can't report a dropped message.

        Args:
            topic: the topic.
            payload: the payload.
            retain: True if the broker is to keep the message for later subscribers.
            timeout_s: longest wait for the acknowledgement; `timeout_s` of the settings if None.

        Raises:
            aiomqtt.MqttError: the connection was lost, or the broker does not answer in time.
        """
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != 0:
            raise aiomqtt.MqttError(LOST)
        acknowledged = self._loop.create_future()
        self._deliveries[info.mid] = acknowledged
        try:
            return await self._wait_for(acknowledged, timeout_s)
        finally:
            del self._deliveries[info.mid]

    def send(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0: the broker does not acknowledge the message."""
        self._client.publish(topic, payload, qos=0)

    async def receive(self, handler: Callable[[str, bytes], None]) -> NoReturn:
        """Pass topic and payload of each message to a handler, until the connection ends.

        This takes half the time of `messages`, which starts two tasks for each message.

        Raises:
            aiomqtt.MqttError: the connection has ended.
        """
        self._handler = handler
        while not self._queue.empty():  # messages that arrived before this call
            message = self._queue.get_nowait()
            handler(message.topic.value, _bytes(message.payload))
        await asyncio.wait([self._disconnected])
        raise aiomqtt.MqttError(LOST) from self._disconnected.exception()

    async def subscribe_or_raise(self, topic: str, qos: int = 1) -> None:
        """Subscribe to a topic.

        Raises:
            aiomqtt.MqttError: the broker refuses the subscription.
        """
        for code in await self.subscribe(topic, qos=qos):
            number = code if isinstance(code, int) else code.value
            if is_refusal(number):  # in MQTT 3.1.1 as well, section 3.9.3
                raise aiomqtt.MqttError(
                    f"the broker refuses the subscription to {topic}: {reason_text(number)}"
                )

    async def _wait_for(self, fut: Awaitable[_T], timeout: float | None) -> _T:  # noqa: ASYNC109 - aiomqtt's signature
        limit_s = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if limit_s == math.inf else limit_s):
                return await fut
        except TimeoutError as error:
            raise NoAnswer("the broker does not answer") from error

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        if self._handler is None:
            super()._on_message(client, userdata, message)
        else:
            self._handler(message.topic, message.payload)

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None
    ) -> None:
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.end_code = int(reason_code.value)
        if not self._connected.done():
            self._connected.set_exception(ClosedUnanswered("the broker closes the connection"))
        if not self._connected.cancelled():  # aiomqtt would raise the cancellation here
            super()._on_disconnect(client, userdata, flags, reason_code, properties)
        self._fail_waiting_calls()

    def _fail_waiting_calls(self) -> None:
        """End all calls that wait for the broker; otherwise they would wait for their time-out."""
        self._is_lost = True
        calls: list[asyncio.Future[Any]] = [
            *self._deliveries.values(),
            *self._pending_subscribes.values(),
        ]
        for call in calls:
            if not call.done():
                call.set_exception(aiomqtt.MqttError(LOST))
        for state in (self._connected, self._disconnected):
            if state.done() and not state.cancelled():
                state.exception()  # retrieved, so that asyncio does not log it

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any
    ) -> None:
        acknowledged = self._deliveries.get(mid)
        if acknowledged is None:
            super()._on_publish(client, userdata, mid, reason_code, properties)
        elif not acknowledged.done():
            acknowledged.set_result(int(reason_code.value))

    # aiomqtt passes the file number of a socket to the event loop, which uses the number later. If
    # the socket was closed in between, the number is invalid or belongs to another socket. So the
    # following methods look up the number only when the event loop needs it.

    def _on_socket_open(self, client: Any, _userdata: Any, sock: Any) -> None:
        if not isinstance(sock, ssl.SSLSocket):  # TLS reads ahead itself
            client._sock = ReadAheadSocket(sock)  # noqa: SLF001 - paho offers no other way

        def begin() -> None:
            if sock.fileno() >= 0:
                self._loop.add_reader(sock.fileno(), self._run_io, self._read_all)
                self._misc_task = self._loop.create_task(self._misc_loop())

        self._loop.call_soon_threadsafe(begin)

    def _on_socket_register_write(self, _client: Any, _userdata: Any, sock: Any) -> None:
        def begin() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), self._run_io, self._client.loop_write)

        self._loop.call_soon_threadsafe(begin)

    def _on_socket_unregister_write(self, _client: Any, _userdata: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())

    def _read_all(self) -> None:
        """Read all received bytes, including those that TLS or the read-ahead buffer holds."""
        while True:
            self._client.loop_read()
            sock: Any = self._client.socket()
            if not (hasattr(sock, "pending") and sock.pending() > 0):
                return

    def _run_io(self, read_or_write: Callable[[], object]) -> None:
        """Read or write; treat any error as the end of the connection."""
        try:
            read_or_write()
        except Exception as error:  # noqa: BLE001 - raised where the connection is used
            if not self._disconnected.done():
                self._disconnected.set_exception(error)
            self._fail_waiting_calls()

    async def __aenter__(self) -> Self:
        """Connect; if that fails, close the socket.

        A connection that is lost as soon as it was accepted counts as a failure. aiomqtt would not
        report this loss.
        """
        try:
            await super().__aenter__()
            if self._is_lost:
                raise aiomqtt.MqttError(LOST)
        except BaseException:
            self._is_abandoned = True
            if not self._is_connecting:
                self._close_socket()
            raise
        return self

    def _client_connect(self) -> None:
        """Open the socket, in a thread that goes on when the caller is cancelled."""
        self._is_connecting = True
        try:
            super()._client_connect()
        finally:
            self._is_connecting = False
            if self._is_abandoned:
                self._close_socket()

    def _close_socket(self) -> None:
        self._client._sock_close()  # noqa: SLF001 - aiomqtt leaves the socket open

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect. If the broker ended the connection first, raise no error for that.

        The calls that were waiting for the broker have raised it already.
        """
        try:
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            self._fail_waiting_calls()


def _bytes(payload: object) -> bytes:
    """Return the payload of a received message, which aiomqtt annotates with several types."""
    return payload if isinstance(payload, bytes) else b""
