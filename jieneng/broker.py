"""Connection to the MQTT broker: settings, and the client made from them.

The client speaks MQTT 5 if the broker does, because only in MQTT 5 can a broker say how large a
message may be, why it refuses a message, and why it ends a connection. With `protocol = "auto"`,
the client speaks MQTT 3.1.1 to a broker that does not accept MQTT 5. The process remembers such
brokers until it ends.
"""

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Annotated, Any, Final, Literal, NoReturn, Self, TypeVar

import aiomqtt
import msgspec
from aiomqtt import ProtocolVersion
from aiomqtt.exceptions import MqttConnectError
from msgspec import Meta

from jieneng.metering.site import Host
from jieneng.mqtt import broker_files
from jieneng.mqtt.read_ahead_socket import ReadAheadSocket

# Without TCP_NODELAY, each small message waits 40 ms for the broker's delayed acknowledgement.
_NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_VERSIONS: Final = {
    "auto": (ProtocolVersion.V5, ProtocolVersion.V311),
    "5": (ProtocolVersion.V5,),
    "3.1.1": (ProtocolVersion.V311,),
}
#: Most bytes of a message besides topic and payload: type and flags, remaining length, length of
#: the topic, packet identifier, and in MQTT 5 the length of the properties (there are none).
_PACKET_HEAD_BYTES: Final = 1 + 4 + 2 + 2 + 1
#: Reason codes of MQTT 5, section 2.4. paho translates the codes of MQTT 3.1.1 into these.
TAKEN_OVER: Final = 0x8E
NO_SUBSCRIBERS: Final = 0x10
TOO_LARGE: Final = 0x95
_FIRST_FAILURE: Final = 0x80  # a reason code from here on is a failure
_WRONG_VERSION: Final = 0x84
#: Meaning of each reason code; "it" is the broker.
_REASONS: Final = {
    _WRONG_VERSION: "it does not speak this version of MQTT; check protocol",
    0x85: "it does not accept the client id",
    0x86: "user name or password is wrong; check username and password_file",
    0x87: "not authorised; check username, password_file and the access rules of the broker",
    0x88: "it is not available at the moment",
    0x89: "it is busy",
    0x8A: "this client is banned",
    0x8B: "it is shutting down",
    0x8C: "it wants another way of authentication",
    0x8D: "it heard nothing for one and a half times keepalive_s",
    TAKEN_OVER: "another client connected with the same client id",
    0x90: "it does not accept the topic",
    TOO_LARGE: "a packet is larger than it accepts",
    0x96: "it gets too many messages",
    0x97: "a quota is used up",
    0x98: "an administrator ended the connection",
    0x9A: "it keeps no retained messages",
    0x9B: "it does not know QoS 1",
    0x9C: "another server is to be used",
    0x9D: "it has moved to another server",
    0x9E: "it knows no shared subscriptions",
    0x9F: "too many connections are made",
}
_LOST: Final = "the connection was lost"
_T = TypeVar("_T")

#: Host and port of the brokers that did not accept MQTT 5.
_without_mqtt_5: Final[set[tuple[str, int]]] = set()
#: The logger of aiomqtt, silenced: the errors that aiomqtt raises say the same.
_silent_logger: Final = logging.getLogger("jieneng.mqtt")
_silent_logger.setLevel(logging.CRITICAL + 1)


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[broker]` of `agent.toml` and `ingest.toml`.

    The table never contains the password. The password is read from `password_file`, or from the
    environment variable `JIENENG_MQTT_PASSWORD`.

    Attributes:
        protocol: version of MQTT. With `auto` it is MQTT 5, or 3.1.1 if the broker does not accept
            MQTT 5; for the ingest, which takes in many messages, it is 3.1.1.
        keepalive_s: longest silence of the client [s]. After one and a half times this time, the
            broker publishes the client's last will.
        timeout_s: longest time that the broker may take to answer [s].
        ca_file: certificate authority of the broker; if given, TLS is used.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    username: str | None = None
    password_file: str | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class ConnectionRefused(aiomqtt.MqttError):
    """The error if the broker refuses the connection.

    Attributes:
        code: reason code of MQTT 5.
    """

    def __init__(self, code: int) -> None:
        super().__init__(reason_text(code))
        self.code = code


class _ClosedUnanswered(aiomqtt.MqttError):
    """The error if the broker closes the connection instead of accepting or refusing it."""


class _NoAnswer(aiomqtt.MqttError):
    """The error if the broker does not answer in time."""


class Client(aiomqtt.Client):
    """A client of aiomqtt that can be cancelled at any time and keeps the broker's reason codes.

    aiomqtt waits with `asyncio.wait_for`. In Python 3.11, `wait_for` loses a cancellation that
    arrives together with the answer (bpo-42130), so a service that was told to stop would run on.

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
        self._handler: Callable[[str, bytes], None] | None = None

    def max_payload_bytes(self, topic: str) -> float:
        """Return the largest payload that the broker accepts on a topic; inf without a limit."""
        if self.max_packet_bytes is None:
            return math.inf
        return self.max_packet_bytes - _PACKET_HEAD_BYTES - len(topic.encode())

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
            raise aiomqtt.MqttError(_LOST)
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
        raise aiomqtt.MqttError(_LOST) from self._disconnected.exception()

    async def subscribe_or_raise(self, topic: str, qos: int = 1) -> None:
        """Subscribe to a topic.

        Raises:
            aiomqtt.MqttError: the broker refuses the subscription.
        """
        for code in await self.subscribe(topic, qos=qos):
            number = code if isinstance(code, int) else code.value
            if number >= _FIRST_FAILURE:  # in MQTT 3.1.1 as well, section 3.9.3
                raise aiomqtt.MqttError(
                    f"the broker refuses the subscription to {topic}: {reason_text(number)}"
                )

    async def _wait_for(self, fut: Awaitable[_T], timeout: float | None) -> _T:  # noqa: ASYNC109 - aiomqtt's signature
        limit_s = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if limit_s == math.inf else limit_s):
                return await fut
        except TimeoutError as error:
            raise _NoAnswer("the broker does not answer") from error

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
            self._connected.set_exception(_ClosedUnanswered("the broker closes the connection"))
        if not self._connected.cancelled():  # aiomqtt would raise the cancellation here
            super()._on_disconnect(client, userdata, flags, reason_code, properties)
        self._fail_waiting_calls()

    def _fail_waiting_calls(self) -> None:
        """End all calls that wait for the broker, which would otherwise wait for the time-out."""
        self._is_lost = True
        calls: list[asyncio.Future[Any]] = [
            *self._deliveries.values(),
            *self._pending_subscribes.values(),
        ]
        for call in calls:
            if not call.done():
                call.set_exception(aiomqtt.MqttError(_LOST))

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
                raise aiomqtt.MqttError(_LOST)
        except BaseException:
            self._client._sock_close()  # noqa: SLF001 - aiomqtt leaves the socket open
            raise
        return self

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
            if self._disconnected.done() and not self._disconnected.cancelled():
                self._disconnected.exception()  # retrieved, so that asyncio does not log it


async def cancellable(connection: Coroutine[None, None, None]) -> None:
    """Run a connection until it ends, and raise its error; end it when the caller is cancelled.

    The connection runs in a task of its own, so that a cancellation always reaches the caller.
    Inside the connection a cancellation may be lost: by asyncio's task group (Python 3.11) if one
    of its tasks fails at the same time, or by aiomqtt if the broker breaks the connection while the
    client disconnects. A caller that connects again after each loss would then never stop.
    """
    task = asyncio.create_task(connection)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it
        raise
    task.result()  # raises the error of the connection


@asynccontextmanager
async def client(
    settings: BrokerSettings,
    identifier: str,
    *,
    will: aiomqtt.Will | None = None,
    many_messages: bool = False,
) -> AsyncIterator[Client]:
    """Connect a client for the duration of the block, and yield it.

    Args:
        settings: the table `[broker]`.
        identifier: the client id.
        will: last will.
        many_messages: True for a client that takes in thousands of messages a second: with
            `protocol = "auto"` it speaks MQTT 3.1.1, for which paho needs a third less time.

    Raises:
        aiomqtt.MqttError: the broker can't be reached.
        ConnectionRefused: the broker refuses the connection.
        ConfigError: a file that the settings name can't be used.
    """
    address = (settings.host, settings.port)
    versions = _VERSIONS[settings.protocol]
    if len(versions) > 1 and (many_messages or address in _without_mqtt_5):
        versions = versions[1:]
    async with AsyncExitStack() as stack:
        for version in versions:
            candidate = _new_client(settings, identifier, version, will)
            try:
                await stack.enter_async_context(candidate)
                break
            except MqttConnectError as error:
                code = _reason_code(error.rc)
                if code != _WRONG_VERSION or version is versions[-1]:
                    raise ConnectionRefused(code) from error
            except (_ClosedUnanswered, _NoAnswer):
                # Some brokers treat an unknown version in this way. amqtt takes the properties of
                # MQTT 5 for the length of the client id, and waits for more bytes of the last will.
                if version is versions[-1]:
                    raise
        if version is not versions[0]:
            _without_mqtt_5.add(address)
        yield candidate


def check_files(settings: BrokerSettings) -> None:
    """Check the files that a connection needs. Raises `ConfigError` if one can't be used."""
    broker_files.password(settings.password_file)
    broker_files.tls_context(settings.ca_file, settings.cert_file, settings.key_file)


def reason_text(code: int) -> str:
    """Return the meaning of a reason code of MQTT 5 in plain words; "it" is the broker."""
    return _REASONS.get(code, f"reason code {code:#04x}")


def first_error(errors: BaseExceptionGroup[Exception]) -> BaseException:
    """Return the first error of nested groups, all of which come from the same lost connection."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def loss_text(error: BaseException, end_code: int | None) -> str:
    """Return why a connection was lost or could not be made.

    Args:
        error: error that the client raised.
        end_code: `end_code` of the client.
    """
    if end_code is not None:
        return f"it ended the connection: {reason_text(end_code)}"
    text = str(error)
    return _LOST if text.startswith("Disconnected during") else text


def is_refusal(code: int) -> bool:
    """Return True if a reason code means that the broker refuses a request."""
    return code >= _FIRST_FAILURE


def _new_client(
    settings: BrokerSettings,
    identifier: str,
    version: ProtocolVersion,
    will: aiomqtt.Will | None,
) -> Client:
    return Client(
        settings.host,
        settings.port,
        identifier=identifier,
        protocol=version,
        username=settings.username,
        password=broker_files.password(settings.password_file),
        keepalive=settings.keepalive_s,
        timeout=settings.timeout_s,
        tls_context=broker_files.tls_context(
            settings.ca_file, settings.cert_file, settings.key_file
        ),
        will=will,
        max_queued_incoming_messages=0,
        socket_options=[_NO_DELAY],
        logger=_silent_logger,
    )


def _reason_code(code: Any) -> int:
    """Return the number of a reason code, which paho gives as an object or as a number."""
    return int(getattr(code, "value", code))


def _bytes(payload: object) -> bytes:
    """Return the payload of a received message, which aiomqtt annotates with several types."""
    return payload if isinstance(payload, bytes) else b""
