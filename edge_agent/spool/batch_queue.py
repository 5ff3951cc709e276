"""What is done to the tables of the spool within a transaction that is open.

Law: whatever comes into `batch` or leaves it is counted in `ledger` by the same function.
"""

import sqlite3
import zlib
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

import msgspec

from edge_agent.publishing.in_flight import Ends, Entry, Key
from edge_agent.spool import sqlite_file
from edge_agent.spool.sample_counts import Counts

_COUNTS: Final = ", ".join(f'"{name}"' for name in Counts.__struct_fields__)
_LEAST_FILE_BYTES: Final = 65536  # less than the empty tables and a few batches is no bound
_MOST_UNDER_WAY: Final = 1000  # of any window
_ROW_PAGES: Final = 4  # that a row may need beyond its payload: table, index, overflow, list
_OLDEST: Final = "id = (SELECT min(id) FROM batch)"
# A report of polls that read nothing is no reading: no reading gives way to one.
_LEAST: Final = (
    "id = coalesce((SELECT min(id) FROM batch INDEXED BY reports WHERE samples = 0),"
    " (SELECT min(id) FROM batch))"
)
_T = TypeVar("_T")


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A batch in the spool.

    Attributes:
        boot: with `seq` the name of the batch.
        samples: how many the payload holds.
        payload: as it is published.
        machine: the start of the machine in whose running time it is stamped, while it waits for
            its time; None where it has that.
    """

    boot: str
    seq: int
    samples: int
    payload: bytes
    machine: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Its name."""
        return self.boot, self.seq

    @property
    def check(self) -> int:
        """Its checksum."""
        head = f"{self.boot} {self.seq} {self.samples}"
        if self.machine is not None:
            head += f" {self.machine}"
        return zlib.crc32(self.payload, zlib.crc32(head.encode()))


def whole_or_not(
    db: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]
) -> tuple[Counts, _T]:
    """Work in one transaction; the counts after it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        now = counts(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return now, result


def counts(db: sqlite3.Connection) -> Counts:
    """What the ledger says."""
    found = db.execute(f"SELECT {_COUNTS} FROM ledger").fetchone()  # noqa: S608 - ours
    if found is None or not all(isinstance(one, int) and one >= 0 for one in found):
        raise sqlite_file.damaged("the ledger holds no counts")
    return Counts(*found)


def sound_counts(db: sqlite3.Connection) -> Counts:
    """The same of a file that somebody else left behind."""
    said = counts(db)
    if not said.add_up:
        raise sqlite_file.damaged("the counts of the ledger do not add up")
    return said


def write_counts(db: sqlite3.Connection, now: Counts) -> None:
    """Make the ledger say this."""
    form = msgspec.structs.asdict(now)
    db.execute(
        "UPDATE ledger SET " + ", ".join(f'"{name}" = ?' for name in form),  # noqa: S608 - ours
        tuple(form.values()),
    )


def running_s(db: sqlite3.Connection) -> float:
    """How long agents had run on this file when the last batch was put."""
    (found,) = db.execute("SELECT running_s FROM ledger").fetchone()
    return float(found)


def insert(db: sqlite3.Connection, rows: Sequence[Row], at_s: float) -> None:
    """Put batches at the end of the queue: pending, but nobody's reading yet."""
    db.executemany(
        "INSERT INTO batch (boot, seq, samples, payload, machine, put_s, crc)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*msgspec.structs.astuple(row), at_s, row.check) for row in rows],
    )
    db.execute(
        "UPDATE ledger SET pending = pending + ?, size_bytes = size_bytes + ?",
        (sum(row.samples for row in rows), sum(len(row.payload) for row in rows)),
    )


def count_read(db: sqlite3.Connection, samples: int, refused: int, at_s: float) -> None:
    """So many came into the queue now, and so many did not get there earlier."""
    db.execute(
        "UPDATE ledger SET read = read + ?, refused = refused + ?, running_s = ?",
        (samples + refused, refused, at_s),
    )


def drop_full(db: sqlite3.Connection, max_bytes: int) -> None:
    """Drop the least until the rest is within the bound, as payload and as pages of the file.

    Batches of half a page leave the other half empty, so payload alone would bound nothing.
    """
    while True:
        (size,) = db.execute("SELECT size_bytes FROM ledger").fetchone()
        used = _pragma(db, "page_count") - _pragma(db, "freelist_count")
        if size <= max_bytes and used * sqlite_file.PAGE_BYTES <= max(max_bytes, _LEAST_FILE_BYTES):
            return
        if not remove(db, "full", _LEAST, ()):
            return


def pages(rows: Sequence[Row]) -> int:
    """How many pages they take at most."""
    return sum(len(row.payload) // sqlite_file.PAGE_BYTES + _ROW_PAGES for row in rows)


def has_room(db: sqlite3.Connection, pages: int, max_bytes: int) -> bool:
    """Whether the file can take so many pages more and stays within so many bytes."""
    used = _pragma(db, "page_count") - _pragma(db, "freelist_count")
    return (used + pages) * sqlite_file.PAGE_BYTES <= max_bytes


def widen(db: sqlite3.Connection, size: int) -> None:
    """Have the file hold so many bytes, in pages that are free unless something is in them already.

    They are written, to the log and to the file: only so is the disk's room taken.
    """
    missing = size // sqlite_file.PAGE_BYTES - _pragma(db, "page_count")
    if missing <= 0:
        return
    taken = (_pragma(db, "freelist_count") + missing) * sqlite_file.PAGE_BYTES

    def work(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE room (taken BLOB)")
        db.execute("INSERT INTO room VALUES (zeroblob(?))", (taken,))
        db.execute("DROP TABLE room")

    whole_or_not(db, work)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def drop_for_pages(db: sqlite3.Connection, pages: int) -> None:
    """Drop the least until the file has so many pages free."""
    while _pragma(db, "freelist_count") < pages:
        if not remove(db, "full", _LEAST, ()):
            return


def drop_old(db: sqlite3.Connection, before_s: float) -> None:
    """Drop what was put before a moment of the running time."""
    while (first_s := oldest_s(db)) is not None and first_s < before_s:
        remove(db, "old", _OLDEST, ())


def ends(
    db: sqlite3.Connection,
    most: int,
    under_way: Collection[Key],
    but: tuple[int, int] | None = None,
) -> Ends:
    """Both ends of the queue, without what stands from one number to another in it."""
    parts = ("TRUE",) if but is None else (f"id < {but[0]}", f"id > {but[1]}")
    oldest = _entries(db, parts, "ASC", most)
    newest = _entries(db, parts[::-1], "DESC", most)
    there = {entry.key for entry in (*oldest, *newest)}
    gone = [key for key in under_way if key not in there and not _has(db, key)]
    return Ends(oldest, newest, gone)


def oldest_s(db: sqlite3.Connection) -> float | None:
    """When the oldest batch was put, in running time; None where there is none."""
    oldest = db.execute("SELECT put_s FROM batch ORDER BY id LIMIT 1").fetchone()
    if oldest is None:
        return None
    return oldest[0] if isinstance(oldest[0], float) else 0.0  # the disk changed it


def read(db: sqlite3.Connection, keys: Sequence[Key]) -> list[Row]:
    """Batches by name. Damaged ones leave the queue."""
    rows, missing = [], []
    for key in keys:
        found = db.execute(
            "SELECT boot, seq, samples, payload, machine, crc FROM batch"
            " WHERE boot = ? AND seq = ?",
            key,
        ).fetchone()
        if found is None:
            missing.append(key)
        elif (row := whole(found)) is None:
            db.execute("DELETE FROM batch WHERE boot = ? AND seq = ?", key)
            count_damaged(db)
        elif row.machine is None:
            rows.append(row)
        else:  # it waits, and nobody who knows that asks for it
            missing.append(key)
    if missing and not set(missing).isdisjoint(_names_at_ends(db)):
        raise sqlite_file.damaged("a batch can't be found by the name that it has")
    return rows


def remove_stored(db: sqlite3.Connection, boot: str, first: int, last: int) -> int:
    """Remove a range of one run; how many batches it were. What was never sent is not in it."""
    where = "boot = ? AND seq BETWEEN ? AND ? AND machine IS NULL"
    return remove(db, "stored", where, (boot, first, last))


def whole(found: Sequence[object]) -> Row | None:
    """The batch of a table's row, which ends with its checksum, if it is as it was put."""
    *parts, check = found
    try:
        row = msgspec.convert(parts, Row)
    except msgspec.ValidationError:
        return None
    return row if check in {None, row.check} else None  # the first version kept no checksums


def remove(db: sqlite3.Connection, counted_as: str, where: str, values: Sequence[object]) -> int:
    """Delete batches and count their samples; how many batches it were."""
    samples, size = db.execute(
        f"SELECT total(samples), total(length(payload)) FROM batch WHERE {where}",  # noqa: S608 - ours
        values,
    ).fetchone()
    removed = db.execute(f"DELETE FROM batch WHERE {where}", values).rowcount  # noqa: S608 - ours
    db.execute(
        f'UPDATE ledger SET "{counted_as}" = "{counted_as}" + ?, pending = pending - ?,'  # noqa: S608 - ours
        " size_bytes = size_bytes - ?",
        (int(samples), int(samples), int(size)),
    )
    return removed


def count_damaged(db: sqlite3.Connection) -> None:
    """What is missing of the pending is damaged. Its own row is no witness of how many it held."""
    left = db.execute("SELECT total(samples), total(length(payload)) FROM batch").fetchone()
    samples, size = map(int, left)
    db.execute(
        "UPDATE ledger SET damaged = damaged + pending - ?, pending = ?, size_bytes = ?",
        (samples, samples, size),
    )


def _entries(db: sqlite3.Connection, parts: Sequence[str], order: str, most: int) -> list[Entry]:
    """The names of so many at most, from one part of the queue after the other."""
    found: list[Entry] = []
    for part in parts:
        found += [
            Entry((boot, seq), size)
            for boot, seq, size in db.execute(
                f"SELECT boot, seq, length(payload) FROM batch WHERE {part}"  # noqa: S608 - ours
                f" ORDER BY id {order} LIMIT ?",
                (most - len(found),),
            )
        ]
    return found


def _pragma(db: sqlite3.Connection, name: str) -> int:
    (found,) = db.execute(f"PRAGMA {name}").fetchone()
    return int(found)


def _names_at_ends(db: sqlite3.Connection) -> set[Key]:
    found = ends(db, _MOST_UNDER_WAY, ())
    return {entry.key for entry in (*found.oldest, *found.newest)}


def _has(db: sqlite3.Connection, key: Key) -> bool:
    found = db.execute("SELECT 1 FROM batch WHERE boot = ? AND seq = ?", key)
    return found.fetchone() is not None
