"""Start and kill agents and ingests for the kill tests, as forks of a loaded process.

The process has imported everything that they need.

A fork is a process with a disk, sockets and threads of its own, and dies by a real SIGKILL; only
the second that an interpreter needs to start is saved.

Commands come as JSON lines on standard input, answers go to standard output. When the input ends,
all forks are killed.
"""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

import edge_agent.app
import ingest.app
from edge_agent.settings import AgentSettings
from ingest.settings import IngestSettings
from jieneng import clock, observe, site_folder
from tests.edge_agent.timekeeping.file_clock import FileClock


class Command(msgspec.Struct, tag=True):
    """A command to this process."""


class Spawn(Command):
    """Start a service; the answer is its process id.

    Attributes:
        service: `agent`, `agent without battery` (`file_clock`), or `ingest`.
        moment: number of the moment at which the service kills itself. Each statement on its SQLite
            file, spool or store, makes two: before it and after it. 0: never.
    """

    service: str
    moment: int = 0


class Kill(Command):
    """Kill a process after some time; the answer is the statement at which it died before that."""

    pid: int
    after_s: float = 0.0


def main(folder: Path) -> None:
    """Execute commands until the input ends."""
    observe.set_up_logs()
    site = site_folder.load(folder)
    how = site_folder.read_settings(folder / "agent.toml", AgentSettings)
    how_ingest = site_folder.read_settings(folder / "ingest.toml", IngestSettings)
    services: dict[str, Callable[[], Any]] = {
        "agent": lambda: edge_agent.app.run(site, how, clock.SystemClock()),
        "agent without battery": lambda: edge_agent.app.run(site, how, FileClock(folder)),
        "ingest": lambda: ingest.app.run(site, how_ingest, clock.SystemClock()),
    }
    alive: set[int] = set()
    for line in sys.stdin:
        match msgspec.json.decode(line, type=Spawn | Kill):
            case Spawn(service, moment):
                answer: object = _spawn(services[service], moment, folder)
                alive.add(answer)  # type: ignore[arg-type]  # it is a number
            case Kill(pid, after_s):
                _kill(pid, after_s)
                alive.discard(pid)
                death_note = _death_note(folder, pid)
                answer = death_note.read_text() if death_note.exists() else ""
                death_note.unlink(missing_ok=True)
        print(msgspec.json.encode(answer).decode(), flush=True)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _death_note(folder: Path, pid: int) -> Path:
    return folder / f"death-note-{pid}"


def _spawn(service: Callable[[], Any], moment: int, folder: Path) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            if moment:
                _die_at(moment, _death_note(folder, os.getpid()))
            asyncio.run(service())
        finally:
            os._exit(1)
    return pid


def _kill(pid: int, after_s: float) -> None:
    deadline_s = time.monotonic() + after_s
    while time.monotonic() < deadline_s:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _die_at(moment: int, death_note: Path) -> None:
    """Count each SQLite statement twice, before and after it, and die at the given count."""
    left = [moment]

    def passed(when: str, statement: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            death_note.write_text(f"{when} {' '.join(statement.split()[:2])}")
            os.kill(os.getpid(), signal.SIGKILL)

    class Mortal(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            passed("before", statement)
            done = super().execute(statement, *values)
            passed("after", statement)
            return done

        def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:
            passed("before", statement)
            done = super().executemany(statement, *values)
            passed("after", statement)
            return done

    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **named: connect(*given, factory=Mortal, **named)  # type: ignore[assignment]  # the same, mortal


if __name__ == "__main__":
    main(Path(sys.argv[1]))
