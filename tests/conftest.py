"""Fixtures for all tests: real servers, the example site, and the folder of measured data."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from hypothesis import settings

from jieneng.site_folder import SiteFolder, load
from tests.servers import Influx, Influx2, Mosquitto

ROOT = Path(__file__).parent.parent

# In CI every run has the same cases. A local run has new ones, and `make fuzz` many more. Slow
# cases do not fail, because the machine may be busy. A few cases of each are enough before a
# commit.
settings.register_profile("usual", deadline=None)
settings.register_profile("steady", settings.get_profile("usual"), derandomize=True)
settings.register_profile("quick", settings.get_profile("steady"), max_examples=15)
settings.register_profile("fuzz", settings.get_profile("usual"), max_examples=3000)
settings.load_profile("usual")


#: Fixtures that start a server.
SERVERS = {"influx", "influx2", "mosquitto"}


#: A file system in memory, and the free bytes [B] with which temporary files are put there.
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes folders of its own in it
FREE_BYTES = 4 * 2**30


def pytest_configure() -> None:
    """Put temporary files into memory if there is room.

    The databases of the tests sync to the disk thousands of times, which memory makes fast. Memory
    is safe enough for tests with SIGKILL: a killed process loses no data that it has written.
    """
    if "TMPDIR" in os.environ or not IN_MEMORY.is_dir():
        return
    if shutil.disk_usage(IN_MEMORY).free >= FREE_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, and begin with the longest tests.

    A worker that begins a minute's test last would be waited for by all others.
    """
    for item in items:
        if isinstance(item, pytest.Function) and SERVERS.intersection(item.fixturenames):
            item.add_marker("server")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def only_marked_tests_start_servers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Check that only tests with the mark `server` start one; `make quick` leaves them out."""
    refused: list[str] = []

    def refuse(*_: object, **__: object) -> NoReturn:
        refused.append(request.node.nodeid)
        raise RuntimeError("a test without the mark `server` starts one")

    if request.node.get_closest_marker("server") is None:
        monkeypatch.setattr(socket.socket, "listen", refuse)
        monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
        monkeypatch.setattr(os, "openpty", refuse)
    yield
    if refused:
        pytest.fail("it starts a server or a process: mark it with pytest.mark.server")


@pytest.fixture(autouse=True)
def logs_of_one_test_only() -> Iterator[None]:
    """A command that runs in this process sets up the logs: on a stream that ends with its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def mosquitto(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of this test alone; it may kill and restart it.

    A test adds lines to its configuration by `parametrize("mosquitto", [...], indirect=True)`.
    """
    server = Mosquitto(tmp_path / "mosquitto", *getattr(request, "param", ()))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """An InfluxDB for the session: each test takes a database of its own, and leaves it running."""
    server = Influx(tmp_path_factory.mktemp("influx"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influx2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx2]:
    """An InfluxDB 2 for the session: each test takes a bucket of its own."""
    server = Influx2(tmp_path_factory.mktemp("influx2"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def example() -> SiteFolder:
    """The example centre."""
    return load(ROOT / "jieneng" / "sites" / "example")


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of measured data from other projects; the test is skipped if it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of measured data is not beside this checkout")
    return folder
