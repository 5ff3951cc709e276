"""The rescue of a damaged spool loses no committed batch, killed at any moment or without space."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge_agent.spool.queued_batch import BatchKey
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from tests.edge_agent.spool.disk_faults import BOOT, LOG, balanced, fill_disk, row

PAGE, BOUND = 4096, 4_000_000  # so small that its log is written back soon


def damaged_spool(folder: Path, rows: int = 36) -> None:
    """Copy the spool of a killed agent, partly in the WAL and partly sent, with one bad page."""
    folder.mkdir(exist_ok=True)
    life = folder.with_name(f"life of {folder.name}")
    life.mkdir()
    one = SpoolFile(life / "s", BOUND, LOG)
    one.open()
    for seq in range(1, rows + 1):
        one.put([row(seq, size=3000)])
    one.confirm([Ack(BOOT, stored=((1, 5),))])
    one.put([row(rows + 1, size=3000)])
    for suffix in ("", "-wal", "-counts"):
        shutil.copy(life / f"s{suffix}", folder / f"s{suffix}")
    one.close()
    assert (folder / "s-wal").stat().st_size > PAGE, "part of it is in the log"
    rot(folder / "s")


def rot(file: Path) -> None:
    """Damage the page that holds most of the eighth batch."""
    with file.open("r+b") as data:
        data.seek(file.read_bytes().index(bytes([8]) * 1000) // PAGE * PAGE)
        data.write(b"\xff" * 200)


def state(folder: Path) -> tuple[SampleCounts, list[BatchKey]]:
    """Return the counts and batches that the next agent finds."""
    one = SpoolFile(folder / "s", BOUND, LOG)
    try:
        one.open()
        keys = [entry.key for entry in one.ends(10_000, ()).oldest]
        rows = one.read(keys)
        assert [found.key for found in rows] == keys
        assert one.known.pending == sum(found.samples for found in rows)
        assert balanced(one.known)
        return one.known, keys
    finally:
        one.close()


@contextmanager
def at_every_moment(then: Callable[[str], None]) -> Iterator[None]:
    """Call `then` before and after each SQLite statement and each rename, removal or sync."""

    def watched(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watching(*given: Any, **named: Any) -> Any:
            then(f"before {name}")
            done = call(*given, **named)
            then(f"after {name}")
            return done

        return watching

    class Watched(sqlite3.Connection):
        execute = watched(sqlite3.Connection.execute, "execute")
        executemany = watched(sqlite3.Connection.executemany, "executemany")
        executescript = watched(sqlite3.Connection.executescript, "executescript")
        close = watched(sqlite3.Connection.close, "close")

    connect = sqlite3.connect
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            sqlite3, "connect", lambda *given, **named: connect(*given, factory=Watched, **named)
        )
        for name in ("rename", "replace", "link", "unlink", "fsync"):
            patched.setattr(os, name, watched(getattr(os, name), name))
        yield


class Deaths:
    """Copies of a folder at each moment, as a process that is killed then leaves it.

    `chosen` are the numbers of the moments to copy; all of them where it is None.
    """

    def __init__(self, folder: Path, into: Path, chosen: Container[int] | None = None) -> None:
        self.found: list[Path] = []
        self._folder = folder
        self._into = into
        self._chosen = chosen
        self._moments = 0
        self._taking = False

    def __call__(self, moment: str) -> None:
        if self._taking:
            return
        self._moments += 1
        if self._chosen is not None and self._moments not in self._chosen:
            return
        self._taking = True
        to = self._into / f"{len(self.found):03} {moment}"
        shutil.copytree(self._folder, to, ignore=shutil.ignore_patterns("*-reserve"))
        self.found.append(to)
        self._taking = False


def names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(one.name for one in folder.iterdir()))


@pytest.mark.long
@pytest.mark.parametrize("counted", [True, False], ids=["", "without the copy of the counts"])
def test_a_rescue_that_is_killed_at_any_moment_loses_nothing(tmp_path: Path, counted: bool) -> None:
    """Earlier the file was renamed first and read later.

    A kill in between lost all pending batches, and the next damage removed the renamed file.
    """
    damaged_spool(tmp_path / "dead")
    if not counted:
        (tmp_path / "dead" / "s-counts").unlink()
    shutil.copytree(tmp_path / "dead", tmp_path / "undisturbed")
    expected = state(tmp_path / "undisturbed")
    assert 80 < expected[0].pending < 96
    assert (expected[0].read, expected[0].stored) == (111, 15)

    (tmp_path / "first").mkdir()
    deaths = Deaths(tmp_path / "dead", tmp_path / "first")
    with at_every_moment(deaths):
        assert state(tmp_path / "dead") == expected
    assert len(deaths.found) > 50
    again: dict[tuple[str, ...], Path] = {}
    for death in deaths.found:
        again.setdefault(names(death), Path(shutil.copytree(death, tmp_path / f"2 {death.name}")))
        assert state(death) == expected, death.name
    assert len(again) > 5
    for number, dead in enumerate(again.values()):  # and the one after it is killed as well
        (tmp_path / f"second {number}").mkdir()
        deaths = Deaths(dead, tmp_path / f"second {number}", random.sample(range(1, 60), 8))
        with at_every_moment(deaths):
            assert state(dead) == expected
        assert deaths.found
        for death in deaths.found:
            assert state(death) == expected, (dead.name, death.name)


def test_the_steps_of_a_rescue_reach_the_disk_in_their_order(tmp_path: Path) -> None:
    """A power cut may undo the last of them, and none before it."""
    damaged_spool(tmp_path / "dead")
    steps: list[str] = []
    with at_every_moment(steps.append):
        state(tmp_path / "dead")
    moves = [step for step in steps if step in {"after rename", "before fsync"}]
    assert moves == ["after rename", "before fsync"] * 3


def test_the_log_of_a_damaged_spool_is_never_written_over_what_was_rescued(tmp_path: Path) -> None:
    """SQLite takes it for the log of whatever stands there. It is there where SQLite could not read
    the file that it belongs to."""
    damaged_spool(tmp_path / "dead")
    (tmp_path / "dead" / "s-counts").unlink()
    (tmp_path / "new").mkdir()
    one = SpoolFile(tmp_path / "new" / "s", BOUND, LOG)
    one.put([row(seq, size=3000) for seq in range(500, 540)])
    one.close()
    shutil.copy(tmp_path / "new" / "s", tmp_path / "dead" / "s.rescued")
    log = (tmp_path / "dead" / "s-wal").read_bytes()
    counts, keys = state(tmp_path / "dead")
    assert keys == [(BOOT, seq) for seq in range(500, 540)]
    assert counts == SampleCounts(read=120, pending=120, size_bytes=120_000)
    assert (tmp_path / "dead" / "s.damaged-wal").read_bytes() == log


# --- a full disk ---


class Agent:
    """A spool whose clock the test sets."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 0.0
        self.file = SpoolFile(folder / "s", BOUND, LOG, now_s=lambda: self.now_s)

    def put(self, seq: int) -> bool:
        try:
            self.file.put([row(seq, size=3000)])
        except SpoolUnavailable:
            return False
        return True


@pytest.fixture
def agent(small_disk: Path) -> Iterator[Agent]:
    one = Agent(small_disk)
    yield one
    one.file.close()


def pending(one: SpoolFile) -> list[int]:
    return [entry.key[1] for entry in one.ends(10_000, ()).oldest]


@pytest.mark.server
def test_a_full_disk_while_a_spool_is_rescued_loses_nothing_that_was_pending(
    small_disk: Path, agent: Agent
) -> None:
    """Earlier the new file failed for lack of space, and the old one was never read again."""
    damaged_spool(small_disk, 300)
    shutil.copytree(small_disk, small_disk.parent / "undisturbed")
    expected, keys = state(small_disk.parent / "undisturbed")
    fill_disk(small_disk)
    agent.file.open()
    for minute in range(10):
        agent.now_s = 60.0 * minute
        assert not agent.put(1000 + minute)
    assert agent.file.known.refused == 30
    (small_disk / "others").unlink()
    agent.now_s += 60.0
    assert agent.put(2000)
    assert pending(agent.file) == [*(seq for _, seq in keys), 2000]
    assert balanced(agent.file.known)
    assert agent.file.known == SampleCounts(
        read=expected.read + 33,
        stored=expected.stored,
        pending=expected.pending + 3,
        size_bytes=expected.size_bytes + 3000,
        refused=30,
        damaged=expected.damaged,
    )
    before = agent.file.known
    agent.file.close()
    assert state(small_disk)[0] == before


@pytest.mark.server
def test_a_damaged_spool_that_has_no_room_beside_it_does_not_stay_locked(
    small_disk: Path, agent: Agent
) -> None:
    """The file fills over half of the disk, so a copy never fits: the newest batches are kept."""
    damaged_spool(small_disk, 750)
    with capture_logs() as logs:
        agent.file.open()
        for minute in range(120):
            agent.now_s = 60.0 * minute
            if agent.put(1000 + minute):
                break
    assert 50 < minute < 70
    left = pending(agent.file)
    assert left[-2:] == [751, 1000 + minute]
    assert len(left) > 150
    assert agent.file.known.full > 0
    assert agent.file.known.read == 3 * (751 + minute + 1)
    assert agent.file.known.refused == 3 * minute
    assert agent.file.known.damaged < 30
    assert balanced(agent.file.known)
    said = [entry for entry in logs if "set aside" in entry["event"]]
    assert len(said) == 1
    dropped = agent.file.known.full + agent.file.known.damaged
    assert 0 <= dropped - said[0]["dropped"] < 30  # for what was put then
    while left:
        agent.file.confirm([Ack(BOOT, stored=((left[0], left[0]),))])
        left = pending(agent.file)
    assert agent.file.known.pending == 0
