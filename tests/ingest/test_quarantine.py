"""Quarantined entries are on disk, whole and bounded, and damaged files can be read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.quarantine import MAX_PAYLOAD, Quarantine, QuarantineEntry, new_entry


def one(number: int, payload: bytes = b"\x00\xffpayload") -> QuarantineEntry:
    return new_entry(number, "jieneng/1/s/a/batch", "version", "version 2, not 1", payload)


def test_entries_come_back_as_they_were_oldest_first(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path / "q", 10**6)
    assert kept.append([one(1), one(2)]) == 0
    kept.append([one(3)])
    assert list(kept.entries()) == [one(1), one(2), one(3)]
    assert [e.body for e in kept.entries()] == [b"\x00\xffpayload"] * 3
    assert kept.counts() == {"version": 3}
    assert list(Quarantine(tmp_path / "nothing", 1).entries()) == []


def test_entries_are_forced_to_the_disk_before_an_agent_may_forget_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test cuts the power; it keeps of a file what stood there when it was last forced."""
    forced: dict[str, bytes] = {}
    fsync = os.fsync

    def watched(file: int) -> None:
        fsync(file)
        path = Path(f"/proc/self/fd/{file}").resolve()
        forced[path.name] = path.read_bytes() if path.is_file() else b""

    monkeypatch.setattr(os, "fsync", watched)
    kept = Quarantine(tmp_path, 2000)
    for number in range(20):
        kept.append([one(number)])
        file = tmp_path / "quarantine.jsonl"
        assert forced[file.name] == file.read_bytes()


def test_the_folder_stays_bounded_and_says_what_had_to_go(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, 10_000)
    gone = sum(kept.append([one(number)]) for number in range(1000))
    left = [e.time_ms for e in kept.entries()]
    assert left == list(range(gone, 1000))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000


def test_a_large_payload_is_cut_and_its_size_kept(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, 10**7)
    kept.append([new_entry(1, "t" * 9999, "too_large", "d" * 9999, b"x" * (MAX_PAYLOAD + 5))])
    (read,) = kept.entries()
    assert (read.size, len(read.body)) == (MAX_PAYLOAD + 5, MAX_PAYLOAD)
    assert len(read.topic) == len(read.detail) == 500


def test_torn_and_foreign_lines_are_skipped(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path, 10**6)
    kept.append([one(1)])
    file = tmp_path / "quarantine.jsonl"
    file.write_bytes(file.read_bytes() + b'[1]\n\xff\xfe\n\n{"time_ms":2,"to')
    kept.append([one(3)])
    assert list(kept.entries()) == [one(1), one(3)]
    file.write_bytes(file.read_bytes()[:-20])
    assert list(kept.entries()) == [one(1)]


WRITER = """
import sys
from pathlib import Path
from tests.ingest.test_quarantine import Quarantine, one
kept = Quarantine(Path(sys.argv[1]), 20_000)
for number in range(200):
    kept.append([one(number)])
"""


@pytest.mark.server
def test_copies_share_one_folder(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=root) for _ in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = b"".join(path.read_bytes() for path in tmp_path.glob("*.jsonl")).splitlines()
    assert len(list(Quarantine(tmp_path, 1).entries())) == len(lines)  # none is torn
