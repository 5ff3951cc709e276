"""The store in a file: other processes, a full disk, a lock, and files that are not stores."""

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point
from jieneng.storage.embedded import sqlite_statements
from jieneng.storage.sqlite import SqliteStore

START = 1_795_000_000_000


def points(count: int, field: str = "energy_kwh", first: int = 0) -> list[Point]:
    tags = (("meter", "e-main"), ("site", "s"))
    return [
        Point.of("electricity", tags, ((field, float(i)),), START + i)
        for i in range(first, first + count)
    ]


async def count(store: SqliteStore, field: str = "energy_kwh") -> int:
    found = await store.read("electricity", field, where={}, start_ms=0, end_ms=2 * START)
    return sum(len(series.values) for series in found)


WRITER = """
import asyncio, sys
from pathlib import Path
from jieneng.metering.schema import Point
from jieneng.storage.sqlite import SqliteStore

async def main(path, number):
    store = SqliteStore(Path(path))
    await store.prepare()
    for batch in range(20):
        # each its own series and column: both are added while the others write
        fields = ((f"field_{number}_{batch % 5}", 1.0), ("energy_kwh", 1.0))
        tags = (("meter", f"m-{batch}"), ("site", "s"))
        times = range(number * 1000, number * 1000 + 50)
        await store.write([Point.of("electricity", tags, fields, time_ms) for time_ms in times])
    await store.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.server
async def test_processes_write_at_once_and_all_of_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(path), str(number))
        for number in range(4)
    ]
    store = SqliteStore(path)
    while any(writer.returncode is None for writer in writers):
        await count(store)  # a reader in between disturbs nobody, and nobody it
        await asyncio.sleep(0.01)
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert await count(store) == 4 * 20 * 50
    assert await count(store, "field_3_4") == 4 * 50
    await store.close()


@pytest.mark.server
async def test_a_new_file_is_made_by_many_at_once(tmp_path: Path) -> None:
    """SQLite does not wait for a lock when it turns a file to WAL; the store does."""
    for round_ in range(20):
        stores = [SqliteStore(tmp_path / f"{round_}.sqlite") for _ in range(8)]
        await asyncio.gather(*(store.write(points(3)) for store in stores))
        assert await count(stores[0]) == 3
        await asyncio.gather(*(store.close() for store in stores))


@pytest.mark.server
async def test_a_writer_killed_in_the_middle_leaves_whole_writes(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = SqliteStore(path)
    await store.prepare()
    endless = WRITER.replace("range(20)", "range(10**9)")
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", endless, str(path), "1")
    while await count(store) < 500:
        pass
    writer.kill()
    await writer.wait()
    assert await count(store) % 50 == 0
    assert (await store.write(points(10))).written == 10
    await store.close()


async def test_a_file_locked_by_another_is_unavailable_and_then_works(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite", busy_timeout_s=0.05)
    await store.write(points(1))
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.write(points(10))
    assert await count(store) == 1  # a reader never waits
    other.execute("ROLLBACK")
    other.close()
    assert (await store.write(points(10))).written == 10
    assert await count(store) == 10
    await store.close()


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from jieneng.metering.errors import StoreUnavailable
from tests.storage.test_sqlite import SqliteStore, count, points

async def main(path):
    store = SqliteStore(Path(path))
    await store.write(points(10))
    # A limit on the size of files fails a write as a full disk does.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    try:
        await store.write(points(50_000))
    except StoreUnavailable as error:
        print("unavailable", error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    print("kept", await count(store))
    print("written", (await store.write(points(50_000))).written, await count(store))
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.server
async def test_a_full_disk_is_unavailable_loses_nothing_and_the_write_can_be_repeated(
    tmp_path: Path,
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", FULL_DISK, str(tmp_path / "store.sqlite")),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    lines = out.decode().splitlines()
    assert lines[0].startswith("unavailable")
    assert lines[1:] == ["kept 10", "written 50000 50000"]


async def test_a_file_that_is_no_database_is_unavailable_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    file = tmp_path / "store.sqlite"
    file.write_bytes(b"somebody's letter " * 100)
    store = SqliteStore(file)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.write(points(1))
    await store.close()
    assert file.read_bytes() == b"somebody's letter " * 100


async def test_a_write_that_failed_half_way_leaves_nothing_and_remembers_nothing(
    tmp_path: Path,
) -> None:
    """A new series and a new column roll back with the rest, also in the store's memory."""
    store = SqliteStore(tmp_path / "store.sqlite")
    unbound = Point.of("electricity", (("meter", "m"),), (("power_kw", object()),), START)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await store.write([*points(5), unbound])
    assert await count(store) == 0
    assert (await store.write(points(5))).written == 5
    assert await count(store) == 5
    await store.close()


async def test_the_event_loop_goes_on_while_sqlite_waits(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite", busy_timeout_s=60)
    await store.prepare()
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(store.write(points(5)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not write.done()
    other.execute("COMMIT")  # reached only because the loop was free
    other.close()
    assert (await write).written == 5
    await store.close()


async def test_a_write_is_forced_to_the_disk(tmp_path: Path) -> None:
    """A test can't cut the power, so it looks for the call that makes points survive it."""
    store = SqliteStore(tmp_path / "store.sqlite")
    await store.write(points(3))
    pragmas = ("synchronous", "journal_mode")
    found = await store._in_thread(
        lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    )
    await store.close()
    assert found == [2, "wal"]


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
async def test_a_point_is_never_written_into_a_file_that_was_taken_away(
    tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "site"
    store = SqliteStore(folder / "store.sqlite")
    await store.write(points(3))
    for path in list(folder.iterdir()):
        if how == "deleted":
            path.unlink()
        else:
            path.rename(tmp_path / path.name)
    if how == "replaced":
        other = SqliteStore(folder / "store.sqlite")
        await other.write(points(1, first=10))
        await other.close()
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.write(points(2, first=20))
    await store.write(points(2, first=20))
    reader = SqliteStore(folder / "store.sqlite")
    assert await count(reader) == (3 if how == "replaced" else 2)
    await reader.close()
    await store.close()


async def test_a_write_during_which_the_file_is_deleted_is_not_reported_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    store = SqliteStore(path)
    await store.prepare()
    upsert = sqlite_statements.upsert

    def upsert_and_delete(*parts: Any) -> None:
        upsert(*parts)
        path.unlink()

    monkeypatch.setattr(sqlite_statements, "upsert", upsert_and_delete)
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.write(points(2))
    monkeypatch.undo()
    await store.write(points(2))
    assert await count(store) == 2
    await store.close()
