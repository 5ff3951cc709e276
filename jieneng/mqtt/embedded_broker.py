"""Run an MQTT broker inside the process, for `demo` and for `up` on a small site.

The broker stores nothing on disk. It may be killed at any moment, because an agent keeps every
batch until the ingest has stored it. It supports MQTT 3.1.1, and listens on loopback by default. It
does not support shared subscriptions; a single ingest can process its 4,000 messages a second.
"""

import asyncio
import logging

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig

from jieneng.metering.errors import BrokerUnavailable


async def run(host: str, port: int) -> None:
    """Serve until cancelled.

    Raises:
        BrokerUnavailable: the port is taken.
    """
    # amqtt logs every client that closes its connection without DISCONNECT, which is normal here.
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    broker = Broker(
        BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{host}:{port}")},
            plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        )
    )
    try:
        await broker.start()
    except Exception as error:  # amqtt wraps every cause in an exception of its own
        raise BrokerUnavailable(
            "the embedded broker can't listen on {host}:{port} ({error}). Write another port"
            " under [broker] in ingest.toml; if an MQTT broker runs there already, use it"
            " with --broker configured.",
            host=host,
            port=port,
            error=error,
        ) from error
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()
