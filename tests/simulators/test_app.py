"""The service announces its buses once they listen, and leaves nothing behind."""

import asyncio
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from pymodbus.client import AsyncModbusTcpClient

from jieneng.clock import FastClock
from jieneng.metering.errors import Unavailable
from jieneng.observe import MetricsSettings
from jieneng.site_folder import SiteFolder, load
from simulators import app
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SimulatedSite
from tests.patience import PATIENCE_S
from tests.servers import free_port

pytestmark = pytest.mark.server

NOON_MS = 1_763_870_400_000


@pytest.fixture
def own_site(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    """A copy of the example centre: only one simulator may serve a folder at a time."""
    shutil.copytree(example.path, tmp_path / "site")
    return load(tmp_path / "site")


def _read(path: Path) -> dict[str, tuple[str, int]]:
    return json.loads(path.read_text())  # type: ignore[no-any-return]  # JSON


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110 - neither a file nor a task of pymodbus has an event
            await asyncio.sleep(0.005)


async def test_ports_are_written_once_all_listen_and_closed_on_cancellation(
    own_site: SiteFolder, settings: SimulatorSettings, tmp_path: Path
) -> None:
    path = tmp_path / "ports.json"
    chosen = msgspec.structs.replace(settings, ports_file=str(path))
    before = asyncio.all_tasks()
    running = asyncio.create_task(app.run(own_site, chosen, FastClock(NOON_MS, 1.0)))
    await _until(path.exists)
    addresses = _read(path)
    assert set(addresses) == set(own_site.site.buses)
    for host, port in addresses.values():
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        await writer.wait_closed()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for host, port in addresses.values():
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection(host, port)
    await _until(lambda: not asyncio.all_tasks() - before)


async def test_a_taken_port_is_said_and_the_other_buses_are_closed_again(
    simulated: SimulatedSite,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"data-room-lan": taken.getsockname()[1]}
        with pytest.raises(Unavailable, match="can't listen on 127"):
            async with site_server.serving(simulated, FastClock(NOON_MS, 1.0), ports=ports):
                raise AssertionError("it must not begin")


async def test_requests_are_counted_and_an_unknown_year_is_said(
    own_site: SiteFolder,
    settings: SimulatorSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, metrics = tmp_path / "ports.json", free_port()
    chosen = msgspec.structs.replace(
        settings, ports_file=str(path), metrics=MetricsSettings(port=metrics)
    )
    in_2031 = FastClock(NOON_MS + 6 * 365 * 86_400_000, 1.0)
    running = asyncio.create_task(app.run(own_site, chosen, in_2031))
    await _until(path.exists)
    port = _read(path)["data-room-lan"][1]
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    await client.read_holding_registers(0x0C83, count=4, device_id=1)
    await client.read_holding_registers(0, count=4, device_id=200)
    client.close()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{metrics}/metrics") as answer,
    ):
        page = await answer.text()
    assert 'simulator_requests_total{bus="data-room-lan",verdict="good"} 1.0' in page
    assert 'simulator_requests_total{bus="data-room-lan",verdict="bad"} 1.0' in page
    assert "only weekends count" in capsys.readouterr().out
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
