"""`jieneng ingest prepare` on real servers creates missing parts once, with least rights."""

import asyncio
import json
import stat
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from aiohttp import web

from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings
from jieneng.storage.influx import InfluxStore
from tests.cli import run
from tests.servers import Influx, Influx2
from tests.storage.refusing_server import serving

pytestmark = pytest.mark.server

ROOT_PASSWORD = "root-password"  # noqa: S105 - of a test's server
NOW = "1795000000000"


def site_with(path: Path, url: str, database: str) -> Path:
    """A site whose ingest stores at a server."""
    run.jieneng("init", path)
    (path / "ingest.toml").write_text(
        f'[store]\nkind = "influx"\nurl = "{url}"\ndatabase = "{database}"\n'
    )
    return path


def call(
    url: str, path: str, authorization: str | None, body: bytes | None = None, **query: str
) -> tuple[int, str]:
    """Call a server as somebody, and return status and answer."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{url}{path}?{urllib.parse.urlencode(query)}",
        body,
        {"Authorization": authorization} if authorization else {},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def writes(url: str, database: str, who: str) -> bool:
    line = f"electricity,meter=m,site=s energy_kwh=1 {NOW}".encode()
    status, _ = call(url, "/write", who, line, db=database, precision="ms")
    return status == 204


def reads(url: str, database: str, who: str) -> bool:
    status, text = call(url, "/query", who, db=database, q="SELECT * FROM electricity")
    return status == 200 and "series" in text


def deletes(url: str, database: str, who: str) -> bool:
    status, text = call(
        url, "/query", who, b"", db=database, q="DELETE FROM nosuch WHERE time < 1795000000000ms"
    )
    return status == 200 and "error" not in text


def assert_least_rights(url: str, database: str, who: dict[str, str]) -> None:
    assert {name: writes(url, database, key) for name, key in who.items()} == {
        "ingest": True,
        "analytics": True,
        "grafana": False,
    }
    assert {name: reads(url, database, key) for name, key in who.items()} == {
        "ingest": False,
        "analytics": True,
        "grafana": True,
    }
    assert deletes(url, database, who["analytics"])
    assert not deletes(url, database, who["grafana"])


async def assert_the_services_can_work(
    url: str, database: str, secrets: Path, *, is_token: bool
) -> None:
    """Each account is enough for what its service asks of the store."""

    def opened(account: str) -> InfluxStore:
        file = str(secrets / f"{account}.{'token' if is_token else 'password'}")
        settings = StoreSettings(kind="influx", url=url, database=database)
        return InfluxStore(
            msgspec.structs.replace(settings, token_file=file)
            if is_token
            else msgspec.structs.replace(
                settings, username=f"{database}_{account}", password_file=file
            )
        )

    time_ms = int(NOW) + 1
    point = Point.of("water", (("meter", "m"), ("site", "s")), (("volume_m3", 1.0),), time_ms)
    ingest, analytics = opened("ingest"), opened("analytics")
    for store in (ingest, analytics):
        await store.prepare()
        assert (await store.write([point])).written == 1
    assert await analytics.span("water", where={}) == (time_ms, time_ms)
    await analytics.delete("water", where={}, start_ms=time_ms, end_ms=time_ms + 1)
    assert await analytics.span("water", where={}) is None
    assert await analytics.retention_s() in (None, 4000 * 86400.0)
    for store in (ingest, analytics):
        await store.close()


@pytest.fixture
def guarded_influx(tmp_path: Path) -> Iterator[Influx]:
    """An InfluxDB 1.x that wants a login, with the administrator `root`."""
    server = Influx(tmp_path / "influx", http="auth-enabled = true")
    server.start()
    statement = f"CREATE USER root WITH PASSWORD '{ROOT_PASSWORD}' WITH ALL PRIVILEGES"
    assert call(server.url, "/query", None, b"", q=statement)[0] == 200
    yield server
    server.stop()


def test_influxdb_2_gets_bucket_mapping_and_three_tokens(influx2: Influx2, tmp_path: Path) -> None:
    name = f"t{uuid4().hex}"
    site = site_with(tmp_path / "site", influx2.url, name)
    (tmp_path / "operator").write_text(influx2.token)
    command = ("ingest", "prepare", "--site", site, "--admin-token-file", tmp_path / "operator")

    dry = run.jieneng(*command, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"{influx2.url} is InfluxDB 2.x v2.9.1" in dry.stdout
    assert dry.stdout.count("would create:") == 5
    assert "Nothing was changed" in dry.stdout
    assert influx2.call("GET", f"/api/v2/buckets?name={name}")["buckets"] == []

    done = run.jieneng(*command, "--token-dir", tmp_path / "tokens")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("created:") == 5
    files = {path.name: path for path in (tmp_path / "tokens").iterdir()}
    assert set(files) == {"ingest.token", "analytics.token", "grafana.token"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    who = {name.split(".")[0]: f"Token {path.read_text().strip()}" for name, path in files.items()}
    assert not any(key.split()[1] in done.stdout for key in who.values())
    assert_least_rights(influx2.url, name, who)
    asyncio.run(assert_the_services_can_work(influx2.url, name, tmp_path / "tokens", is_token=True))
    (mapping,) = influx2.call("GET", f"/api/v2/dbrps?db={name}&org=jieneng")["content"]
    assert mapping["default"]
    assert not mapping.get("virtual")

    again = run.jieneng(*command, "--token-dir", tmp_path / "tokens")
    assert again.returncode == 0
    assert again.stdout.count("exists:") == 5
    assert "Nothing to change" in again.stdout
    tokens = influx2.call("GET", "/api/v2/authorizations")["authorizations"]
    assert len([one for one in tokens if one["description"].startswith(name)]) == 3


def test_tokens_without_a_folder_are_printed_once(influx2: Influx2, tmp_path: Path) -> None:
    name = f"t{uuid4().hex}"
    site = site_with(tmp_path / "site", influx2.url, name)
    (tmp_path / "operator").write_text(influx2.token)
    command = ("ingest", "prepare", "--site", site, "--admin-token-file", tmp_path / "operator")
    done = run.jieneng(*command)
    lines = [line for line in done.stdout.splitlines() if "shown only once" in line]
    who = {line.split()[3].strip(","): f"Token {line.split()[-1]}" for line in lines}
    assert_least_rights(influx2.url, name, who)
    assert "shown only once" not in run.jieneng(*command).stdout


def test_a_secret_replaces_no_file_and_its_token_is_not_made(
    influx2: Influx2, tmp_path: Path
) -> None:
    name = f"t{uuid4().hex}"
    site = site_with(tmp_path / "site", influx2.url, name)
    (tmp_path / "operator").write_text(influx2.token)
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "ingest.token").write_text("of another site")
    done = run.jieneng(
        *("ingest", "prepare", "--site", site, "--admin-token-file", tmp_path / "operator"),
        *("--token-dir", tmp_path / "tokens"),
    )
    assert done.returncode == 2
    assert "ingest.token can't be created" in done.stderr
    assert (tmp_path / "tokens" / "ingest.token").read_text() == "of another site"
    tokens = influx2.call("GET", "/api/v2/authorizations")["authorizations"]
    assert not [one for one in tokens if one["description"].startswith(name)]


def test_influxdb_1_with_logins_gets_database_and_three_users(
    guarded_influx: Influx, tmp_path: Path
) -> None:
    site = site_with(tmp_path / "site", guarded_influx.url, "centre")
    (tmp_path / "root").write_text(ROOT_PASSWORD)
    command = (
        *("ingest", "prepare", "--site", site, "--admin-user", "root"),
        *("--admin-password-file", tmp_path / "root", "--retention-days", 4000),
    )

    dry = run.jieneng(*command, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "is InfluxDB 1.x 1.6.7" in dry.stdout
    assert dry.stdout.count("would create:") == 8
    root = basic("root", ROOT_PASSWORD)
    assert "centre" not in call(guarded_influx.url, "/query", root, q="SHOW DATABASES")[1]

    done = run.jieneng(*command, "--token-dir", tmp_path / "secrets")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("created:") == 8
    who = {
        path.stem: basic(f"centre_{path.stem}", path.read_text().strip())
        for path in (tmp_path / "secrets").iterdir()
    }
    assert_least_rights(guarded_influx.url, "centre", who)
    asyncio.run(
        assert_the_services_can_work(
            guarded_influx.url, "centre", tmp_path / "secrets", is_token=False
        )
    )
    policies = call(guarded_influx.url, "/query", root, q='SHOW RETENTION POLICIES ON "centre"')[1]
    assert json.loads(policies)["results"][0]["series"][0]["values"][0][1] == "96000h0m0s"

    again = run.jieneng(*command, "--token-dir", tmp_path / "secrets")
    assert again.returncode == 0
    assert again.stdout.count("exists:") == 8
    assert "Nothing to change" in again.stdout


def test_without_logins_no_users_are_made_and_the_open_door_is_told(
    influx: Influx, tmp_path: Path
) -> None:
    name = f"t{uuid4().hex}"
    command = ("ingest", "prepare", "--site", site_with(tmp_path / "site", influx.url, name))
    done = run.jieneng(*command)
    assert done.returncode == 0
    assert f"created: database {name}" in done.stdout
    assert "Authentication is disabled" in done.stdout
    assert "user" not in [line for line in done.stdout.splitlines() if line.startswith("created")]
    assert "Nothing to change" in run.jieneng(*command).stdout


def test_a_retention_shorter_than_the_base_year_is_told(influx: Influx, tmp_path: Path) -> None:
    name = f"t{uuid4().hex}"
    command = ("ingest", "prepare", "--site", site_with(tmp_path / "site", influx.url, name))
    for more in (("--dry-run",), ()):
        done = run.jieneng(*command, "--retention-days", 30, *more)
        assert done.returncode == 1
        assert "kept for 30 days, but the plan's base year began" in done.stdout
    assert run.jieneng(*command).returncode == 1
    assert run.jieneng(*command, "--retention-days", 0).returncode == 0


def test_a_retention_that_would_delete_readings_is_refused(influx: Influx, tmp_path: Path) -> None:
    name = f"t{uuid4().hex}"
    command = ("ingest", "prepare", "--site", site_with(tmp_path / "site", influx.url, name))
    assert run.jieneng(*command).returncode == 0
    line = b"water,meter=m volume_m3=1 1600000000000"
    assert call(influx.url, "/write", None, line, db=name, precision="ms")[0] == 204
    done = run.jieneng(*command, "--retention-days", 30)
    assert done.returncode == 2
    assert "would delete readings" in done.stderr
    assert reads_water(influx.url, name)


def reads_water(url: str, database: str) -> bool:
    return "series" in call(url, "/query", None, db=database, q="SELECT * FROM water")[1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_administrator_is_asked_for(
    language: str, influx2: Influx2, guarded_influx: Influx, tmp_path: Path
) -> None:
    for url in (influx2.url, guarded_influx.url):
        site = site_with(tmp_path / url[-5:], url, "centre")
        done = run.jieneng("ingest", "prepare", "--site", site, language=language)
        assert done.returncode == 2
        assert "--admin-token-file" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site", "http://127.0.0.1:1", "centre")
    done = run.jieneng("ingest", "prepare", "--site", site)
    assert done.returncode == 3
    assert "can't be reached" in done.stderr


async def test_what_is_no_database_is_not_changed(tmp_path: Path) -> None:
    methods = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        methods.add((request.method, request.path))
        return web.Response(text="<html>a shop</html>")

    async with serving(answer) as url:
        site = await asyncio.to_thread(site_with, tmp_path / "site", url, "centre")
        done = await asyncio.to_thread(run.jieneng, "ingest", "prepare", "--site", site)
    assert done.returncode == 0
    assert "does not identify itself" in done.stdout
    assert methods == {("GET", "/ping")}


def test_a_file_is_made_once(tmp_path: Path) -> None:
    run.jieneng("init", tmp_path / "site")
    command = ("ingest", "prepare", "--site", tmp_path / "site")
    assert "would create: store" in run.jieneng(*command, "--dry-run").stdout
    assert not (tmp_path / "site" / "store.sqlite").exists()
    assert "created: store" in run.jieneng(*command).stdout
    assert "exists: store" in run.jieneng(*command).stdout


def test_without_the_client_of_influxdb_2_the_command_says_how_to_install_it(
    influx2: Influx2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_with(tmp_path / "site", influx2.url, "centre")
    (tmp_path / "influxdb_client.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("JIENENG_ADMIN_TOKEN", influx2.token)
    done = run.jieneng("ingest", "prepare", "--site", site)
    assert done.returncode == 2
    assert "pip install 'jieneng[influx2]'" in done.stderr
