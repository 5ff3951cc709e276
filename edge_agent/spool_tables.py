"""The tables of the spool's file, and how those of earlier versions become them."""

from typing import Final

VERSION: Final = 3
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
    0: _BATCH + _WAITING + _LEDGER + _EMPTY,
    1: _FROM_FIRST + _WAITING + _LEDGER + _COUNTS_OF_FIRST,
    2: _FROM_SECOND + _WAITING,
}
