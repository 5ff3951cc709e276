"""`jieneng up --simulated`: a whole small site in one process, without a server or a meter."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.run import jieneng
from tests.patience import PATIENCE_S
from tests.servers import free_port

pytestmark = [pytest.mark.long, pytest.mark.server]


def test_a_site_runs_in_one_process_and_ends_when_told(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assert jieneng("init", folder).returncode == 0
    site = folder / "site.toml"
    site.write_text(site.read_text().replace("interval_s = 10\n", "interval_s = 0.5\n"))
    (folder / "ingest.toml").write_text(f"[broker]\nport = {free_port()}\n")
    (folder / "agent.toml").write_text("[publish]\nstatus_interval_s = 0.5\n")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jieneng", "up", "--simulated", "--site", str(folder)],
            stderr=log,
            env={**os.environ, "JIENENG_LANGUAGE": "en"},
        )
        try:
            deadline = time.monotonic() + PATIENCE_S
            book = ""
            while book.count("balances") < 2 or "stored 0 " in book:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                assert process.poll() is None, (tmp_path / "log").read_text()
                book = jieneng("ingest", "ledger", "--site", folder).stdout
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0


def test_a_taken_port_is_a_sentence_and_exit_code_3(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assert jieneng("init", folder).returncode == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (folder / "ingest.toml").write_text(f"[broker]\nport = {port}\n")
        done = jieneng("up", "--site", folder, "--simulated")
    assert done.returncode == 3, done.stderr
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
