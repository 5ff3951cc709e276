"""Connection to the MQTT broker: settings, and the client made from them."""

import asyncio
import math
import os
import socket
import ssl
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, TypeVar

import aiomqtt
import msgspec
from msgspec import Meta

from jieneng.metering.errors import ConfigError, Problem
from jieneng.metering.site import Host

# Without TCP_NODELAY, each small message waits 40 ms for the broker's delayed acknowledgement.
_NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_T = TypeVar("_T")


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[broker]` of `agent.toml` and `ingest.toml`.

    A password never stands here. It comes from `password_file`, or from the environment variable
    `JIENENG_MQTT_PASSWORD`.

    Attributes:
        keepalive_s: longest silence of the client [s]. After one and a half times as long, the
            broker publishes the client's last will.
        timeout_s: time that the broker may take to answer [s].
        ca_file: certificate authority of a TLS broker; if given, TLS is used.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    username: str | None = None
    password_file: str | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class _Client(aiomqtt.Client):
    """A client of aiomqtt that can be cancelled at any moment.

    aiomqtt waits with `asyncio.wait_for`. In Python 3.11 that forgets a cancellation that comes
    together with the answer (bpo-42130), and a service that is told to end goes on for ever.
    """

    async def _wait_for(self, fut: Awaitable[_T], timeout: float | None) -> _T:  # noqa: ASYNC109 - its signature
        limit_s = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if limit_s == math.inf else limit_s):
                return await fut
        except TimeoutError as error:
            raise aiomqtt.MqttError("the broker does not answer") from error

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect. If the broker closed first, the task under way has already reported that."""
        await super().__aexit__(exc_type, exc, traceback)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()


async def cancellable(connection: Coroutine[None, None, None]) -> None:
    """Run a connection to its end, with its errors, or until cancelled.

    The connection has a task of its own, so that a cancellation always reaches the caller. Inside
    the connection a cancellation may be lost: by asyncio's task group (3.11) if one of its tasks
    fails at the same moment, and by aiomqtt if the broker breaks off while the client disconnects.
    A caller that then connects again would go on for ever.
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
    task.result()


def client(
    settings: BrokerSettings, identifier: str, *, will: aiomqtt.Will | None = None
) -> aiomqtt.Client:
    """Return an unconnected client; `async with` connects it or raises `aiomqtt.MqttError`."""
    return _Client(
        settings.host,
        settings.port,
        identifier=identifier,
        username=settings.username,
        password=_password(settings),
        keepalive=settings.keepalive_s,
        timeout=settings.timeout_s,
        tls_context=_tls(settings),
        will=will,
        max_queued_incoming_messages=0,
        socket_options=[_NO_DELAY],
    )


def _password(settings: BrokerSettings) -> str | None:
    if settings.password_file:
        try:
            return Path(settings.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                [
                    Problem(
                        text="the password in {path} can't be read: {error}.",
                        fix="Check password_file and its permissions.",
                        values={"path": settings.password_file, "error": error},
                        path=("broker", "password_file"),
                    )
                ]
            ) from error
    return os.environ.get("JIENENG_MQTT_PASSWORD")


def _tls(settings: BrokerSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None:
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
