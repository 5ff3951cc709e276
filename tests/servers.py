"""Real servers for tests: mosquitto, InfluxDB 1.x and 2.x, each on a free port in its own folder.

If one is not installed, the tests that need it are skipped, with a message; with
`JIENENG_REQUIRE_SERVICES=1`, as CI sets it, a missing one is a failure. InfluxDB 2 is in no package
registry: `make services` builds it into the cache. If it was never built, because Go or Cargo is
    missing, its tests are skipped in CI too; if it was built but is missing, they fail there.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from jieneng.storage.retention import shard_s
from tests.patience import PATIENCE_S


def free_port() -> int:
    """Return a port on which no program listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(program: str) -> str:
    """Return the path of a server's program; skip the test if it is not installed."""
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if path is None and os.environ.get("JIENENG_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{program} is not installed, and JIENENG_REQUIRE_SERVICES=1 wants it")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def cache_folder() -> Path:
    """Return the folder for programs that are built once on a machine."""
    return Path(os.environ.get("JIENENG_CACHE") or Path.home() / ".cache" / "jieneng")


def need_built(name: str) -> str:
    """Return the path of a program of `make services`; skip the test if it is not built."""
    cache = cache_folder()
    path, was_built = cache / name / name.split("-", maxsplit=1)[0], cache / name / "built"
    if path.is_file():
        return str(path)
    if was_built.exists() and os.environ.get("JIENENG_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{path} was built and is gone: run `make services`")
    pytest.skip(f"{name} is not built: run `make services`")


class Server:
    """A server process that can be killed and started again on the same port and folder."""

    #: Signal by which it ends in order.
    end_signal = signal.SIGTERM

    def __init__(self, command: list[str], answers: Callable[[], bool], log: Path) -> None:
        self.command = command
        self.answers = answers
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out)
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Kill it at once, as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._end(self.end_signal)

    def _end(self, with_signal: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait(timeout=PATIENCE_S)
            self.process = None


class Mosquitto(Server):
    """An MQTT broker at 127.0.0.1:`port`, for anyone.

    Args:
        folder: for its configuration and its log.
        lines: more lines of its configuration; those of access rules (`topic ...`) go into the
            file `acl` in the folder.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        rules = [line for line in lines if line.startswith("topic ")]
        others = [line for line in lines if line not in rules]
        if rules:
            (folder / "acl").write_text("\n".join(rules))
            others.append(f"acl_file {folder}/acl")
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            # None where root starts it: mosquitto would drop to a user who can't read the folder.
            + ("user root\n" if os.geteuid() == 0 else "")
            + "".join(f"{line}\n" for line in others)
        )
        super().__init__(
            [need("mosquitto"), "-c", str(config)],
            lambda: _listens(self.port),
            folder / "mosquitto.log",
        )


class Influx(Server):
    """An InfluxDB 1.x at `url`, without authentication."""

    def __init__(
        self, folder: Path, *, data: str = 'index-version = "tsi1"', http: str = ""
    ) -> None:
        """Lay out its folder.

        Args:
            folder: where its files go.
            data: settings of the table `[data]`.
            http: settings of the table `[http]`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.port, rpc = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = folder / "influxdb.conf"
        config.write_text(
            f"""
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  {data}
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
  {http}
[monitor]
  store-enabled = false
[logging]
  level = "warn"
"""
        )
        super().__init__(
            [need("influxd"), "run", "-config", str(config)],
            lambda: _pings(self.url),
            folder / "influxd.log",
        )


class Influx2(Server):
    """An InfluxDB 2.x at `url`, set up with an operator's token at its first start."""

    end_signal = signal.SIGINT  # a SIGTERM kills it at once
    org = "jieneng"
    token = "operator-token"  # noqa: S105 - of a test's server

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options = {
            "http-bind-address": f"127.0.0.1:{self.port}",
            "bolt-path": folder / "influxd.bolt",
            "sqlite-path": folder / "influxd.sqlite",
            "engine-path": folder / "engine",
            "log-level": "error",
        }
        flags = ["--reporting-disabled", "--no-tasks", "--ui-disabled"]
        super().__init__(
            [need_built("influxd-2.9.1"), *flags, *(f"--{k}={v}" for k, v in options.items())],
            lambda: _pings(self.url),
            folder / "influxd.log",
        )

    def start(self) -> Self:
        """Start it, and set it up if it is new."""
        super().start()
        if self.call("GET", "/api/v2/setup")["allowed"]:
            self.call(
                "POST",
                "/api/v2/setup",
                username="admin",
                password="admin-password",  # noqa: S106 - of a test's server
                org=self.org,
                bucket="first",
                token=self.token,
            )
        return self

    def make_bucket(self, name: str, *, retention_s: int = 0) -> None:
        """Make a bucket that `/query` knows as a database of the same name."""
        (org,) = self.call("GET", f"/api/v2/orgs?org={self.org}")["orgs"]
        rules = [
            {
                "type": "expire",
                "everySeconds": retention_s,
                "shardGroupDurationSeconds": shard_s(retention_s),
            }
        ]
        bucket = self.call(
            "POST", "/api/v2/buckets", orgID=org["id"], name=name, retentionRules=rules
        )
        self.call(
            "POST",
            "/api/v2/dbrps",
            orgID=org["id"],
            bucketID=bucket["id"],
            database=name,
            retention_policy="autogen",
            default=True,
        )

    def call(self, method: str, path: str, **body: object) -> Any:
        """Call its API as the operator, and return the answer."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url + path,
            json.dumps(body).encode() if body else None,
            {"Authorization": f"Token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return json.loads(answer.read() or b"{}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _pings(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=1) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 204)
    except OSError:
        return False
