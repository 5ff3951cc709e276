"""Parked batches: those that the ingest did not acknowledge although later ones went through.

Laws:

1. A parked batch stays in the queue, is pending, and counts as the others do. A parked batch is in
   neither end of the queue, so that no batch waits behind it; the publisher asks for it here.
2. A batch is parked by its row id, which becomes negative. So no index is needed: the two ends of
   the queue are found equally fast, however many batches are parked. An agent that was killed still
   knows at its next start which were parked.
3. Parked batches keep their order, and are before all others: a full spool drops them first.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from edge_agent.spool.queued_batch import BatchKey, QueueEntry

#: Condition on rows of `batch` that are not parked.
READY: Final = "id > 0"
_OFFSET: Final = 2**62  # row ids of parked batches are lower by this number
#: Row id of the next batch that is put: above all others, also after these are parked.
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
