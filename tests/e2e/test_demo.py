"""`jieneng demo`: figures, live readings, a page, and a clean end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.run import jieneng
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.long, pytest.mark.server]


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def finished(demo: subprocess.Popen[str]) -> str:
    """What a demo printed, once it has ended well."""
    shown, errors = demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == 0, errors
    return shown


def books(shown: str) -> list[list[int]]:
    """Read, stored, set aside, pending and dropped, as often as a demo printed them."""
    return [
        [int(number) for number in re.findall(r"\d+", line.split("samples:")[1])[:5]]
        for line in shown.splitlines()
        if line.count("samples:") and line.count("dropped")
    ]


def broker_of(folder: Path) -> int | None:
    """The process of a demo's broker, found by the port that its ingest was given."""
    file = folder / "ingest.toml"
    if not file.exists():
        return None
    [port] = re.findall(r"port = (\d+)", file.read_text())
    found = subprocess.run(
        ["pgrep", "-f", f"jieneng broker --port {port}"], capture_output=True, check=False
    )
    return int(found.stdout.split()[0]) if found.stdout else None


def complaints(folder: Path, since: dict[Path, int]) -> list[str]:
    """Lines above the level `info` in the logs of a demo, after the given sizes of the logs."""
    return [
        line
        for log in (folder / "logs").glob("*.log")
        for line in log.read_bytes()[since.get(log, 0) :].decode().splitlines()
        if '"level": "info"' not in line
    ]


def test_the_demo_shows_figures_and_survives_its_broker(tmp_path: Path) -> None:
    """The broker of a demo is killed in the middle, and nothing is lost.

    The demo is then started again, and goes on with the data that were pending when it ended.
    """
    folder = tmp_path / "demo"
    environment = {**os.environ, "JIENENG_LANGUAGE": "en", "PYTHONUNBUFFERED": "1"}

    def start(seconds: int, shown: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "jieneng", "demo", "--for", str(seconds), "--dir", str(folder)],
            stdout=shown,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    on_screen = tmp_path / "screen"
    with on_screen.open("w") as screen:
        first = start(600, screen.fileno())
    try:
        until((folder / "figures.html").exists)
        broker = broker_of(folder)
        assert broker is not None
        os.kill(broker, signal.SIGKILL)
        before = len(books(on_screen.read_text()))
        until(lambda: len(books(on_screen.read_text())) > before)
        _, stored, *_ = books(on_screen.read_text())[-1]
        until(lambda: books(on_screen.read_text())[-1][1] > stored)
        until(lambda: "Pipe burst suspected: 2号楼用水" in on_screen.read_text())
    finally:
        first.send_signal(signal.SIGINT)
    finished(first)
    shown = on_screen.read_text()
    for text in (
        "Binding targets 2025",
        "行政中心（示例）",
        "1号楼",
        "食堂",
        "Total water",
        "100.0 %",
        "alerts notify --try",
    ):
        assert text in shown
    assert all(
        read == stored + set_aside + pending + dropped
        for read, stored, set_aside, pending, dropped in books(shown)
    )
    page = (folder / "figures.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert '<section id="alerts">' in page
    assert "Pipe burst suspected" in page
    assert not re.findall(r'(?:src|href)="https?:', page)
    logged = {log: log.stat().st_size for log in (folder / "logs").glob("*.log")}
    finished(start(15))
    assert complaints(folder, logged) == [], "a demo that nobody disturbs has nothing to warn of"
    done = jieneng("ingest", "ledger", "--site", folder)
    assert done.returncode == 0, done.stdout
    assert "dropped 0" in done.stdout
