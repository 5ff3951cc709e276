"""Connection to the MQTT broker: settings, and the client made from them.

The client speaks MQTT 5 if the broker does. Only in MQTT 5 can a broker state the largest message,
and the reasons why it refuses a message or ends a connection. With `protocol = "auto"`, the client
speaks MQTT 3.1.1 to a broker that does not accept MQTT 5. The process remembers such brokers until
it ends.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated, Final, Literal

import aiomqtt
import msgspec
from aiomqtt import ProtocolVersion
from aiomqtt.exceptions import MqttConnectError
from msgspec import Meta

from jieneng.metering.site import Host
from jieneng.mqtt import broker_files
from jieneng.mqtt.certificate_validity import not_after_ms
from jieneng.mqtt.mqtt_client import LOST, ClosedUnanswered, MqttClient, NoAnswer
from jieneng.mqtt.reason_codes import WRONG_VERSION, reason_code, reason_text

# Without TCP_NODELAY, each small message waits 40 ms for the broker's delayed acknowledgement.
_NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_VERSIONS: Final = {
    "auto": (ProtocolVersion.V5, ProtocolVersion.V311),
    "5": (ProtocolVersion.V5,),
    "3.1.1": (ProtocolVersion.V311,),
}
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
        protocol: version of MQTT. `auto` means MQTT 5, or 3.1.1 if the broker does not accept
            MQTT 5; for the ingest, which receives many messages, `auto` means 3.1.1.
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


async def cancellable(connection: Coroutine[None, None, None]) -> None:
    """Run a connection until it ends, and raise its error; end it when the caller is cancelled.

    The connection runs in a task of its own, so that a cancellation always reaches the caller.
    Inside the connection a cancellation may be lost. asyncio's task group (Python 3.11) loses it if
    one of the group's tasks fails at the same time. aiomqtt loses it if the broker breaks the
    connection while the client disconnects. A caller that connects again after each loss would then
    never stop.
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
) -> AsyncIterator[MqttClient]:
    """Connect a client for the duration of the block, and yield it.

    Args:
        settings: the table `[broker]`.
        identifier: the client id.
        will: last will.
        many_messages: True for a client that receives thousands of messages a second: with
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
                code = reason_code(error.rc)
                if code != WRONG_VERSION or version is versions[-1]:
                    raise ConnectionRefused(code) from error
            except (ClosedUnanswered, NoAnswer):
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


def certificate_expiry_ms(settings: BrokerSettings, client: MqttClient) -> int | None:
    """Return the time at which the first certificate of a connection expires [UTC, ms].

    These are the certificate that the broker showed in the handshake, and that of the client.

    Returns:
        The time; None without TLS, or if no certificate can be understood.

    Raises:
        ConfigError: the client's certificate can't be read.
    """
    shown = client.broker_certificate()
    if shown is None:
        return None
    times: list[int] = []
    for certificate in (shown, *broker_files.certificates(settings.cert_file)):
        with suppress(ValueError):  # TLS accepted it: its date alone must not end the connection
            times.append(not_after_ms(certificate))
    return min(times, default=None)


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
    return LOST if text.startswith("Disconnected during") else text


def _new_client(
    settings: BrokerSettings,
    identifier: str,
    version: ProtocolVersion,
    will: aiomqtt.Will | None,
) -> MqttClient:
    return MqttClient(
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
