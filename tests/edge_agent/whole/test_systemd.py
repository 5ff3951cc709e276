"""The agent as systemd sees it (`Type=notify`, `WatchdogSec=`): ready, alive, leaving."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent import app
from edge_agent.settings import AgentSettings
from jieneng.clock import SystemClock
from jieneng.metering.errors import ConfigError, Problem
from jieneng.site_folder import SiteFolder
from tests.edge_agent.agent_setup import bus, folder, meter, running, settings
from tests.patience import PATIENCE_S
from tests.servers import free_port


class Systemd:
    """A fake of systemd: the receiving end of `NOTIFY_SOCKET`."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    async def hears(self, *keys: str) -> list[str]:
        """Return the next messages that begin with one of these keys, and skip all others."""
        loop, said = asyncio.get_running_loop(), list[str]()
        async with asyncio.timeout(PATIENCE_S):
            while len(said) < len(keys):
                message = (await loop.sock_recv(self.socket, 4096)).decode()
                if message.startswith(keys):
                    said.append(message)
        return said


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    one = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    yield one
    one.socket.close()


@asynccontextmanager
async def agent(path: Path, *rereads: ConfigError | None) -> AsyncIterator[None]:
    """Run an agent without broker and meters; each SIGHUP reads the old site, or fails."""
    where = folder(path, bus("b", free_port()), meters=[meter("e-1", "b", 1)])
    how = settings(free_port())
    left = iter(rereads)

    def reload() -> tuple[SiteFolder, AgentSettings]:
        if error := next(left):
            raise error
        return where, how

    async with running(app.run(where, how, SystemClock(), reload=reload)):
        yield


async def test_an_agent_says_that_it_is_ready_then_alive_again_and_again_and_that_it_leaves(
    systemd: Systemd, tmp_path: Path
) -> None:
    async with agent(tmp_path):
        ready, *alive = await systemd.hears("READY", *["WATCHDOG"] * 5)
    (leaves,) = await systemd.hears("STOPPING")
    assert (ready, set(alive), leaves) == ("READY=1", {"WATCHDOG=1"}, "STOPPING=1")


async def test_a_reload_is_said_when_it_begins_and_ends_also_where_the_file_is_refused(
    systemd: Systemd, tmp_path: Path
) -> None:
    """With `Type=notify-reload` a RELOADING without its moment, or with one before the signal, is
    no answer to that; one without a READY is a reload that hangs."""
    refused = ConfigError([Problem(text="it is wrong.", fix="Mend it.")])
    async with agent(tmp_path, None, refused):
        assert await systemd.hears("READY") == ["READY=1"]
        for _ in range(2):
            before_us = time.monotonic_ns() // 1000
            os.kill(os.getpid(), signal.SIGHUP)
            reloading, ready = await systemd.hears("RELOADING", "READY")
            after_us = time.monotonic_ns() // 1000
            key, _, moment = reloading.partition("\n")
            assert (key, ready) == ("RELOADING=1", "READY=1")
            assert before_us <= int(moment.removeprefix("MONOTONIC_USEC=")) <= after_us
