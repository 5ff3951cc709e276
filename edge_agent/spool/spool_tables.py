"""The tables of the spool's file, and how those of earlier versions become them.

Law: a version is known by its tables, too. None has the texts of another, so that a number which
rotted is told from a version of its own.
"""

from collections.abc import Collection, Iterable
from typing import Final

VERSION: Final = 4
_LEDGER: Final = """
CREATE TABLE ledger (
    read INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    "full" INTEGER NOT NULL,
    old INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    undated INTEGER NOT NULL DEFAULT 0,
    running_s REAL NOT NULL
);
"""
_BATCH: Final = """
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    payload BLOB NOT NULL,
    put_s REAL NOT NULL DEFAULT 0,
    crc INTEGER,
    machine TEXT,
    UNIQUE (boot, seq)
);
"""
# Those that wait for their time are looked for by themselves, and cost the others nothing.
_WAITING: Final = "CREATE INDEX waiting ON batch (id) WHERE machine IS NOT NULL;"
# Those that hold no reading: the first to give way, and found at once.
_REPORTS: Final = "CREATE INDEX reports ON batch (id) WHERE samples = 0;"
_EMPTY: Final = "INSERT INTO ledger VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0);"
# The second version kept nothing that had no time.
_FROM_SECOND: Final = """
ALTER TABLE batch ADD COLUMN machine TEXT;
ALTER TABLE ledger ADD COLUMN undated INTEGER NOT NULL DEFAULT 0;
"""
# The first version told no reasons either, no ages and no checksums.
_FROM_FIRST: Final = """
ALTER TABLE batch ADD COLUMN put_s REAL NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN crc INTEGER;
ALTER TABLE batch ADD COLUMN machine TEXT;
ALTER TABLE ledger RENAME TO first_ledger;
"""
_COUNTS_OF_FIRST: Final = """
INSERT INTO ledger SELECT read, stored, pending, bytes, dropped, 0, 0, 0, 0, 0 FROM first_ledger;
DROP TABLE first_ledger;
"""
#: How a file of an earlier version becomes one of ours; a new file is of version 0.
TO_VERSION: Final = {
    0: _BATCH + _WAITING + _REPORTS + _LEDGER + _EMPTY,
    1: _FROM_FIRST + _WAITING + _REPORTS + _LEDGER + _COUNTS_OF_FIRST,
    2: _FROM_SECOND + _WAITING + _REPORTS,
    3: _REPORTS,
}

#: Where the rows of `batch` and its index of names stand in a file of any version, and how those
#: are read where the file no longer says it right.
BATCH_PAGE, NAMES_PAGE = 2, 3
NAMES: Final = "sqlite_autoindex_batch_1"
BATCH: Final = _BATCH.strip(" \n;")

# An upgrade keeps the text of a table and adds to it: here at its end.
_UNDATED: Final = "    undated INTEGER NOT NULL DEFAULT 0,\n"
_LEDGER_OF_SECOND: Final = _LEDGER.replace(_UNDATED, "").replace(
    "running_s REAL NOT NULL", "running_s REAL NOT NULL, undated INTEGER NOT NULL DEFAULT 0"
)


def are_others(names: Collection[str]) -> bool:
    """Whether another program made these tables: a letter of ours may have rotted, not all."""
    return bool(names) and {"batch", "ledger", "waiting", NAMES}.isdisjoint(names)


def are_ours(found: Iterable[tuple[str | None, ...]]) -> bool:
    """Whether these are the tables of this version: type, name, table and text of each thing."""
    there = {(*names, _squeezed(text or "")) for *names, text in found}
    return any(
        there
        == {
            ("table", "batch", "batch", _squeezed(_BATCH)),
            ("index", NAMES, "batch", ""),
            ("index", "waiting", "batch", _squeezed(_WAITING)),
            ("index", "reports", "batch", _squeezed(_REPORTS)),
            ("table", "ledger", "ledger", _squeezed(ledger)),
        }
        for ledger in (_LEDGER, _LEDGER_OF_SECOND)
    )


def _squeezed(text: str) -> str:
    """Without its spaces, which an upgrade does not set as we do, and its end."""
    return "".join(text.split()).rstrip(";")
