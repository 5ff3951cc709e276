"""Record the received batches in a SQLite file, shared by all copies of the ingest on a machine.

Laws:

- Everything that `add` wrote survives the death of the process. A power cut may delete the newest
  records; the file then shows a gap that does not exist. Forcing every write to the disk would
  prevent this, but costs too much time.
- The size is bounded: the file keeps a limited number of runs for each agent, and a limited number
  of ranges for each run.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import msgspec

from ingest.receipts.sequence_ranges import BootSequence, Range, merge
from jieneng.metering.errors import QuarantineUnavailable
from jieneng.storage.embedded.file_identity import file_identity
from jieneng.storage.embedded.sqlite_statements import transaction
from jieneng.storage.sqlite_wal import make_durable

#: Name of the file in the folder of the quarantine.
FILE_NAME: Final = "received.db"
#: Number of runs kept for each agent.
MAX_BOOTS: Final = 20

_BUSY_TIMEOUT_S: Final = 10.0
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS machine (id TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS sequence (
        agent TEXT NOT NULL, boot TEXT NOT NULL, updated_ms INTEGER NOT NULL, ranges BLOB NOT NULL,
        PRIMARY KEY (agent, boot)
    )""",
)

#: Sequence numbers by agent and boot.
SeenBatches: TypeAlias = Mapping[tuple[str, str], Iterable[int]]

_Result = TypeVar("_Result")
_decode_ranges: Final = msgspec.json.Decoder(tuple[Range, ...]).decode


class ReceiptFile:
    """The batches received on this machine. May be used from several threads.

    Args:
        folder: the folder; it is created when something is first added.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def add(self, seen: SeenBatches, now_ms: int) -> None:
        """Record received batches.

        Raises:
            QuarantineUnavailable: the file can't be written.
        """

        def work(db: sqlite3.Connection) -> None:
            for (agent, boot), numbers in seen.items():
                _add(db, agent, boot, numbers, now_ms)

        self._in_transaction(work)

    def sequences(self) -> list[BootSequence]:
        """Return the received batches by agent and run, the newest run last. Raises as `add`."""
        if not self._path.exists():
            return []
        return self._in_transaction(_sequences)

    def machine(self) -> str:
        """Return the id of the file: 8 hex digits, chosen at its creation; "" if there is no file.

        Raises:
            QuarantineUnavailable: the file can't be read.
        """
        if not self._path.exists():
            return ""
        return self._in_transaction(
            lambda db: str(db.execute("SELECT id FROM machine").fetchone()[0])
        )

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        with self._lock:
            self._close()

    def _in_transaction(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            with self._lock:
                db = self._open()
                with transaction(db, "IMMEDIATE"):
                    return work(db)
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()
            raise QuarantineUnavailable(
                "{path} can't be used: {reason}. Check the disk's free space and the file's "
                "permissions. If the file is damaged, delete it: it only shows gaps.",
                path=self._path,
                reason=error,
            ) from error

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._identity != file_identity(self._path):
            self._close()  # it was deleted: what is written into it would be gone
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = db = sqlite3.connect(
                self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            make_durable(db, _BUSY_TIMEOUT_S)
            db.execute("PRAGMA synchronous = NORMAL")
            with transaction(db, "IMMEDIATE"):
                for statement in _TABLES:
                    db.execute(statement)
                db.execute(
                    "INSERT INTO machine SELECT ? WHERE NOT EXISTS (SELECT 1 FROM machine)",
                    (secrets.token_hex(4),),
                )
            self._identity = file_identity(self._path)
        return self._connection


def _add(
    db: sqlite3.Connection, agent: str, boot: str, numbers: Iterable[int], now_ms: int
) -> None:
    key = (agent, boot)
    row = db.execute("SELECT ranges FROM sequence WHERE (agent, boot) = (?, ?)", key).fetchone()
    ranges = merge(_decode_ranges(row[0]) if row else (), numbers)
    db.execute(
        "INSERT OR REPLACE INTO sequence (agent, boot, updated_ms, ranges) VALUES (?, ?, ?, ?)",
        (*key, now_ms, msgspec.json.encode(ranges)),
    )
    if row is None:
        db.execute(
            "DELETE FROM sequence WHERE agent = ? AND boot NOT IN (SELECT boot FROM sequence "
            "WHERE agent = ? ORDER BY updated_ms DESC, rowid DESC LIMIT ?)",
            (agent, agent, MAX_BOOTS),
        )


def _sequences(db: sqlite3.Connection) -> list[BootSequence]:
    rows = db.execute(
        "SELECT agent, boot, updated_ms, ranges FROM sequence ORDER BY agent, updated_ms, rowid"
    )
    return [
        BootSequence(agent, boot, updated_ms, _decode_ranges(ranges))
        for agent, boot, updated_ms, ranges in rows
    ]
