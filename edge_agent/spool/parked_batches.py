"""Parked batches: those that the ingest did not acknowledge although later ones went through.

Laws:

1. A parked batch stays in the queue and is counted as pending. It is left out of both ends of the
   queue (`QueueEnds`), so that no batch waits behind it. The publisher asks for it separately.
2. A parked batch has a negative row id. So no further index is needed, and the two ends of the
   queue are found equally fast, however many batches are parked. The batches stay parked if the
   agent is killed and started again.
3. Parked batches keep their order, and are before all others: a full spool drops them first.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from edge_agent.spool.queued_batch import BatchKey, QueueEntry

#: Condition on rows of `batch` that are not parked.
READY: Final = "id > 0"
_OFFSET: Final = 2**62  # row ids of parked batches are lower by this number
#: Row id of the next batch. Parked batches count with the row id that they had before.
NEXT_ID: Final = (
    "max(coalesce(("  # noqa: S608 - ours
    "SELECT id FROM batch WHERE id > 0 ORDER BY id DESC LIMIT 1), 0),"
    " coalesce((SELECT id FROM batch WHERE id < 0 ORDER BY id DESC LIMIT 1)"
    f" + {_OFFSET}, 0)) + 1"
)


def park(db: sqlite3.Connection, keys: Sequence[BatchKey]) -> int:
    """Park batches that are in the queue, and return how many were."""
    return sum(
        db.execute(
            "UPDATE batch SET id = id - ?"
            " WHERE boot = ? AND seq = ? AND id > 0 AND machine IS NULL",
            (_OFFSET, *key),
        ).rowcount
        for key in keys
    )


def parked_after(db: sqlite3.Connection, row_id: int, limit: int) -> list[QueueEntry]:
    """Return parked batches behind a row id, oldest first."""
    return [
        QueueEntry((boot, seq), size, number)
        for boot, seq, size, number in db.execute(
            "SELECT boot, seq, length(payload), id FROM batch WHERE id < 0 AND id > ?"
            " ORDER BY id LIMIT ?",
            (row_id, limit),
        )
    ]
