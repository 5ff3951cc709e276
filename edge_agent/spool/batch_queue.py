"""Read and change the tables of the spool, inside a transaction of the caller.

Law: each function that adds a row to the table `batch`, or removes one, also updates the counts in
the table `ledger`.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

import msgspec

from edge_agent.spool import parked_batches, sqlite_file
from edge_agent.spool.queued_batch import BatchKey, QueuedBatch, QueueEnds, QueueEntry
from edge_agent.spool.sample_counts import SampleCounts
from jieneng.metering.reading import Ack

_COUNTS: Final = ", ".join(f'"{name}"' for name in SampleCounts.__struct_fields__)
_MIN_FILE_BYTES: Final = 65536  # size of a file with empty tables and a few batches
_MAX_IN_FLIGHT: Final = 1000  # largest window
_ROW_PAGES: Final = 4  # additional pages that a row may need: table, index, overflow, free list
_HEADS: Final = (  # the oldest parked batch and the oldest other one
    f"SELECT min(id) FROM batch UNION SELECT min(id) FROM batch WHERE {parked_batches.READY}"  # noqa: S608 - ours
)
_HEADS_BEFORE: Final = f"id IN ({_HEADS}) AND (typeof(put_s) <> 'real' OR put_s < ?)"
# Batches without samples are dropped first, so that no reading is lost for a report of a failed
# poll.
_FIRST_TO_DROP: Final = (
    "id = coalesce((SELECT min(id) FROM batch INDEXED BY reports WHERE samples = 0),"
    " (SELECT min(id) FROM batch))"
)
_T = TypeVar("_T")


def run_transaction(
    db: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]
) -> tuple[SampleCounts, _T]:
    """Run `work` in one transaction; return the counts after it, and the result of `work`."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        now = read_counts(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return now, result


def read_counts(db: sqlite3.Connection) -> SampleCounts:
    """Return the counts of the ledger."""
    found = db.execute(f"SELECT {_COUNTS} FROM ledger").fetchone()  # noqa: S608 - ours
    if found is None or not all(isinstance(one, int) and one >= 0 for one in found):
        raise sqlite_file.corruption_error("the ledger holds no counts")
    return SampleCounts(*found)


def read_checked_counts(db: sqlite3.Connection) -> SampleCounts:
    """Return the counts of the ledger. Raise a corruption error if they are inconsistent."""
    said = read_counts(db)
    if not said.is_balanced:
        raise sqlite_file.corruption_error("the counts of the ledger do not add up")
    return said


def write_counts(db: sqlite3.Connection, now: SampleCounts) -> None:
    """Write the counts to the ledger."""
    form = msgspec.structs.asdict(now)
    db.execute(
        "UPDATE ledger SET " + ", ".join(f'"{name}" = ?' for name in form),  # noqa: S608 - ours
        tuple(form.values()),
    )


def running_s(db: sqlite3.Connection) -> float:
    """Return the running time of agents with this file, up to the last put [s]."""
    (found,) = db.execute("SELECT running_s FROM ledger").fetchone()
    return float(found)


def insert_batches(db: sqlite3.Connection, rows: Sequence[QueuedBatch], at_s: float) -> None:
    """Append batches to the queue as pending; `count_read` counts them as read."""
    db.executemany(
        "INSERT INTO batch (id, boot, seq, samples, payload, machine, put_s, crc)"  # noqa: S608 - ours
        f" VALUES ({parked_batches.NEXT_ID}, ?, ?, ?, ?, ?, ?, ?)",
        [(*msgspec.structs.astuple(row), at_s, row.checksum) for row in rows],
    )
    db.execute(
        "UPDATE ledger SET pending = pending + ?, size_bytes = size_bytes + ?",
        (sum(row.samples for row in rows), sum(len(row.payload) for row in rows)),
    )


def count_read(db: sqlite3.Connection, samples: int, refused: int, at_s: float) -> None:
    """Count as read the samples that are put now, and those that were refused earlier."""
    db.execute(
        "UPDATE ledger SET read = read + ?, refused = refused + ?, running_s = ?",
        (samples + refused, refused, at_s),
    )


def drop_above_max_bytes(db: sqlite3.Connection, max_bytes: int) -> None:
    """Drop batches until both the total payload and the used pages are within the limit.

    Small batches leave parts of their pages empty, so a limit on the payload alone would not limit
    the size of the file.
    """
    while True:
        (size,) = db.execute("SELECT size_bytes FROM ledger").fetchone()
        used = _pragma(db, "page_count") - _pragma(db, "freelist_count")
        if size <= max_bytes and used * sqlite_file.PAGE_BYTES <= max(max_bytes, _MIN_FILE_BYTES):
            return
        if not remove_batches(db, "full", _FIRST_TO_DROP, ()):
            return


def pages_needed(rows: Sequence[QueuedBatch]) -> int:
    """Return the largest number of pages that the batches may need."""
    return sum(len(row.payload) // sqlite_file.PAGE_BYTES + _ROW_PAGES for row in rows)


def has_room(db: sqlite3.Connection, pages: int, max_bytes: int) -> bool:
    """Return True if the file stays within `max_bytes` when `pages` more pages are used."""
    used = _pragma(db, "page_count") - _pragma(db, "freelist_count")
    return (used + pages) * sqlite_file.PAGE_BYTES <= max_bytes


def preallocate(db: sqlite3.Connection, size: int) -> None:
    """Grow the file to a size in bytes, by free pages.

    The pages are really written, to the WAL and to the file, so that they occupy disk space.
    """
    missing = size // sqlite_file.PAGE_BYTES - _pragma(db, "page_count")
    if missing <= 0:
        return
    taken = (_pragma(db, "freelist_count") + missing) * sqlite_file.PAGE_BYTES

    def work(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE room (taken BLOB)")
        db.execute("INSERT INTO room VALUES (zeroblob(?))", (taken,))
        db.execute("DROP TABLE room")

    run_transaction(db, work)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def drop_to_free_pages(db: sqlite3.Connection, pages: int) -> None:
    """Drop batches until the file has `pages` free pages."""
    while _pragma(db, "freelist_count") < pages:
        if not remove_batches(db, "full", _FIRST_TO_DROP, ()):
            return


def drop_put_before(db: sqlite3.Connection, before_s: float) -> None:
    """Drop batches that were put before the running time `before_s`."""
    while (first_s := oldest_put_s(db)) is not None and first_s < before_s:
        remove_batches(db, "old", _HEADS_BEFORE, (before_s,))


def queue_ends(
    db: sqlite3.Connection,
    limit: int,
    in_flight: Collection[BatchKey],
    excluded_ids: tuple[int, int] | None = None,
) -> QueueEnds:
    """Return both ends of the queue, without parked batches and without `excluded_ids`."""
    ready = parked_batches.READY
    parts = (
        (ready,)
        if excluded_ids is None
        else (f"{ready} AND id < {excluded_ids[0]}", f"id > {excluded_ids[1]}")
    )
    oldest = _select_entries(db, parts, "ASC", limit)
    newest = _select_entries(db, parts[::-1], "DESC", limit)
    there = {entry.key for entry in (*oldest, *newest)}
    gone = [key for key in in_flight if key not in there and not _contains(db, key)]
    return QueueEnds(oldest, newest, gone)


def oldest_put_s(db: sqlite3.Connection) -> float | None:
    """Return the running time at which the oldest batch was put; None if there is none."""
    heads = db.execute(f"SELECT put_s FROM batch WHERE id IN ({_HEADS})").fetchall()  # noqa: S608 - ours
    return min((one if isinstance(one, float) else 0.0 for (one,) in heads), default=None)


def read_batches(db: sqlite3.Connection, keys: Sequence[BatchKey]) -> list[QueuedBatch]:
    """Return batches by name. Damaged batches are removed from the queue."""
    rows, missing = [], []
    for key in keys:
        found = db.execute(
            "SELECT boot, seq, samples, payload, machine, crc FROM batch"
            " WHERE boot = ? AND seq = ?",
            key,
        ).fetchone()
        if found is None:
            missing.append(key)
        elif (row := intact_batch(found)) is None:
            db.execute("DELETE FROM batch WHERE boot = ? AND seq = ?", key)
            count_missing_as_damaged(db)
        elif row.machine_boot is None:
            rows.append(row)
        else:  # undated batches are never requested by name
            missing.append(key)
    if missing and not set(missing).isdisjoint(_keys_at_ends(db)):
        raise sqlite_file.corruption_error("the index does not contain the name of a batch")
    return rows


def remove_acknowledged(db: sqlite3.Connection, ack: Ack) -> int:
    """Remove the batches that an acknowledgement names, and count them as stored or quarantined.

    Undated batches are not removed, because they were never sent.

    Returns:
        The number of removed batches.
    """
    where = "boot = ? AND seq BETWEEN ? AND ? AND machine IS NULL"
    set_aside = 0
    for seq, samples in _samples_set_aside(ack).items():
        (there,) = db.execute(
            f"SELECT total(samples) FROM batch WHERE {where}",  # noqa: S608 - ours
            (ack.boot, seq, seq),
        ).fetchone()
        set_aside += min(samples, int(there))
    removed = sum(
        remove_batches(db, "stored", where, (ack.boot, first, last)) for first, last in ack.stored
    )
    db.execute(
        "UPDATE ledger SET stored = stored - ?, quarantined = quarantined + ?",
        (set_aside, set_aside),
    )
    return removed + sum(
        remove_batches(db, "quarantined", where, (ack.boot, seq, seq)) for seq, _ in ack.quarantined
    )


def _samples_set_aside(ack: Ack) -> Counter[int]:
    """Return the number of quarantined samples for each batch that was stored in part."""
    counts: Counter[int] = Counter()
    for seq, _, samples in ack.partly:
        if any(first <= seq <= last for first, last in ack.stored):
            counts[seq] += samples
    return counts


def intact_batch(found: Sequence[object]) -> QueuedBatch | None:
    """Return the batch of a row of the table (the last column is the checksum); None if damaged."""
    *parts, check = found
    try:
        row = msgspec.convert(parts, QueuedBatch)
    except msgspec.ValidationError:
        return None
    return row if check in {None, row.checksum} else None  # the first version had no checksums


def remove_batches(
    db: sqlite3.Connection, counted_as: str, where: str, values: Sequence[object]
) -> int:
    """Delete batches and count their samples.

    Args:
        db: in a transaction.
        counted_as: column of the ledger that counts the removed samples.
        where: condition on rows of `batch`.
        values: parameters of the condition.

    Returns:
        The number of removed batches.
    """
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


def count_missing_as_damaged(db: sqlite3.Connection) -> None:
    """Count pending samples that are no longer in the table as damaged.

    Their number is a difference of counts, because the count in a damaged row may be wrong.
    """
    left = db.execute("SELECT total(samples), total(length(payload)) FROM batch").fetchone()
    samples, size = map(int, left)
    db.execute(
        "UPDATE ledger SET damaged = damaged + pending - ?, pending = ?, size_bytes = ?",
        (samples, samples, size),
    )


def _select_entries(
    db: sqlite3.Connection, parts: Sequence[str], order: str, limit: int
) -> list[QueueEntry]:
    """Return up to `limit` entries: those of the first part of the queue, then of the next, ..."""
    found: list[QueueEntry] = []
    for part in parts:
        found += [
            QueueEntry((boot, seq), size)
            for boot, seq, size in db.execute(
                f"SELECT boot, seq, length(payload) FROM batch WHERE {part}"  # noqa: S608 - ours
                f" ORDER BY id {order} LIMIT ?",
                (limit - len(found),),
            )
        ]
    return found


def _pragma(db: sqlite3.Connection, name: str) -> int:
    (found,) = db.execute(f"PRAGMA {name}").fetchone()
    return int(found)


def _keys_at_ends(db: sqlite3.Connection) -> set[BatchKey]:
    found = queue_ends(db, _MAX_IN_FLIGHT, ())
    return {entry.key for entry in (*found.oldest, *found.newest)}


def _contains(db: sqlite3.Connection, key: BatchKey) -> bool:
    found = db.execute("SELECT 1 FROM batch WHERE boot = ? AND seq = ?", key)
    return found.fetchone() is not None
