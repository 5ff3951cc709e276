"""`jieneng grafana push` against a real HTTP server that keeps what arrives."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from grafana import data_source, push
from grafana.alerting.grafana_alerting import QUIET_HOURS, GrafanaAlerting, grafana_alerting
from grafana.alerting.grafana_rules import FOLDER_UID as ALERT_FOLDER_UID
from grafana.board_frame import FOLDER_UID
from grafana.data_source import Account
from jieneng.metering.errors import GrafanaUnavailable, UsageError
from tests.cli import run
from tests.grafana.test_alerting import BOTH, RULE_KEYS, SITE
from tests.servers import free_port
from tests.storage.refusing_server import serving

pytestmark = pytest.mark.server

BOARDS = {"start": {"uid": "jieneng-start", "title": "首页"}, "water": {"uid": "jieneng-water"}}
READER = Account(url="http://influx:8086", database="jieneng", user="grafana", password="read-only")  # noqa: S106 - of a test
PROVISIONING = "/api/v1/provisioning/"
SOURCE = f"/api/datasources/uid/{data_source.UID}"


class FakeGrafana:
    """Folders, data sources and dashboards by UID, as Grafana's HTTP API keeps them."""

    def __init__(self, token: str = "right", status: int = 200) -> None:  # noqa: S107 - of a test
        self.token, self.status = token, status
        self.kept: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        if request.path.startswith(PROVISIONING):
            return await self.provision(request)
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

    async def provision(self, request: web.Request) -> web.StreamResponse:
        """Answer as the alerting provisioning API does: with its statuses, and its refusals."""
        kind, _, name = request.path.removeprefix(PROVISIONING).partition("/")
        names = [key.rpartition("/")[2] for key in self.kept if key.startswith(f"{kind}/")]
        if request.method == "GET":
            if not name:
                return web.json_response([{"uid": one} for one in names])
            return web.json_response({}, status=200 if name in names else 404)
        body = await request.json()
        key = name or body.get("uid") or body["name"]
        is_made_by_put = kind in ("templates", "folder")
        if request.method == "PUT" and key not in names and not is_made_by_put:
            return web.json_response({"message": "not found"}, status=404)
        if request.method == "POST" and key in names:
            return web.json_response({"message": "exists"}, status=409)
        if kind == "folder" and (problem := self.rule_problem(body)):
            return web.json_response({"message": problem}, status=400)
        self.kept[f"{kind}/{key}"] = body
        return web.json_response(body, status=200 if kind == "folder" else 202)

    def rule_problem(self, group: dict[str, Any]) -> str:
        """Return the reason why a rule group is refused; empty if it is not."""
        points = {
            str(one["name"]) for key, one in self.kept.items() if key.startswith("contact-points/")
        }
        for rule in group["rules"]:
            if extra := set(rule) - {*RULE_KEYS, "orgID", "folderUID", "ruleGroup"}:
                return f"unknown field {extra}"
            settings = rule.get("notification_settings")
            if settings and settings["receiver"] not in points:
                return "receiver does not exist"
            for interval in (settings or {}).get("mute_time_intervals", ()):
                if f"mute-timings/{interval}" not in self.kept:
                    return "time interval does not exist"
        return "" if f"/api/folders/{group['folderUid']}" in self.kept else "no folder"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serving(self.handle) as url:
            yield url


RIGHT = "right"


async def send(
    fake: FakeGrafana,
    source: Account | None = READER,
    token: str = RIGHT,
    alerting: GrafanaAlerting | None = None,
) -> list[str]:
    sent: list[str] = []
    async with fake.running() as url:
        target = push.Target(url=url, token=token, source=source)
        await push.push(target, BOARDS, sent.append, alerting)
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


async def test_alerting_arrives_in_an_order_that_grafana_accepts_and_twice_is_as_once() -> None:
    fake = FakeGrafana()
    alerting = grafana_alerting(SITE, BOTH)
    for _ in range(2):
        assert await send(fake, alerting=alerting) == ["start", "water", "alerting"]
    kept = [key for key in fake.kept if not key.startswith(("/dashboards", "/api"))]
    assert sorted(kept) == [
        "contact-points/jieneng-critical-duty",
        "contact-points/jieneng-critical-night-shift",
        "contact-points/jieneng-warning-duty",
        f"folder/{ALERT_FOLDER_UID}/rule-groups/jieneng",
        f"mute-timings/{QUIET_HOURS}",
        "templates/jieneng",
    ]
    robot = fake.kept["contact-points/jieneng-critical-night-shift"]
    assert robot["settings"]["url"].endswith("access_token=abcdef"), "the API has no variables"
    assert robot["name"] == "jieneng-critical"
    group = fake.kept[f"folder/{ALERT_FOLDER_UID}/rule-groups/jieneng"]
    assert {rule["folderUID"] for rule in group["rules"]} == {ALERT_FOLDER_UID}
    assert len(group["rules"]) == 6


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
    assert len(sent) + 1 == len(done.stdout.split()) >= 11
    assert f"folder/{ALERT_FOLDER_UID}/rule-groups/jieneng" in fake.kept
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
