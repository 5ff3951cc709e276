"""Park batches that the ingest has not acknowledged although it has acknowledged later ones.

Laws:

1. A parked batch stays in the queue and is counted as pending. It is left out of both ends of the
   queue (`QueueEnds`), so that no other batch waits for it. The publisher queries parked batches
   separately.
2. A parked batch has a negative row id. This needs no further index, and the ends of the queue are
   found equally fast with any number of parked batches. Batches stay parked after a restart.
3. Parked batches keep their order. Their row ids are smaller than all others, so a full spool drops
   them first.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from edge_agent.spool.queued_batch import BatchKey, QueueEntry

#: Condition on rows of `batch` that are not parked.
READY: Final = "id > 0"
_OFFSET: Final = 2**62  # subtracted from the row id of a batch when it is parked
#: SQL expression for the row id of the next batch: the largest row id ever used, plus 1. For parked
#: batches, the row id that they had before counts.
NEXT_ID: Final = (
    "max(coalesce(("  # noqa: S608 - ours
    "SELECT id FROM batch WHERE id > 0 ORDER BY id DESC LIMIT 1), 0),"
    " coalesce((SELECT id FROM batch WHERE id < 0 ORDER BY id DESC LIMIT 1)"
    f" + {_OFFSET}, 0)) + 1"
)


def park(db: sqlite3.Connection, keys: Sequence[BatchKey]) -> int:
    """Park batches, and return how many of them were in the queue and not yet parked."""
    return sum(
        db.execute(
            "UPDATE batch SET id = id - ?"
            " WHERE boot = ? AND seq = ? AND id > 0 AND machine IS NULL",
            (_OFFSET, *key),
        ).rowcount
        for key in keys
    )


def parked_after(db: sqlite3.Connection, row_id: int, limit: int) -> list[QueueEntry]:
    """Return parked batches with row ids above `row_id`, oldest first."""
    return [
        QueueEntry((boot, seq), size, number)
        for boot, seq, size, number in db.execute(
            "SELECT boot, seq, length(payload), id FROM batch WHERE id < 0 AND id > ?"
            " ORDER BY id LIMIT ?",
            (row_id, limit),
        )
    ]
