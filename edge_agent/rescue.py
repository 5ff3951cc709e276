"""What a damaged spool still gives back. A batch whose checksum is wrong is not given back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from edge_agent.batches import Row, whole

# The table and the index of names both know the numbers of all batches: each is walked from both
# ends, as far as it goes.
_WALKS: Final = tuple(
    f"SELECT id FROM batch {by} {order}"  # noqa: S608 - ours
    for by, order in (
        ("NOT INDEXED", "ORDER BY id"),
        ("NOT INDEXED", "ORDER BY id DESC"),
        ("INDEXED BY sqlite_autoindex_batch_1", "ORDER BY boot, seq"),
        ("INDEXED BY sqlite_autoindex_batch_1", "ORDER BY boot DESC, seq DESC"),
    )
)


def rescued(path: Path) -> Iterator[Row]:
    """The whole batches of a damaged file, in the order in which they were put."""
    with closing(sqlite3.connect(path, timeout=0)) as db:
        db.text_factory = _text
        for number in _numbers(db):
            with suppress(sqlite3.Error):
                *parts, check = db.execute(
                    "SELECT boot, seq, samples, payload, crc FROM batch WHERE id = ?", (number,)
                ).fetchone() or (None,)
                if parts and (row := whole(parts, check)) is not None:
                    yield row


def _numbers(db: sqlite3.Connection) -> list[int]:
    found: set[int] = set()
    for walk in _WALKS:
        with suppress(sqlite3.Error):
            found.update(one for (one,) in db.execute(walk))
    return sorted(found)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")  # what rotted may be no text
