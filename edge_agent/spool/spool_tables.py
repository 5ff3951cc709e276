"""Define the tables of the spool's file, and upgrade tables of earlier versions.

Law: no two versions have the same table definitions. So if the version number in a file does not
match the tables, the number is damaged.
"""

from collections.abc import Collection, Iterable
from typing import Final

VERSION: Final = 5
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
    running_s REAL NOT NULL,
    quarantined INTEGER NOT NULL DEFAULT 0
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
# An index of undated batches only; other batches need no index entry.
_WAITING: Final = "CREATE INDEX waiting ON batch (id) WHERE machine IS NOT NULL;"
# An index of batches without samples, because these are dropped first.
_REPORTS: Final = "CREATE INDEX reports ON batch (id) WHERE samples = 0;"
_EMPTY: Final = "INSERT INTO ledger VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);"
# The fourth version and those before it counted quarantined samples as stored.
_QUARANTINED: Final = "ALTER TABLE ledger ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0;"
# The second version had no undated batches.
_FROM_SECOND: Final = """
ALTER TABLE batch ADD COLUMN machine TEXT;
ALTER TABLE ledger ADD COLUMN undated INTEGER NOT NULL DEFAULT 0;
"""
# The first version also had no reasons of drops, no ages and no checksums.
_FROM_FIRST: Final = """
ALTER TABLE batch ADD COLUMN put_s REAL NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN crc INTEGER;
ALTER TABLE batch ADD COLUMN machine TEXT;
ALTER TABLE ledger RENAME TO first_ledger;
"""
_COUNTS_OF_FIRST: Final = """
INSERT INTO ledger SELECT read, stored, pending, bytes, dropped, 0, 0, 0, 0, 0, 0 FROM first_ledger;
DROP TABLE first_ledger;
"""
#: Statements that upgrade a file, by its version. A new file has version 0.
UPGRADES: Final = {
    0: _BATCH + _WAITING + _REPORTS + _LEDGER + _EMPTY,
    1: _FROM_FIRST + _WAITING + _REPORTS + _LEDGER + _COUNTS_OF_FIRST,
    2: _FROM_SECOND + _WAITING + _REPORTS + _QUARANTINED,
    3: _REPORTS + _QUARANTINED,
    4: _QUARANTINED,
}

#: Root pages of the table `batch` and of its index of names, in files of all versions. With them,
#: a file with a damaged schema can still be read.
BATCH_PAGE, NAMES_PAGE = 2, 3
NAMES: Final = "sqlite_autoindex_batch_1"
BATCH: Final = _BATCH.strip(" \n;")

# `ALTER TABLE` keeps the text of a table definition and appends to it.
_UNDATED: Final = "    undated INTEGER NOT NULL DEFAULT 0,\n"
_END: Final = ",\n    quarantined INTEGER NOT NULL DEFAULT 0\n"
_LEDGER_OF_SECOND: Final = _LEDGER.replace(_UNDATED, "").replace(
    _END, ",undated INTEGER NOT NULL DEFAULT 0" + _END
)


def is_foreign(names: Collection[str]) -> bool:
    """Return True if the tables are those of another program: none has a name used here.

    Damage to the file may change one name, but not all.
    """
    return bool(names) and {"batch", "ledger", "waiting", NAMES}.isdisjoint(names)


def match_current_version(found: Iterable[tuple[str | None, ...]]) -> bool:
    """Return True if the schema of a file is that of the current version.

    Args:
        found: (type, name, table, definition) of each entry of the schema.
    """
    there = {(*names, _without_spaces(text or "")) for *names, text in found}
    return any(
        there
        == {
            ("table", "batch", "batch", _without_spaces(_BATCH)),
            ("index", NAMES, "batch", ""),
            ("index", "waiting", "batch", _without_spaces(_WAITING)),
            ("index", "reports", "batch", _without_spaces(_REPORTS)),
            ("table", "ledger", "ledger", _without_spaces(ledger)),
        }
        for ledger in (_LEDGER, _LEDGER_OF_SECOND)
    )


def _without_spaces(text: str) -> str:
    """Return a definition without spaces and its end, which may differ after an upgrade."""
    return "".join(text.split()).rstrip(";")
