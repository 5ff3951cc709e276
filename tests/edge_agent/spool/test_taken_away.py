"""A spool file that is deleted or replaced while the agent runs costs no reading."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.spool import batch_queue, rescue, sqlite_file
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from tests.edge_agent.spool.disk_faults import BOOT, LOG, balanced, row
from tests.edge_agent.spool.test_rescue import BOUND, pending


def delete_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def delete_file(folder: Path) -> None:
    (folder / "s").unlink()


def replace_by_older_copy(folder: Path) -> None:
    shutil.copy(folder / "older", folder / "copy")
    (folder / "copy").rename(folder / "s")


def replace_by_folder(folder: Path) -> None:
    delete_all(folder)
    (folder / "s").mkdir()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("how", [delete_all, delete_file, replace_by_older_copy, replace_by_folder])
@pytest.mark.parametrize("ends_at_once", [False, True])
def test_what_is_pending_is_written_back(folder: Path, how: object, ends_at_once: bool) -> None:
    one = SpoolFile(folder / "s", BOUND, LOG)
    one.open()
    shutil.copy(folder / "s", folder / "older")
    one.put([row(seq) for seq in range(1, 9)])
    one.confirm([Ack(BOOT, stored=((1, 3),))])
    before = one.known
    with capture_logs() as logs:
        how(folder)  # type: ignore[operator]  # a function of the list
        if not ends_at_once:
            one.put([row(9)])
            assert one.known.read == before.read + 3
        one.close()
    (line,) = [line for line in logs if line["log_level"] != "info"]
    assert line["event"].startswith("spool was deleted or replaced")
    assert (line["rescued"], line["dropped"]) == (15, 0)
    again = SpoolFile(folder / "s", BOUND, LOG)
    again.open()
    assert pending(again) == [*range(4, 9), *([] if ends_at_once else [9])]
    assert balanced(again.known)
    assert again.known.dropped == 0
    assert again.known.stored == before.stored
    again.close()


def test_a_folder_that_is_gone_for_a_while_costs_only_what_is_read_meanwhile(folder: Path) -> None:
    one = SpoolFile(folder / "site" / "s", BOUND, LOG)
    (folder / "site").mkdir()
    one.open()
    one.put([row(1)])
    shutil.rmtree(folder / "site")
    for seq in (2, 3):
        with pytest.raises(SpoolUnavailable):
            one.put([row(seq)])
    (folder / "site").mkdir()
    one.put([row(4)])
    assert (one.known.refused, balanced(one.known)) == (6, True)
    one.close()
    again = SpoolFile(folder / "site" / "s", BOUND, LOG)
    again.open()
    assert pending(again) == [1, 4]
    assert (again.known.refused, again.known.dropped, balanced(again.known)) == (6, 6, True)
    again.close()


def test_a_file_that_can_not_be_written_back_is_used_as_it_is_and_it_is_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    one = SpoolFile(folder / "s", BOUND, LOG, now_s=lambda: now_s)
    one.open()
    one.put([row(1)])
    delete_all(folder)
    monkeypatch.setattr(rescue, "_copy_batches", disk_is_full)
    with capture_logs() as logs:
        for seq in range(2, 5):
            one.put([row(seq)])
            now_s += 61.0
    assert [line["event"] for line in logs] == ["deleted spool can't be written back"]
    assert pending(one) == [1, 2, 3, 4]
    monkeypatch.undo()
    one.put([row(5)])
    one.close()
    again = SpoolFile(folder / "s", BOUND, LOG)
    again.open()
    assert pending(again) == [1, 2, 3, 4, 5]
    assert (again.known.dropped, balanced(again.known)) == (0, True)
    again.close()


def test_a_replaced_file_is_kept_open_while_the_disk_is_full(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SpoolFile(folder / "s", BOUND, LOG)
    one.open()
    shutil.copy(folder / "s", folder / "older")
    one.put([row(1)])
    replace_by_older_copy(folder)
    with monkeypatch.context() as full:
        full.setattr(rescue, "_copy_batches", disk_is_full)
        full.setattr(batch_queue, "run_transaction", disk_is_full)
        with pytest.raises(SpoolUnavailable):
            one.put([row(2)])
    one.put([row(3)])
    assert pending(one) == [1, 3]
    one.close()
    again = SpoolFile(folder / "s", BOUND, LOG)
    again.open()
    assert pending(again) == [1, 3]
    again.close()


def test_a_file_that_can_not_be_read_is_not_written_over_the_one_of_a_disk_mounted_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old connection fails; the file at the path is complete."""
    one = SpoolFile(folder / "s", BOUND, LOG)
    one.open()
    one.put([row(seq) for seq in (1, 2)])
    shutil.copy(folder / "s", folder / "older")
    for suffix in ("-wal", "-shm"):
        if (folder / f"s{suffix}").exists():
            shutil.copy(folder / f"s{suffix}", folder / f"older{suffix}")
    for path in folder.glob("older*"):
        path.rename(folder / path.name.replace("older", "s"))
    with monkeypatch.context() as gone:
        gone.setattr(rescue, "_row_ids", disk_is_gone)
        gone.setattr(batch_queue, "run_transaction", disk_is_gone)
        with pytest.raises(SpoolUnavailable):
            one.put([row(3)])
    one.put([row(4)])
    assert pending(one) == [1, 2, 4]
    assert (one.known.refused, one.known.dropped, balanced(one.known)) == (3, 3, True)
    one.close()


def disk_is_gone(*_: object, **__: object) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    raise error


def disk_is_full(*_: object, **__: object) -> None:
    raise sqlite_file.full_error()
