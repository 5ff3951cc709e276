"""systemd is notified by its protocol, and only if it is present."""

import asyncio
import socket
from pathlib import Path

import pytest

from jieneng.clock import FastClock
from jieneng.systemd import Supervisor
from tests.patience import PATIENCE_S


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.bind(str(tmp_path / "notify"))
    one.settimeout(PATIENCE_S)
    return one


def test_it_is_told_when_the_service_is_ready_reloads_and_leaves(
    systemd: socket.socket, tmp_path: Path
) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    clock = FastClock(1_795_000_000_000, 1.0)
    supervisor.ready()
    supervisor.reloading(clock)
    supervisor.stopping()
    said = [systemd.recv(200).decode() for _ in range(3)]
    assert (said[0], said[2]) == ("READY=1", "STOPPING=1")
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    systemd.close()


async def test_the_watchdog_hears_from_a_loop_that_runs(
    systemd: socket.socket, tmp_path: Path
) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000"})
    alive = asyncio.create_task(supervisor.stay_alive())
    heard = [await asyncio.to_thread(systemd.recv, 200) for _ in range(3)]
    assert heard == [b"WATCHDOG=1"] * 3
    alive.cancel()
    systemd.close()


async def test_without_a_supervisor_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    await Supervisor({}).stay_alive()
    Supervisor({}).ready()
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind("\0jieneng-test-supervisor")
        one.settimeout(PATIENCE_S)
        Supervisor({"NOTIFY_SOCKET": "@jieneng-test-supervisor"}).ready()
        assert one.recv(100) == b"READY=1"
