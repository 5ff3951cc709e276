"""`jieneng grafana push` against a real HTTP server that keeps what arrives."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from grafana import data_source, push
from grafana.board_frame import FOLDER_UID
from grafana.data_source import Account
from jieneng.metering.errors import GrafanaUnavailable, UsageError
from tests.cli import run
from tests.servers import free_port
from tests.storage.refusing_server import serving

pytestmark = pytest.mark.server

BOARDS = {"start": {"uid": "jieneng-start", "title": "首页"}, "water": {"uid": "jieneng-water"}}
READER = Account(url="http://influx:8086", database="jieneng", user="grafana", password="read-only")  # noqa: S106 - of a test
SOURCE = f"/api/datasources/uid/{data_source.UID}"


class FakeGrafana:
    """Folders, data sources and dashboards by UID, as Grafana's HTTP API keeps them."""

    def __init__(self, token: str = "right", status: int = 200) -> None:  # noqa: S107 - of a test
        self.token, self.status = token, status
        self.kept: dict[str, dict[str, object]] = {}
        self.calls: list[tuple[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        if request.method == "GET":
            return web.json_response({}, status=200 if request.path in self.kept else 404)
        body = await request.json()
        if self.status != 200:
            return web.json_response({"message": "no"}, status=self.status)
        kind = {"/api/folders": "/api/folders", "/api/dashboards/db": "/dashboards"}
        place = kind.get(request.path, "/api/datasources/uid")
        uid = body["dashboard"]["uid"] if "dashboard" in body else body["uid"]
        self.kept[f"{place}/{uid}"] = body
        return web.json_response({"status": "success"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(self.handle) as url:
            yield url


RIGHT = "right"


async def send(fake: FakeGrafana, source: Account | None = READER, token: str = RIGHT) -> list[str]:
    sent: list[str] = []
    async with fake.running() as url:
        target = push.Target(url=url, token=token, source=source)
        await push.push(target, BOARDS, sent.append)
    return sent


async def test_folder_source_and_boards_arrive_with_their_uids() -> None:
    fake = FakeGrafana()
    assert await send(fake) == ["start", "water"]
    assert set(fake.kept) == {
        f"/api/folders/{FOLDER_UID}",
        SOURCE,
        "/dashboards/jieneng-start",
        "/dashboards/jieneng-water",
    }
    board = fake.kept["/dashboards/jieneng-start"]
    assert board["folderUid"] == FOLDER_UID
    assert board["overwrite"] is True
    source = fake.kept[SOURCE]
    assert source["secureJsonData"] == {"password": "read-only"}
    assert "read-only" not in json.dumps({**source, "secureJsonData": None})


async def test_a_second_push_replaces_and_makes_nothing_twice() -> None:
    fake = FakeGrafana()
    await send(fake)
    first = dict(fake.kept)
    fake.calls.clear()
    await send(fake)
    assert fake.kept == first
    assert ("POST", "/api/folders") not in fake.calls
    assert ("PUT", SOURCE) in fake.calls


async def test_a_source_that_exists_is_left_alone_without_an_account() -> None:
    fake = FakeGrafana()
    await send(fake)
    fake.calls.clear()
    await send(fake, source=None)
    assert not [path for method, path in fake.calls if method != "GET" and "source" in path]


async def test_without_source_and_account_nothing_is_sent_that_could_show_nothing() -> None:
    fake = FakeGrafana()
    with pytest.raises(UsageError, match="--store-user"):
        await send(fake, source=None)
    assert not [key for key in fake.kept if key.startswith("/dashboards")]


async def test_a_wrong_token_a_refusal_and_a_fault_are_told_apart() -> None:
    with pytest.raises(UsageError, match="token"):
        await send(FakeGrafana(), token="wrong")  # noqa: S106 - of a test
    with pytest.raises(UsageError, match="412"):
        await send(FakeGrafana(status=412))
    with pytest.raises(GrafanaUnavailable, match="503"):
        await send(FakeGrafana(status=503))
    target = push.Target(url=f"http://127.0.0.1:{free_port()}", token="t")  # noqa: S106 - of a test
    with pytest.raises(GrafanaUnavailable, match="can't be reached"):
        await push.push(target, BOARDS, print)


def test_the_command_sends_the_boards_of_its_site(site_folder: Path) -> None:
    fake = FakeGrafana(token="from-the-file")  # noqa: S106 - of a test
    (site_folder / "grafana.token").write_text("from-the-file\n")
    (site_folder / "reader.token").write_text("read-only\n")

    async def command() -> subprocess.CompletedProcess[str]:
        async with fake.running() as url:
            return await asyncio.to_thread(
                run.jieneng,
                *("grafana", "push", "--site", site_folder, "--url", url),
                *("--token-file", site_folder / "grafana.token", "--store-user", "grafana"),
                *("--store-password-file", site_folder / "reader.token"),
            )

    done = asyncio.run(command())
    assert done.returncode == 0, done.stderr
    sent = [key for key in fake.kept if key.startswith("/dashboards")]
    assert len(sent) == len(done.stdout.split()) >= 10
    assert fake.kept[SOURCE]["url"] == "http://influx:8086"


def test_a_site_on_sqlite_is_told_what_grafana_needs(site_folder: Path) -> None:
    (site_folder / "analytics.toml").unlink()
    done = run.jieneng("grafana", "push", "--site", site_folder, "--url", "http://127.0.0.1:1")
    assert (done.returncode, "InfluxDB" in done.stderr) == (2, True)
    built = run.jieneng("grafana", "build", "--site", site_folder)
    assert built.returncode == 0
    assert "InfluxDB" in built.stderr
    assert (site_folder / "grafana" / "dashboards" / "jieneng" / "start.json").is_file()


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    run.jieneng("init", folder)
    (folder / "analytics.toml").write_text('[store]\nkind = "influx"\nurl = "http://influx:8086"\n')
    return folder
