"""An import that was killed at any write can be undone or repeated, and so can an undo."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest.importing.batches.batch_file import BatchFile
from jieneng.metering.errors import UsageError
from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings, open_store
from tests.cases.case_site import CaseSite
from tests.ingest.importing.batches import killed_import

JUNE = datetime(2024, 6, 1)  # noqa: DTZ001 - local, as in a file
DAY = timedelta(days=1)

KILLS = [
    ("add_part", 1, "after"),
    ("add_part", 3, "after"),
    ("store.write", 1, "after"),
    ("store.write", 4, "before"),
    ("store.delete", 1, "after"),
    ("set_state", 1, "before"),
]
UNDO_KILLS = [
    ("set_state", 1, "after"),
    ("store.write", 2, "after"),
    ("store.delete", 1, "after"),
    ("rescue", 1, "after"),
    ("store.delete", 2, "after"),
    ("forget_rescued", 1, "before"),
]


def content(folder: Path) -> list[object]:
    """Return all readings of the store."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as db:
        return sorted(
            db.execute("SELECT time_ms, energy_kwh, power_kw, quality FROM electricity").fetchall()
        )


async def build(folder: Path) -> CaseSite:
    """Return a site with live readings, an import, and a file that contradicts it."""
    site = CaseSite(folder)
    tags = (("meter", "e-a"), ("site", "huaian"))
    live = [
        Point.of(
            "electricity",
            tags,
            (("power_kw", 10.0 + day), ("quality", 0.0)),
            round((JUNE + day * DAY).timestamp() * 1000) - 8 * 3_600_000,
        )
        for day in range(0, 40, 4)
    ]
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    await store.write(live)
    await store.close()
    first = [(JUNE + day * DAY, 1000.0 + 100 * day) for day in range(10, 35)]
    await killed_import.run(folder, site.readings(first, name="first.csv").name)
    second = [(JUNE + day * DAY, 1000.0 + 110 * day) for day in range(40) if day % 7]
    site.readings(second, name="second.csv")
    return site


def kill(folder: Path, task: str, step: str, number: int, when: str) -> None:
    arguments = [str(folder), task, step, str(number), when]
    command = [sys.executable, "-m", killed_import.__name__, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    asyncio.run(build(folder))
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "site"))


@pytest.mark.server
@pytest.mark.parametrize(("step", "number", "when"), KILLS)
async def test_a_killed_import_is_undone_or_repeated(
    folder: Path, tmp_path: Path, step: str, number: int, when: str
) -> None:
    before = content(folder)
    whole = Path(shutil.copytree(folder, tmp_path / "whole"))
    await killed_import.run(whole, "second.csv")
    kill(folder, "second.csv", step, number, when)
    repeated = Path(shutil.copytree(folder, tmp_path / "repeated"))
    await killed_import.run(folder, "2")
    assert content(folder) == before
    await killed_import.run(repeated, "second.csv")
    assert content(repeated) == content(whole)
    assert [one.state for one in BatchFile(repeated).batches()] == ["done", "undone", "done"]
    await killed_import.run(repeated, "3")
    assert content(repeated) == before


@pytest.mark.server
@pytest.mark.parametrize(("step", "number", "when"), UNDO_KILLS)
async def test_a_killed_undo_is_repeated(folder: Path, step: str, number: int, when: str) -> None:
    before = content(folder)
    await killed_import.run(folder, "second.csv")
    kill(folder, "2", step, number, when)
    await killed_import.run(folder, "2")
    assert content(folder) == before


async def test_other_fields_of_a_point_stay(folder: Path) -> None:
    await killed_import.run(folder, "second.csv")
    await killed_import.run(folder, "2")
    await killed_import.run(folder, "1")
    found = content(folder)
    assert len(found) == 10
    assert all(row[1] is None and row[2] and row[3] == 0.0 for row in found)  # type: ignore[index]


def test_one_import_at_a_time(tmp_path: Path) -> None:
    other = BatchFile(tmp_path)
    with (
        BatchFile(tmp_path).locked(),
        pytest.raises(UsageError, match="another import"),
        other.locked(),
    ):
        pass
    with BatchFile(tmp_path).locked():
        pass
