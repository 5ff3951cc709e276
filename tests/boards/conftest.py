"""Databases with the data of the simulated site, filled once a session."""

import asyncio
import urllib.request
from urllib.parse import quote

import pytest

from grafana import build
from jieneng.cli.boards.grafana_commands import board_site
from jieneng.site_folder import SiteFolder
from jieneng.storage import influxql
from tests.boards import simulated_site
from tests.boards.board_queries import Json, Server
from tests.boards.memory_store import MemoryStore
from tests.servers import Influx, Influx2

DATABASE = "boards"


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> SiteFolder:
    return simulated_site.write_folder(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def lines(site_folder: SiteFolder) -> list[bytes]:
    """Everything that the services would have written, as line protocol."""
    store = MemoryStore()
    asyncio.run(simulated_site.fill(site_folder, store))
    return list(store.lines())


@pytest.fixture(scope="session")
def boards(site_folder: SiteFolder) -> dict[str, Json]:
    """The boards of the simulated site, by their file's name."""
    of, *_ = board_site(site_folder.path, "en")
    return build.site_boards(of)


@pytest.fixture(scope="session")
def now_ms(site_folder: SiteFolder) -> int:
    return simulated_site.now_ms(site_folder.site)


@pytest.fixture(scope="session")
def server(influx: Influx, lines: list[bytes]) -> Server:
    """InfluxDB 1.x with the data of the simulated site."""
    made = Server(influx.url, DATABASE)
    post(made, f"query?q={quote(influxql.create_database(DATABASE))}", b"")
    write(made, lines)
    return made


@pytest.fixture(scope="session")
def server2(influx2: Influx2, lines: list[bytes]) -> Server:
    """InfluxDB 2.x with the same data."""
    influx2.make_bucket(DATABASE)
    made = Server(influx2.url, DATABASE, {"Authorization": f"Token {influx2.token}"})
    write(made, lines)
    return made


def write(server: Server, lines: list[bytes]) -> None:
    """Write lines to a server."""
    for body in lines:
        post(server, f"write?db={server.database}&precision=ms", body)


def post(server: Server, path: str, body: bytes) -> None:
    """Send a request to a server, and wait for its answer."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{server.url}/{path}", body, dict(server.headers), method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        answer.read()
