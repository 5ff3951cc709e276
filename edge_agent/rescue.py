"""A damaged spool is set aside, and what it still gives back goes into a new one.

Law: a batch whose checksum is wrong is not given back.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from edge_agent import batches
from edge_agent.batches import Row, whole
from edge_agent.tally import Counts, settled

_AT_ONCE: Final = 200  # batches in a transaction

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


def set_aside(path: Path) -> Path:
    """Give the file another name. One that had it before has been rescued from: it goes."""
    aside = path.with_name(f"{path.name}.damaged")
    for suffix in ("", "-wal"):
        file = path.with_name(path.name + suffix)
        aside.with_name(aside.name + suffix).unlink(missing_ok=True)
        if file.exists():
            file.rename(aside.with_name(aside.name + suffix))
    return aside


def bring_over(db: sqlite3.Connection, aside: Path) -> int:
    """Take what the damaged file gives back, as much as the disk has room for; how many samples."""
    with suppress(sqlite3.Error):
        rows = rescued(aside)
        while some := list(islice(rows, _AT_ONCE)):
            batches.whole_or_not(db, partial(batches.insert, rows=some, at_s=0.0))
    return batches.counts(db).pending


def counts_of(path: Path) -> Counts:
    """What a damaged file says of itself, if it says anything that can be."""
    try:
        with closing(sqlite3.connect(path, timeout=0)) as db:
            said = batches.counts(db)
            return said if settled(said, said) == said else Counts()
    except (sqlite3.Error, TypeError):
        return Counts()


def rescued(path: Path) -> Iterator[Row]:
    """The whole batches of a damaged file, in the order in which they were put."""
    with closing(sqlite3.connect(path, timeout=0)) as db:
        db.text_factory = _text
        select = f"SELECT boot, seq, samples, payload, {', '.join(_later(db))} FROM batch"  # noqa: S608 - ours
        for number in _numbers(db):
            with suppress(sqlite3.Error):
                found = db.execute(f"{select} WHERE id = ?", (number,)).fetchone()
                if found is not None and (row := whole(found)) is not None:
                    yield row


def _later(db: sqlite3.Connection) -> list[str]:
    """The columns that not every version had: it may have been damaged before it was upgraded."""
    there = {name for _, name, *_ in db.execute("PRAGMA table_info(batch)")}
    return [name if name in there else "NULL" for name in ("machine", "crc")]


def _numbers(db: sqlite3.Connection) -> list[int]:
    found: set[int] = set()
    for walk in _WALKS:
        with suppress(sqlite3.Error):
            found.update(one for (one,) in db.execute(walk))
    return sorted(found)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")  # what rotted may be no text
