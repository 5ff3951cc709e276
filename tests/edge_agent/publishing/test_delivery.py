"""Batches that are published and never acknowledged are reported, with the possible causes."""

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge_agent.publishing.delivery import Delivery
from edge_agent.publishing.publisher import Publisher
from edge_agent.spool.spool import Spool
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.mqtt import reason_codes
from tests.edge_agent.agent_setup import AGENT, SITE, Ingest, running, until
from tests.edge_agent.publishing.test_small_packets import Version, publisher, row, said, versions
from tests.servers import Mosquitto

EVENT = "published, and not acknowledged"
TOPIC = mqtt_messages.topic(SITE, AGENT, "batch")
#: Rules under which an agent may do all but publish batches.
NO_BATCHES = (
    "topic read #",
    f"topic write jieneng/1/{SITE}/{AGENT}/status",
    "topic write +/+/+/+/ack",
)


def test_the_time_counts_from_the_first_batch_after_the_last_acknowledgement() -> None:
    delivery = Delivery(10.0, TOPIC)
    assert delivery.unacknowledged_s(5.0) == 0
    delivery.published(0, 900, 10.0)
    delivery.published(0, 100, 20.0)
    assert delivery.unacknowledged_s(30.0) == 20.0
    assert delivery.cause(69.0) == ""
    assert "900 bytes" in delivery.cause(70.0)
    assert TOPIC in delivery.cause(70.0)
    delivery.acknowledged()
    assert (delivery.unacknowledged_s(80.0), delivery.cause(80.0)) == (0, "")
    delivery.published(0, 100, 100.0)
    assert delivery.unacknowledged_s(101.0) == 1.0


def test_what_the_broker_says_is_the_cause() -> None:
    delivery = Delivery(10.0, TOPIC)
    delivery.published(0x87, 900, 10.0)
    assert "not authorised" in delivery.cause(10.0), "at once"
    delivery.published(reason_codes.NO_SUBSCRIBERS, 900, 20.0)
    assert delivery.cause(21.0) == ""
    assert delivery.cause(70.0) == "no ingest is connected to the broker"


async def faults(
    mosquitto: Mosquitto,
    folder: Path,
    version: Version,
    mend: Callable[[], object],
    *,
    status: bool = True,
) -> tuple[str, str, list[MutableMapping[str, Any]]]:
    """Return the messages of the log and `/health`; then remove the cause, and wait until all is
    stored.
    """
    ingest = Ingest(mosquitto.port)
    spool = Spool(folder / "s", 10**7, observe.log("test"))
    await spool.put([row(seq, 200) for seq in range(1, 4)])
    with capture_logs() as logs:
        one: Publisher = publisher(spool, mosquitto.port, version, ack_timeout_s=0.05)
        async with running(one.run()):
            if status:
                async with running(ingest.run()):
                    await until(lambda: said(logs, EVENT))
                    await until(lambda: ingest.status and ingest.status.unacknowledged_s > 0.3)
                    assert not ingest.batches
            else:
                await until(lambda: said(logs, EVENT))
            assert one.unacknowledged_s() > 0
            (health,) = one.faults()
            mend()
            async with running(ingest.run()):
                await until(lambda: spool.counts.pending == 0)
                await until(lambda: [log for log in logs if log["event"] == f"{EVENT}: over"])
                assert one.faults() == []
                await until(lambda: ingest.status and ingest.status.unacknowledged_s == 0)
    (reason,) = said(logs, EVENT)
    await spool.close()
    return reason, health, logs


@pytest.mark.parametrize("mosquitto", [("message_size_limit 2048",)], indirect=True)
async def test_a_broker_that_drops_large_messages_without_a_word(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    def mend() -> None:
        config = tmp_path / "mosquitto" / "mosquitto.conf"
        config.write_text(config.read_text().replace("message_size_limit 2048", ""))
        mosquitto.kill()
        mosquitto.start()

    reason, health, _ = await faults(mosquitto, tmp_path, "3.1.1", mend)
    assert "because of its size limit" in reason
    assert health.startswith("published, and not acknowledged for ")
    assert reason in health


@versions
@pytest.mark.parametrize("mosquitto", [NO_BATCHES], indirect=True)
async def test_access_rules_without_the_right_to_publish(
    mosquitto: Mosquitto, tmp_path: Path, version: Version
) -> None:
    """With MQTT 3.1.1, mosquitto acknowledges what it refuses."""
    rules = tmp_path / "mosquitto" / "acl"

    def mend() -> None:
        rules.write_text("topic readwrite #")
        mosquitto.kill()
        mosquitto.start()

    reason, health, _ = await faults(mosquitto, tmp_path, version, mend)
    words = "not authorised; check username" if version == "5" else "has no access to"
    assert words in reason
    assert words in health


@versions
async def test_an_ingest_that_is_down_is_said_as_that_where_the_broker_tells(
    mosquitto: Mosquitto, tmp_path: Path, version: Version
) -> None:
    reason, _, logs = await faults(mosquitto, tmp_path, version, lambda: None, status=False)
    if version == "5":
        assert reason == "no ingest is connected to the broker"
    else:
        assert reason.startswith("no ingest runs; or the ingest waits for its store; or the broker")
    assert not [one for one in logs if "reached" in one["event"]]
