"""All copies on a machine know which batches came in, also after kills."""

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.receipts.receipt_file import MAX_BOOTS, ReceiptFile
from jieneng.metering.errors import QuarantineUnavailable

ROOT = Path(__file__).parents[3]


def test_batches_of_several_copies_are_one_sequence(tmp_path: Path) -> None:
    one, two = ReceiptFile(tmp_path / "q"), ReceiptFile(tmp_path / "q")
    assert (one.sequences(), one.machine()) == ([], "")
    assert not (tmp_path / "q").exists()
    one.add({("agent-1", "aaaaaaaa"): [1, 2, 5]}, 1000)
    two.add({("agent-1", "aaaaaaaa"): [3, 9], ("agent-2", "bbbbbbbb"): [7]}, 2000)
    found = one.sequences()
    assert [(row.agent, row.boot, row.updated_ms, row.ranges) for row in found] == [
        ("agent-1", "aaaaaaaa", 2000, ((1, 3), (5, 5), (9, 9))),
        ("agent-2", "bbbbbbbb", 2000, ((7, 7),)),
    ]
    assert [row.gaps for row in found] == [((4, 4), (6, 8)), ()]
    assert one.machine() == two.machine() != ""
    one.close()
    two.close()


def test_the_newest_runs_of_an_agent_are_kept(tmp_path: Path) -> None:
    file = ReceiptFile(tmp_path)
    for number in range(3 * MAX_BOOTS):
        file.add({("agent-1", f"{number:08x}"): [1]}, 1000)
    boots = [row.boot for row in file.sequences()]
    assert boots == [f"{number:08x}" for number in range(2 * MAX_BOOTS, 3 * MAX_BOOTS)]
    file.close()


def test_a_file_that_is_damaged_is_said(tmp_path: Path) -> None:
    (tmp_path / "received.db").write_bytes(b"x" * 9999)
    with pytest.raises(QuarantineUnavailable, match="delete it"):
        ReceiptFile(tmp_path).add({("a", "b"): [1]}, 1)


KILLED = """
import os, signal, sys
from pathlib import Path
from ingest.receipts.receipt_file import ReceiptFile
file = ReceiptFile(Path(sys.argv[1]))
for number in range(1, 51):
    file.add({("agent-1", "aaaaaaaa"): [number]}, number)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.server
def test_a_killed_process_loses_none_of_what_it_recorded(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    file = ReceiptFile(tmp_path)
    assert [row.ranges for row in file.sequences()] == [((1, 50),)]
    file.close()


def test_a_file_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    file = ReceiptFile(tmp_path)
    file.add({("agent-1", "b"): [1, 2]}, 1000)
    for path in tmp_path.iterdir():
        path.unlink()
    file.add({("agent-1", "b"): [3]}, 2000)
    again = ReceiptFile(tmp_path)
    (only,) = again.sequences()
    assert list(only.ranges) == [(3, 3)]
    again.close()
    file.close()
