"""What a poll costs the agent, everything included: ask, check, decode, spool on disk, publish,
acknowledgement.

The agent is a process of its own, as in life; the meters and the acknowledging ingest are in this
one, and mosquitto is real. Without mosquitto there is nothing to measure.
"""

import asyncio
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiomqtt

from jieneng.metering import wire
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Ack
from tests.bench.process import cpu_s, resident_mb
from tests.bench.result import Result
from tests.servers import Mosquitto

_METERS, _LINKS, _INTERVAL_S = 1000, 50, 1.0
_WARM_UP_S, _MEASURE_S = 5.0, 15.0
_NAMES = sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)[:20]
_VALUES = struct.pack(">20f", *[float(i) + 0.5 for i in range(20)])


class _Meters(asyncio.Protocol):
    """Answers every Modbus TCP request for 40 registers with the same 20 floats."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        head = data[:4] + struct.pack(">H", 3 + len(_VALUES)) + data[6:8]
        self._transport.write(head + bytes([len(_VALUES)]) + _VALUES)


def results() -> Iterator[Result]:
    """1,000 meters with 20 float registers on 50 TCP links, each polled every second."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    if shutil.which("mosquitto", path=path) is None:
        sys.stderr.write("edge: mosquitto is not installed, so nothing is measured\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        cpu_us, rss_mb, polls = asyncio.run(_measure(Path(folder)))
    yield Result(bench="edge.cpu_per_poll", value=cpu_us, unit="us")
    yield Result(bench="edge.resident_memory", value=rss_mb, unit="MB", bar="<= 60")
    share = polls / (_METERS / _INTERVAL_S * _MEASURE_S)
    yield Result(bench="edge.polls_done", value=share, unit="share of those due")


async def _measure(folder: Path) -> tuple[float, float, int]:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_Meters, "127.0.0.1", 0) for _ in range(_LINKS)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    broker = Mosquitto(folder / "mosquitto").start()
    _write_site(folder, ports, broker.port)
    agent = subprocess.Popen(  # noqa: ASYNC220 - starts at once
        [sys.executable, "-m", "jieneng", "edge", "run", "--site", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    counted = [0]
    acking = asyncio.create_task(_acknowledge(broker.port, counted))
    try:
        await asyncio.sleep(_WARM_UP_S)
        cpu, polls = cpu_s(agent.pid), counted[0]
        await asyncio.sleep(_MEASURE_S)
        done = counted[0] - polls
        return (cpu_s(agent.pid) - cpu) / done * 1e6, resident_mb(agent.pid), done
    finally:
        agent.terminate()
        agent.wait()
        acking.cancel()
        await asyncio.wait([acking])
        broker.stop()
        for server in servers:
            server.close()


async def _acknowledge(port: int, counted: list[int]) -> None:
    """An ingest that stores nothing."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(wire.topic("bench", "agent", "batch"), qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            batch = wire.decode_batch(message.payload)
            counted[0] += len(batch.samples)
            ack = wire.encode_ack(Ack(batch.boot, ((batch.seq, batch.seq),)))
            await client.publish(wire.topic("bench", "agent", "ack"), ack)


def _write_site(folder: Path, ports: list[int], broker_port: int) -> None:
    site = ['[site]\nid = "bench"\nname = "bench"\n[[area]]\nid = "a"\nname = "a"\n']
    for link, port in enumerate(ports):
        site.append(
            f'[[bus]]\nid = "bus-{link}"\nagent = "agent"\nhost = "127.0.0.1"\nport = {port}\n'
        )
    site += [
        f'[[meter]]\nid = "m-{number}"\nname = "m"\nmedium = "electricity"\nmodel = "bench"\n'
        f'bus = "bus-{number % _LINKS}"\nunit = {number // _LINKS + 1}\narea = "a"\n'
        f"interval_s = {_INTERVAL_S}\n"
        for number in range(_METERS)
    ]
    (folder / "site.toml").write_text("\n".join(site))
    (folder / "agent.toml").write_text(f"[broker]\nport = {broker_port}\n")
    head = (
        '[model]\nid = "bench"\nname = "bench"\nmedium = "electricity"\n'
        'source = "made for this bench"\nconfidence = "manual"\n'
    )
    points = [
        f'[[point]]\nquantity = "{name}"\nfunction = 3\naddress = {2 * row}\ntype = "f32"\n'
        for row, name in enumerate(_NAMES)
    ]
    (folder / "models").mkdir()
    (folder / "models" / "bench.toml").write_text("\n".join([head, *points]))
