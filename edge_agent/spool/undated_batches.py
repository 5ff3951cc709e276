"""Batches that were read before the clock could be believed: they wait in the queue for their time.

Laws:

1. Such a batch is stamped with the machine's running time (`timekeeper`), and carries the name of
   the machine's start from which that counts. It is pending, and not sent.
2. When it is known when the machine started, each gets its time, once: from then on it is a batch
   like any other, and keeps that time whatever the clock does. An agent that is killed meanwhile
   goes on where it was.
3. When an earlier start was, nobody will ever know. What still waits of one is dropped and counted:
   between the last reading before it and the first one after it any time would be invented, and
   the register's next reading says as much of the consumption.

A batch that has its time and came among some that wait is sent when these are. Nothing comes so,
unless the clock is believed for less than the watch needs to see it.
"""

import sqlite3
from typing import Final

import msgspec

from edge_agent.spool import batch_queue, sqlite_file
from edge_agent.timekeeping.clock_trust import UP_MS
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError

_AT_ONCE_BYTES: Final = 1024 * 1024  # of payload in a transaction: others want the disk, too
_FIRST, _LAST = (
    f"(SELECT {end}(id) FROM batch INDEXED BY waiting WHERE machine IS NOT NULL)"  # noqa: S608 - ours
    for end in ("min", "max")
)


def span(db: sqlite3.Connection) -> tuple[int, int] | None:
    """From which number in the queue to which they wait; None where none does."""
    first, last = db.execute(f"SELECT {_FIRST}, {_LAST}").fetchone()
    return None if first is None else (first, last)


def date(db: sqlite3.Connection, start_ms: int) -> bool:
    """Give some of them their time, the oldest first; whether others still wait.

    Args:
        db: in a transaction.
        start_ms: when the machine started, UTC.
    """
    for number, found in _oldest(db):
        row = batch_queue.whole(found)
        payload = None if row is None else _moved(row.payload, start_ms - UP_MS)
        if row is not None and row.machine is None:
            raise sqlite_file.damaged("a batch that has its time is said to wait for it")
        if row is None or payload is None:
            db.execute("DELETE FROM batch WHERE id = ?", (number,))
            batch_queue.count_damaged(db)
            continue
        dated = msgspec.structs.replace(row, payload=payload, machine=None)
        db.execute(
            "UPDATE batch SET payload = ?, machine = NULL, crc = ? WHERE id = ?",
            (payload, dated.check, number),
        )
        if grown := len(payload) - len(row.payload):  # past the year 2286
            db.execute("UPDATE ledger SET size_bytes = size_bytes + ?", (grown,))
    return span(db) is not None


def drop_of_other_starts(db: sqlite3.Connection, machine: str) -> int:
    """Drop what waits, but not for this start of the machine; how many samples.

    No transaction is open, and none is begun where there is nothing to drop.
    """
    where = "machine <> ?"
    count, samples = db.execute(
        f"SELECT count(*), total(samples) FROM batch WHERE {where}",  # noqa: S608 - ours
        (machine,),
    ).fetchone()
    if count:
        batch_queue.whole_or_not(
            db, lambda db: batch_queue.remove(db, "undated", where, (machine,))
        )
    return int(samples)


def _oldest(db: sqlite3.Connection) -> list[tuple[int, list[object]]]:
    """As many as go into a transaction: the number of each, and its row."""
    found = []
    left = _AT_ONCE_BYTES
    for *row, size, number in db.execute(
        "SELECT boot, seq, samples, payload, machine, crc, length(payload), id"
        " FROM batch INDEXED BY waiting WHERE machine IS NOT NULL ORDER BY id"
    ):
        found.append((number, row))
        left -= size
        if left < 0:
            break
    return found


def _moved(payload: bytes, by_ms: int) -> bytes | None:
    """The same with all its times so much later; None where it can't be understood."""
    try:
        batch = mqtt_messages.decode_batch(payload)
    except WireError:
        return None
    samples, polls = (
        tuple(msgspec.structs.replace(one, time_ms=one.time_ms + by_ms) for one in some)
        for some in (batch.samples, batch.polls)
    )
    return mqtt_messages.encode_batch(msgspec.structs.replace(batch, samples=samples, polls=polls))
