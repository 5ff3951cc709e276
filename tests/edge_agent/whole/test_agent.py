"""The agent as a whole, with a real broker and real meters on loopback."""

import asyncio
import re
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import pytest
from structlog.testing import capture_logs

from edge_agent import app
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.settings import PublishSettings, SpoolSettings
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import SpoolUnavailable
from jieneng.observe import MetricsSettings
from tests.edge_agent.agent_setup import (
    AGENT,
    SITE,
    Dtsd1352,
    Ingest,
    agent,
    bus,
    folder,
    gateway,
    meter,
    running,
    settings,
    until,
)
from tests.edge_agent.spool.disk_faults import fill_disk, remount
from tests.servers import Mosquitto, free_port


async def asks(source: Dtsd1352, times: int) -> None:
    """Wait until a meter was asked that often again."""
    enough = source.asked + times
    await until(lambda: source.asked >= enough)


def about_broker(logs: list[MutableMapping[str, Any]]) -> list[str]:
    return [one["event"] for one in logs if one["event"].startswith("broker")]


async def test_what_meters_say_reaches_the_ingest(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """TCP and RTU over TCP, two meters on one bus: every value, in canonical units, once."""
    ingest = Ingest(mosquitto.port)
    one, two, three = Dtsd1352(1), Dtsd1352(2), Dtsd1352(1)
    async with (
        gateway(one, two) as tcp,
        gateway(three, rtu=True) as rtu,
        running(ingest.run()),
    ):
        where = folder(
            tmp_path,
            bus("b-tcp", tcp),
            bus("b-rtu", rtu, "rtu_tcp", timeout_s=0.5),
            meters=[
                meter("e-1", "b-tcp", 1),
                meter("e-2", "b-tcp", 2, rated_max=1e6),
                meter("e-3", "b-rtu", 1),
            ],
        )
        async with running(agent(where, settings(mosquitto.port))):
            await until(lambda: all(len(ingest.energies(of)) >= 5 for of in ("e-1", "e-2", "e-3")))
    for of, source in (("e-1", one), ("e-2", two), ("e-3", three)):
        count = len(ingest.energies(of))
        assert ingest.has(of, count)
        assert source.asked - count <= 3  # on the disk, not yet acknowledged
    sample = next(one for one in ingest.samples if one.meter == "e-1")
    assert dict(zip(sample.quantities, sample.values, strict=True)) == {
        "energy_kwh": 0.01,
        "voltage_a_v": 231.7,
        "voltage_b_v": 231.8,
        "voltage_c_v": 231.9,
        "current_a_a": 5.0,
        "current_b_a": 5.01,
        "current_c_a": 5.02,
        "frequency_hz": 50.01,
        "power_kw": -1.234,
    }


async def test_a_broker_that_is_killed_costs_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Polling goes on meanwhile; the log says once that it is gone and once that it is back."""
    ingest, source = Ingest(mosquitto.port), Dtsd1352(1)
    async with gateway(source) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        with capture_logs() as logs:
            async with running(agent(where, settings(mosquitto.port))):
                for number in (1, 2):
                    await until(lambda: ingest.samples)
                    mosquitto.kill()
                    await asks(source, 5)
                    await asyncio.to_thread(mosquitto.start)
                    asked = source.asked
                    await until(partial(ingest.has, "e-1", asked))
                    await until(lambda number=number: len(about_broker(logs)) == 2 * number)  # type: ignore[misc]  # mypy infers no lambda with a default
    assert about_broker(logs) == ["broker can't be reached", "broker can't be reached: over"] * 2


async def test_a_broker_that_throws_out_is_said_once(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Two agents with one name disconnect each other in turn."""
    ingest = Ingest(mosquitto.port)
    how = settings(mosquitto.port, publish=PublishSettings(status_interval_s=60))
    name = f"jieneng-{SITE}-{AGENT}"
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        with capture_logs() as logs:
            async with running(agent(where, how)):
                for _ in (1, 2):
                    await until(lambda: ingest.status and ingest.status.online)
                    async with aiomqtt.Client("127.0.0.1", mosquitto.port, identifier=name):
                        await until(lambda: ingest.status and not ingest.status.online)
    assert about_broker(logs) == ["broker can't be reached"]


async def test_what_was_kept_without_a_broker_goes_out_in_the_next_run(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Under the boot of the run that read it, and acknowledged for that one."""
    mosquitto.kill()
    ingest, source = Ingest(mosquitto.port), Dtsd1352(1)
    async with gateway(source) as port:
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(agent(where, settings(mosquitto.port))):
            await asks(source, 10)
        kept = source.asked - 1  # the last one may have been on its way
        await asyncio.to_thread(mosquitto.start)
        async with running(ingest.run()), running(agent(where, settings(mosquitto.port))):
            await until(lambda: ingest.has("e-1", kept))
            await until(lambda: len(ingest.energies("e-1")) > kept + 3)
    assert len({boot for boot, _ in ingest.batches}) == 2


async def test_what_is_not_acknowledged_goes_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """The broker has it, the ingest died with it: only the ingest's word counts."""
    ingest, source = Ingest(mosquitto.port), Dtsd1352(1)
    ingest.deaf = True
    async with gateway(source) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(agent(where, settings(mosquitto.port))):
            await until(lambda: ingest.received > 5)
            ingest.deaf = False
            await until(lambda: ingest.has("e-1", 10))
            await until(lambda: ingest.status and ingest.status.stored > 10)


async def test_no_more_than_the_window_is_under_way(mosquitto: Mosquitto, tmp_path: Path) -> None:
    ingest = Ingest(mosquitto.port)
    ingest.deaf = True
    how = settings(
        mosquitto.port,
        publish=PublishSettings(window=3, ack_timeout_s=3600, status_interval_s=0.05),
    )
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(agent(where, how)):
            await until(lambda: ingest.status and ingest.status.pending > 10)
    assert ingest.received == 3


async def test_a_quarantined_batch_leaves_the_spool_and_is_said_once(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest = Ingest(mosquitto.port)
    ingest.quarantines = True
    with capture_logs() as logs:
        async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
            where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
            async with running(agent(where, settings(mosquitto.port))):
                await until(lambda: ingest.status and ingest.status.quarantined >= 5)
    said = [one for one in logs if "set aside" in one["event"]]
    assert [one["reason"] for one in said] == ["unknown_meter"]


async def test_status_says_who_is_there_and_what_became_of_everything(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest = Ingest(mosquitto.port)
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(agent(where, settings(mosquitto.port))):
            await until(lambda: ingest.status and ingest.status.stored > 3)
            status = ingest.status
            assert status is not None
            assert status.online
            assert status.agent == AGENT
            assert status.read == (
                status.stored + status.quarantined + status.pending + status.dropped
            )
        await until(lambda: ingest.status and not ingest.status.online)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as late:
        await late.subscribe(mqtt_messages.topic(SITE, AGENT, "status"), qos=1)
        message = await anext(late.messages)
        assert message.retain
        assert isinstance(message.payload, bytes)
        assert not mqtt_messages.decode_status(message.payload).online


async def test_hostile_acknowledgements_remove_nothing_and_stop_nothing(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest = Ingest(mosquitto.port)
    hostile = [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"v":2}',
        b'{"v":1,"boot":"zzzzzzzz","stored":[[1,9]],"quarantined":[]}',
        b'{"v":1,"boot":"00000000","stored":[[9,1]],"quarantined":[]}',
        b'{"v":1,"boot":"00000000","stored":[[1,9007199254740991]],"quarantined":[]}',
    ]
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with (
            running(agent(where, settings(mosquitto.port))),
            aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
        ):
            await until(lambda: ingest.samples)
            for payload in hostile:
                await client.publish(mqtt_messages.topic(SITE, AGENT, "ack"), payload, qos=1)
            before = len(ingest.energies("e-1"))
            await until(lambda: ingest.has("e-1", before + 5))


async def test_a_damaged_spool_does_not_stop_polling(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / f"spool-{AGENT}.sqlite").write_bytes(b"no database" * 1000)
    ingest = Ingest(mosquitto.port)
    with capture_logs() as logs:
        async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
            where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
            async with running(agent(where, settings(mosquitto.port))):
                await until(lambda: len(ingest.samples) > 3)
    assert len([one for one in logs if "damaged" in one["event"]]) == 1
    assert (tmp_path / f"spool-{AGENT}.sqlite.damaged").exists()


async def test_a_disk_that_is_read_only_costs_readings_but_no_polls(
    mosquitto: Mosquitto, small_disk: Path, tmp_path: Path
) -> None:
    """The fault is logged once, counted, reported over MQTT, and over when the disk can be written
    again.
    """
    remount(small_disk, "ro")
    ingest, source = Ingest(mosquitto.port), Dtsd1352(1)
    how = settings(
        mosquitto.port, spool=SpoolSettings(path=str(small_disk / "s"), commit_delay_s=0.02)
    )
    with capture_logs() as logs:
        async with gateway(source) as port, running(ingest.run()):
            where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
            async with running(agent(where, how)):
                await until(lambda: ingest.status and ingest.status.dropped > 5)
                assert ingest.samples == []
                remount(small_disk, "rw")
                await until(lambda: ingest.status and ingest.status.stored > 5)
                status = ingest.status
                assert status is not None
                assert status.read == (
                    status.stored + status.quarantined + status.pending + status.dropped
                )
                assert source.asked - status.read <= 3  # on their way
    events = [one["event"] for one in logs if one["event"].startswith("spool")]
    assert events == ["spool can't be written", "spool can't be written: over"]


async def test_a_disk_that_others_fill_stops_no_poll(
    mosquitto: Mosquitto, small_disk: Path, tmp_path: Path
) -> None:
    """Pending samples stay, later ones are refused, and every sample is counted."""
    ingest, source = Ingest(mosquitto.port), Dtsd1352(1)
    ingest.deaf = True
    how = settings(
        mosquitto.port, spool=SpoolSettings(path=str(small_disk / "s"), commit_delay_s=0.02)
    )
    with capture_logs() as logs:
        async with gateway(source) as port, running(ingest.run()):
            where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
            async with running(agent(where, how)):
                await until(lambda: ingest.status and ingest.status.pending > 3)
                fill_disk(small_disk)
                for _ in range(5):
                    await asks(source, 3)
                    fill_disk(small_disk)
                (small_disk / "others").unlink()
                ingest.deaf = False
                enough = source.asked
                await until(lambda: ingest.status and ingest.status.stored >= enough)
                status = ingest.status
                assert status is not None
                assert status.read == (
                    status.stored + status.quarantined + status.pending + status.dropped
                )
                assert source.asked - status.read <= 3  # on their way
    assert len([one for one in logs if one["event"] == "spool can't be written"]) <= 1


async def test_a_second_agent_on_the_same_spool_does_not_start(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest = Ingest(mosquitto.port)
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(agent(where, settings(mosquitto.port))):
            await until(lambda: ingest.samples)
            with pytest.raises(SpoolUnavailable):
                await agent(where, settings(mosquitto.port))


async def test_an_agents_buses_have_its_phase_of_its_site_and_go_in_waves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly every site names its agent agent-1: by that alone, all sites on a broker would fire in
    the same moment."""
    begun: list[tuple[str, str, int]] = []

    def poller(
        name: str, *given: Any, phase_key: str, start_group: int = 0, **more: Any
    ) -> BusPoller:
        begun.append((name, phase_key, start_group))
        return BusPoller(name, *given, phase_key=phase_key, start_group=start_group, **more)

    monkeypatch.setattr(app, "BusPoller", poller)
    buses = [bus(f"b{number}", 1 + number) for number in range(52)]  # nobody is there
    meters = [meter(f"m{number}", f"b{number}", 1, interval_s=3600) for number in range(52)]
    async with running(agent(folder(tmp_path, *buses, meters=meters), settings(free_port()))):
        await until(lambda: len(begun) == 52)
    assert begun == [(f"b{n}", f"{SITE}/{AGENT}", n // 50) for n in range(52)]


async def test_metrics_say_what_happened(mosquitto: Mosquitto, tmp_path: Path) -> None:
    ingest, served = Ingest(mosquitto.port), free_port()
    how = settings(mosquitto.port, metrics=MetricsSettings(port=served))
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(
            tmp_path,
            bus("b", port),
            bus("down", free_port()),
            meters=[meter("e-1", "b", 1), meter("e-2", "down", 1)],
        )
        async with running(agent(where, how)):
            await until(lambda: ingest.status and ingest.status.stored > 3)
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{served}/metrics") as answer,
            ):
                text = await answer.text()
    found = {
        name: float(value) for name, value in re.findall(r"^(jien.*) (\S+)$", text, re.MULTILINE)
    }
    assert found['jieneng_edge_polls_total{bus="b",result="ok"}'] > 3
    assert found['jieneng_edge_polls_total{bus="b",result="failed"}'] == 0
    assert found['jieneng_edge_polls_total{bus="down",result="failed"}'] > 0
    assert found['jieneng_edge_poll_seconds_total{bus="b"}'] > 0
    assert found["jieneng_edge_batches_published_total"] >= 3
    assert found["jieneng_edge_batches_acked_total"] >= 3
    for reason in ("full", "old", "refused", "damaged", "undated"):
        assert found[f'jieneng_edge_samples_dropped_total{{reason="{reason}"}}'] == 0
    assert found["jieneng_edge_clock_plausible"] == 1
    assert found["jieneng_edge_uptime_seconds"] > 0
    assert found["jieneng_edge_broker_connected"] == 1
    read, stored = (found[f"jieneng_edge_samples_{what}_total"] for what in ("read", "stored"))
    assert read == stored + found["jieneng_edge_spool_pending"] > 3
    assert found["jieneng_edge_spool_age_seconds"] < found["jieneng_edge_uptime_seconds"]
    assert 0 < found['jieneng_edge_bus_busy_ratio{bus="b"}'] <= 1
