"""The status tells when the certificate of the broker or of the agent expires."""

import asyncio
import itertools
import shutil
from functools import partial
from pathlib import Path

import pytest

from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import PublishSettings
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import AGENT, SITE, Ingest, health, running, until
from tests.edge_agent.publishing.test_small_packets import NEW, row
from tests.mqtt import certificates
from tests.servers import Mosquitto, free_port

pytestmark = pytest.mark.server
DAY_MS = 86_400_000


def publisher(spool: Spool, broker_settings: BrokerSettings) -> Publisher:
    how = PublishSettings(status_interval_s=0.05)
    return Publisher(
        spool,
        site=SITE,
        agent=AGENT,
        boot=NEW,
        broker_settings=broker_settings,
        settings=how,
        limit=MessageLimit(how.max_message_bytes),
        take_number=partial(next, itertools.count(1)),
        clock=SystemClock(),
        log=observe.log("test"),
        health=health(),
    )


async def test_the_nearer_expiry_is_told_and_a_renewed_certificate_is_noticed(
    tmp_path: Path,
) -> None:
    for name, days in (("first", 20), ("renewed", 90), ("agent", 40)):
        certificates.make(tmp_path, name, days)
    tls_port = free_port()
    server = Mosquitto(
        tmp_path / "mosquitto",
        f"listener {tls_port} 127.0.0.1",
        f"cafile {tmp_path}/agent.pem",
        f"certfile {tmp_path}/broker.pem",
        f"keyfile {tmp_path}/broker.key",
        "require_certificate true",
    )
    (tmp_path / "ca.pem").write_text(
        (tmp_path / "first.pem").read_text() + (tmp_path / "renewed.pem").read_text()
    )

    def show(name: str) -> None:
        for ending in ("pem", "key"):
            shutil.copy(tmp_path / f"{name}.{ending}", tmp_path / f"broker.{ending}")
        server.kill()
        server.start()

    spool = Spool(tmp_path / "s", 10**7, observe.log("test"))
    await spool.put([row(1, 200)])
    one = publisher(
        spool,
        BrokerSettings(
            port=tls_port,
            timeout_s=2.0,
            ca_file=str(tmp_path / "ca.pem"),
            cert_file=str(tmp_path / "agent.pem"),
            key_file=str(tmp_path / "agent.key"),
        ),
    )
    show("first")
    ingest = Ingest(server.port)
    try:
        async with running(ingest.run()), running(one.run()):
            await until(lambda: ingest.status and ingest.status.online)
            assert one.certificate_expiry_ms == certificates.expiry_ms(tmp_path / "first.pem")
            assert ingest.status is not None
            assert ingest.status.certificate_days is not None
            told_ms = ingest.status.time_ms + ingest.status.certificate_days * DAY_MS
            # The status takes its time and its days one after the other.
            assert told_ms == pytest.approx(one.certificate_expiry_ms, abs=60_000)
            assert ingest.status.spool_share == spool.counts.size_bytes / 10**7
            assert 0 < (ingest.status.disk_used or 0) <= 1
        show("renewed")
        async with running(one.run()):
            await until(lambda: one.counts.connected)
            assert one.certificate_expiry_ms == certificates.expiry_ms(tmp_path / "agent.pem")
    finally:
        await asyncio.to_thread(server.stop)
        await spool.close()


async def test_without_tls_nothing_is_told_of_certificates(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "s", 10**7, observe.log("test"))
    ingest = Ingest(mosquitto.port)
    one = publisher(spool, BrokerSettings(port=mosquitto.port))
    async with running(ingest.run()), running(one.run()):
        await until(lambda: ingest.status and ingest.status.online)
    assert ingest.status is not None
    assert ingest.status.certificate_days is None
    assert ingest.status.disk_used is None, "nothing was put"
    await spool.close()
