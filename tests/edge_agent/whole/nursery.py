"""Where agents and ingests of the kill test are born: a process that has imported everything, and
forks. What it bears is a process of its own with a disk, sockets and threads of its own, and dies
by a real SIGKILL; only the second that an interpreter needs to start is saved.

Orders come as JSON lines on standard input, answers go out on standard output. When the input ends,
everything born here dies.
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
from tests.edge_agent.timekeeping.told_clock import ToldClock


class Order(msgspec.Struct, tag=True):
    """To be done."""


class Bear(Order):
    """Start a service; the answer is its process id.

    Attributes:
        service: `agent`, `agent of a box` that has no battery (`told_clock`), or `ingest`.
        moment: the service kills itself at so many moments of its work on its SQLite file, spool or
            store: before and after each statement. Never, where 0.
    """

    service: str
    moment: int = 0


class End(Order):
    """Kill a process after a while; the answer is the statement at which it died before that."""

    pid: int
    after_s: float = 0.0


def main(folder: Path) -> None:
    """Until the orders end."""
    observe.set_up_logs()
    site = site_folder.load(folder)
    how = site_folder.read_settings(folder / "agent.toml", AgentSettings)
    how_ingest = site_folder.read_settings(folder / "ingest.toml", IngestSettings)
    services: dict[str, Callable[[], Any]] = {
        "agent": lambda: edge_agent.app.run(site, how, clock.SystemClock()),
        "agent of a box": lambda: edge_agent.app.run(site, how, ToldClock(folder)),
        "ingest": lambda: ingest.app.run(site, how_ingest, clock.SystemClock()),
    }
    alive: set[int] = set()
    for line in sys.stdin:
        match msgspec.json.decode(line, type=Bear | End):
            case Bear(service, moment):
                answer: object = _born(services[service], moment, folder)
                alive.add(answer)  # type: ignore[arg-type]  # it is a number
            case End(pid, after_s):
                _end(pid, after_s)
                alive.discard(pid)
                last_words = _last_words(folder, pid)
                answer = last_words.read_text() if last_words.exists() else ""
                last_words.unlink(missing_ok=True)
        print(msgspec.json.encode(answer).decode(), flush=True)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _last_words(folder: Path, pid: int) -> Path:
    return folder / f"last-words-{pid}"


def _born(service: Callable[[], Any], moment: int, folder: Path) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            if moment:
                _die_at(moment, _last_words(folder, os.getpid()))
            asyncio.run(service())
        finally:
            os._exit(1)
    return pid


def _end(pid: int, after_s: float) -> None:
    deadline_s = time.monotonic() + after_s
    while time.monotonic() < deadline_s:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _die_at(moment: int, last_words: Path) -> None:
    """From now on each statement of SQLite counts, before it and after it."""
    left = [moment]

    def passed(when: str, statement: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            last_words.write_text(f"{when} {' '.join(statement.split()[:2])}")
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
