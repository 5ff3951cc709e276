"""`jieneng alerts notify --try` prints the answer of each receiver to a sample."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.alerts.test_alert_commands import EXAMPLE
from tests.cli.run import jieneng

pytestmark = pytest.mark.server


@pytest.fixture
def robot() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A robot that takes what WeCom's takes: its address, and what it was sent."""
    received: list[dict[str, Any]] = []

    class Robot(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = b'{"errcode": 0, "errmsg": "ok"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Robot)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/cgi-bin/webhook/send?key=k", received
    server.shutdown()
    server.server_close()


def site_with(folder: Path, receivers: str) -> Path:
    shutil.copytree(EXAMPLE, folder)
    (folder / "alerts.toml").write_text(receivers, encoding="utf-8")
    return folder


def test_each_receiver_is_tried_and_a_failure_is_said_without_secrets(
    robot: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    address, received = robot
    site = site_with(
        tmp_path / "site",
        f'[[receiver]]\nid = "duty"\nurl = "{address}"\n\n'
        '[[receiver]]\nid = "down"\nurl_file = "down.url"\nlanguage = "en"\n\n'
        '[[receiver]]\nid = "missing"\nurl_file = "missing.url"\n',
    )
    (site / "down.url").write_text("http://127.0.0.1:9/cgi-bin/webhook/send?key=SECRET")
    done = jieneng("alerts", "notify", "--try", "--site", site)
    assert done.returncode == 1, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == "duty: sent."
    assert second.startswith("down: ")
    assert "missing.url" in third
    assert "SECRET" not in done.stdout + done.stderr
    (message,) = received
    text = message["text"]["content"]
    for words in ("【测试】", "这是测试通知", "夜间持续用水", "建议先做"):
        assert words in text
    done = jieneng("alerts", "notify", "--try", "duty", "--site", site)
    assert (done.returncode, done.stdout) == (0, "duty: sent.\n")


def test_a_receiver_that_is_not_there_is_refused(tmp_path: Path) -> None:
    site = site_with(tmp_path / "site", '[[receiver]]\nid = "duty"\nurl = "http://127.0.0.1:9/x"\n')
    done = jieneng("alerts", "notify", "--try", "dty", "--site", site)
    assert (done.returncode, "Did you mean duty?" in done.stderr) == (2, True)
    (site / "alerts.toml").write_text("")
    done = jieneng("alerts", "notify", "--try", "--site", site)
    assert (done.returncode, "names no receiver" in done.stderr) == (2, True)
