"""How a service reaches the MQTT broker: settings, and the client made from them."""

import os
import ssl
from pathlib import Path
from typing import Annotated

import aiomqtt
import msgspec
from msgspec import Meta


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[broker]` of `agent.toml` and `ingest.toml`.

    A password never stands here: it comes from `password_file`, or from the environment
    variable `JIENENG_MQTT_PASSWORD`.

    Attributes:
        keepalive_s: after one and a half of it without a word, the broker tells our will.
        ca_file: certificate authority of a TLS broker; with it TLS is used.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    username: str | None = None
    password_file: str | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def client(
    settings: BrokerSettings, identifier: str, *, will: aiomqtt.Will | None = None
) -> aiomqtt.Client:
    """An unconnected client; `async with` connects it or raises `aiomqtt.MqttError`."""
    return aiomqtt.Client(
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
    )


def _password(settings: BrokerSettings) -> str | None:
    if settings.password_file:
        return Path(settings.password_file).read_text(encoding="utf-8").strip()
    return os.environ.get("JIENENG_MQTT_PASSWORD")


def _tls(settings: BrokerSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None:
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
