"""Give UTC times to batches that were read before the clock was plausible (undated batches).

Laws:

1. The time stamps of an undated batch are in running time: they count from the start of the machine
   (`clock_trust`). The batch contains the boot id of this start. It is counted as pending, and not
   sent.
2. Once the UTC time of the machine's start is known, the time stamps of each undated batch are
   converted to UTC, exactly once. From then on it is a normal batch, and later changes of the clock
   do not affect it. If the agent is killed during the conversion, the next run continues it.
3. If the machine was started again before that, the time of the earlier start can't be determined
   any more. The undated batches of the earlier start are dropped and counted, because any time
   would be invented. No consumption is lost with them: the next reading of the register contains
   it.

A dated batch between undated ones is sent together with them. This occurs only if the clock was
plausible so briefly that the clock check did not notice it.
"""

import sqlite3
from typing import Final

import msgspec

from edge_agent.spool import batch_queue, sqlite_file
from edge_agent.timekeeping.clock_trust import RUNNING_TIME_EPOCH_MS
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError

# Largest payload in one transaction. A larger transaction would delay the batch writer for too
# long.
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
    """Give some undated batches their UTC times, oldest first.

    Args:
        db: connection with an open transaction.
        machine_started_ms: time at which the machine started, UTC.

    Returns:
        True if other batches are still undated.
    """
    for number, found in _next_rows(db):
        row = batch_queue.intact_batch(found)
        payload = (
            None
            if row is None
            else _payload_shifted(row.payload, machine_started_ms - RUNNING_TIME_EPOCH_MS)
        )
        if row is not None and row.machine_boot is None:
            raise sqlite_file.corruption_error("the index lists a dated batch as undated")
        if row is None or payload is None:
            db.execute("DELETE FROM batch WHERE id = ?", (number,))
            batch_queue.count_missing_as_damaged(db)
            continue
        dated = msgspec.structs.replace(row, payload=payload, machine_boot=None)
        db.execute(
            "UPDATE batch SET payload = ?, machine = NULL, crc = ? WHERE id = ?",
            (payload, dated.checksum, number),
        )
        if grown := len(payload) - len(row.payload):  # from the year 2286 on
            db.execute("UPDATE ledger SET size_bytes = size_bytes + ?", (grown,))
    return undated_id_range(db) is not None


def drop_from_other_boots(db: sqlite3.Connection, machine_boot: str) -> int:
    """Drop undated batches of other starts of the machine, and return the number of their samples.

    Must be called outside a transaction. It begins one only if there are batches to drop.
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
    """Return (row id, row) of the oldest undated batches, up to the limit of a transaction."""
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
    """Return the payload with `by_ms` added to all its times; None if it can't be decoded."""
    try:
        batch = mqtt_messages.decode_batch(payload)
    except WireError:
        return None
    samples, polls = (
        tuple(msgspec.structs.replace(one, time_ms=one.time_ms + by_ms) for one in some)
        for some in (batch.samples, batch.polls)
    )
    return mqtt_messages.encode_batch(msgspec.structs.replace(batch, samples=samples, polls=polls))
