"""Batches that were read before the clock was plausible: they wait in the queue for their times.

Laws:

1. The time stamps of an undated batch count from the start of the machine (`clock_trust`). The
   batch holds the boot id of that start. It is counted as pending, and is not sent.
2. Once the start time of the machine is known, each undated batch gets its times, exactly once.
   From then on it is a batch like any other, and keeps these times whatever the clock does. An
   agent that is killed during this work continues where it stopped.
3. The start time of an earlier start of the machine can never be known. Batches that still wait for
   it are dropped and counted: any time that they were given would be invented. No consumption is
   lost with them, because the register's next reading contains it.

A dated batch between undated ones is sent together with them. There is such a batch only if the
clock was plausible for so short a time that the clock check did not notice it.
"""

import sqlite3
from typing import Final

import msgspec

from edge_agent.spool import batch_queue, sqlite_file
from edge_agent.timekeeping.clock_trust import RUNNING_TIME_EPOCH_MS
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError

# Largest payload in one transaction: a larger one would block the batch writer for too long.
_TRANSACTION_BYTES: Final = 1024 * 1024
_FIRST, _LAST = (
    f"(SELECT {end}(id) FROM batch INDEXED BY waiting WHERE machine IS NOT NULL)"  # noqa: S608 - ours
    for end in ("min", "max")
)


def undated_id_range(db: sqlite3.Connection) -> tuple[int, int] | None:
    """Return the first and the last row id of undated batches; None if there are none."""
    first, last = db.execute(f"SELECT {_FIRST}, {_LAST}").fetchone()
    return None if first is None else (first, last)


def assign_times(db: sqlite3.Connection, machine_started_ms: int) -> bool:
    """Give some undated batches their times, the oldest first.

    Args:
        db: in a transaction.
        machine_started_ms: UTC at which the machine started.

    Returns:
        True if others still wait.
    """
    for number, found in _next_rows(db):
        row = batch_queue.intact_batch(found)
        payload = (
            None
            if row is None
            else _payload_shifted(row.payload, machine_started_ms - RUNNING_TIME_EPOCH_MS)
        )
        if row is not None and row.machine_boot is None:
            raise sqlite_file.corruption_error("the index lists a batch with its time as undated")
        if row is None or payload is None:
            db.execute("DELETE FROM batch WHERE id = ?", (number,))
            batch_queue.count_missing_as_damaged(db)
            continue
        dated = msgspec.structs.replace(row, payload=payload, machine_boot=None)
        db.execute(
            "UPDATE batch SET payload = ?, machine = NULL, crc = ? WHERE id = ?",
            (payload, dated.checksum, number),
        )
        if grown := len(payload) - len(row.payload):  # past the year 2286
            db.execute("UPDATE ledger SET size_bytes = size_bytes + ?", (grown,))
    return undated_id_range(db) is not None


def drop_from_other_boots(db: sqlite3.Connection, machine_boot: str) -> int:
    """Drop undated batches of other starts of the machine, and return the number of their samples.

    Must be called outside a transaction; none is begun if there is nothing to drop.
    """
    where = "machine <> ?"
    count, samples = db.execute(
        f"SELECT count(*), total(samples) FROM batch WHERE {where}",  # noqa: S608 - ours
        (machine_boot,),
    ).fetchone()
    if count:
        batch_queue.run_transaction(
            db, lambda db: batch_queue.remove_batches(db, "undated", where, (machine_boot,))
        )
    return int(samples)


def _next_rows(db: sqlite3.Connection) -> list[tuple[int, list[object]]]:
    """Return the row id and the row of as many undated batches as fit into a transaction."""
    found = []
    left = _TRANSACTION_BYTES
    for *row, size, number in db.execute(
        "SELECT boot, seq, samples, payload, machine, crc, length(payload), id"
        " FROM batch INDEXED BY waiting WHERE machine IS NOT NULL ORDER BY id"
    ):
        found.append((number, row))
        left -= size
        if left < 0:
            break
    return found


def _payload_shifted(payload: bytes, by_ms: int) -> bytes | None:
    """Return the payload with all its times later by `by_ms`; None if it can't be decoded."""
    try:
        batch = mqtt_messages.decode_batch(payload)
    except WireError:
        return None
    samples, polls = (
        tuple(msgspec.structs.replace(one, time_ms=one.time_ms + by_ms) for one in some)
        for some in (batch.samples, batch.polls)
    )
    return mqtt_messages.encode_batch(msgspec.structs.replace(batch, samples=samples, polls=polls))
