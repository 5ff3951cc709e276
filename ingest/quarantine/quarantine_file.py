"""The quarantine: one SQLite file, shared by all copies of the ingest on a machine.

Laws:

1. When `add` returns, the added entries survive a power cut. So their samples can be acknowledged,
   and the agent can delete them.
2. Acknowledged entries are deleted only by a replay that the store confirmed, or by a person. When
   their size reaches `max_bytes`, the quarantine is full: it accepts no more, and the agents keep
   their samples.
3. Unacknowledged entries have a separate limit. At that limit the oldest ones are deleted, and the
   deletions are counted.
4. If a batch arrives again, its samples are not added a second time.
5. The account of an agent is updated in the same transaction as its entries.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ingest.quarantine import quarantine_statements as statements
from ingest.quarantine import quarantine_tables as tables
from ingest.quarantine.held_samples import not_held
from ingest.quarantine.quarantine_entry import (
    AgentAccount,
    EntryFilter,
    EntryGroup,
    QuarantineEntry,
    QuarantineItem,
    QuarantineUsage,
)
from jieneng.metering.errors import QuarantineUnavailable
from jieneng.storage.embedded.file_identity import file_identity
from jieneng.storage.embedded.sqlite_statements import transaction
from jieneng.storage.sqlite_wal import make_durable

#: Name of the file in the folder of the quarantine.
FILE_NAME: Final = "quarantine.db"

_ENTRIES_PER_READ: Final = 100
_BUSY_TIMEOUT_S: Final = 10.0
#: Size to which the write-ahead log is cut after its content was copied into the file [bytes].
_WAL_BYTES: Final = 1024 * 1024

_Result = TypeVar("_Result")


class AddResult(msgspec.Struct, frozen=True):
    """The result of `add`.

    Attributes:
        taken: for each batch, True if all its samples are now in the quarantine.
        lost: number of unacknowledged entries that were deleted to make room.
    """

    taken: tuple[bool, ...]
    lost: int


class Quarantine:
    """The quarantine of a folder. May be used from several threads.

    Args:
        folder: the folder; it is created when something is first added.
        max_bytes: largest size of the acknowledged entries; then the quarantine is full.
        max_other_bytes: largest size of the unacknowledged entries; then the oldest are deleted.
    """

    def __init__(self, folder: Path, max_bytes: int = 2**62, max_other_bytes: int = 2**62) -> None:
        self._path = folder / FILE_NAME
        self._max_bytes = max_bytes
        self._max_other_bytes = max_other_bytes
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._lock = threading.Lock()
        # Usage at the time when a batch did not fit. Smaller batches might still fit, but accepting
        # them would hide the problem. So the quarantine stays full until a person makes room.
        self._full_from_bytes: int | None = None

    def add(
        self,
        batches: Sequence[Sequence[QuarantineItem]],
        others: Sequence[QuarantineItem],
        time_ms: int,
    ) -> AddResult:
        """Add items on disk.

        Args:
            batches: acknowledged items by batch. All items of a batch are added, or none.
            others: items that are not acknowledged.
            time_ms: time of quarantine, UTC.

        Raises:
            QuarantineUnavailable: the file can't be written; no item was added.
        """

        def work(db: sqlite3.Connection) -> AddResult:
            taken = tuple(self._add_batch(db, items, time_ms) for items in batches)
            for item in others:
                if not statements.holds_unacknowledged(db, item):
                    statements.insert(db, item, time_ms)
            lost = statements.delete_oldest_unacknowledged(db, self._max_other_bytes)
            return AddResult(taken, lost)

        return self._in_transaction(work)

    def is_full(self) -> bool:
        """Return True if a batch did not fit and nobody has made room since then.

        Raises:
            QuarantineUnavailable: the file can't be read.
        """
        if self._full_from_bytes is None:
            return False
        used = self.usage(acknowledged=True).bytes
        if used < self._full_from_bytes:
            self._full_from_bytes = None
        return self._full_from_bytes is not None

    def usage(self, *, acknowledged: bool) -> QuarantineUsage:
        """Return the usage by acknowledged or by unacknowledged entries. Raises as `is_full`."""
        return self._read(
            lambda db: statements.usage(db, acknowledged=acknowledged), QuarantineUsage()
        )

    def groups(self, chosen: EntryFilter) -> list[EntryGroup]:
        """Return the chosen entries by reason and meter. Raises as `is_full`."""
        return self._read(lambda db: statements.groups(db, chosen), [])

    def sums(self, chosen: EntryFilter) -> tuple[int, int]:
        """Return the number of chosen entries and of their samples. Raises as `is_full`."""
        return self._read(lambda db: statements.sums(db, chosen), (0, 0))

    def accounts(self) -> Mapping[str, AgentAccount]:
        """Return the accounts of the acknowledged samples, by agent. Raises as `is_full`."""
        return self._read(statements.accounts, {})

    def last_id(self) -> int:
        """Return the highest number of an entry; 0 if there is none. Raises as `is_full`."""
        return self._read(statements.last_id, 0)

    def entries(self, chosen: EntryFilter) -> Iterator[QuarantineEntry]:
        """Yield the chosen entries by ascending number, without those added during the iteration.

        Raises:
            QuarantineUnavailable: the file can't be read.
        """
        end, last = self.last_id(), 0
        while last < end:
            found = self._page(last, chosen)
            if not found:
                return
            yield from (entry for entry in found if entry.id <= end)
            last = found[-1].id

    def drop(self, chosen: EntryFilter, last_id: int) -> tuple[int, int]:
        """Delete the chosen entries up to a number, for good.

        Returns:
            The number of entries and of their samples.

        Raises:
            QuarantineUnavailable: the file can't be written; nothing was deleted.
        """
        return self._in_transaction(lambda db: statements.drop(db, chosen, last_id))

    def replace_replayed(
        self, pairs: Iterable[tuple[QuarantineEntry, Sequence[QuarantineItem]]]
    ) -> None:
        """Replace each replayed entry by the items that were refused again; delete it if none.

        Raises:
            QuarantineUnavailable: the file can't be written; the entries stay as they are.
        """

        def work(db: sqlite3.Connection) -> None:
            for entry, left in pairs:
                statements.replace_replayed(db, entry, left)

        self._in_transaction(work)

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        with self._lock:
            self._close()

    # --- in the file --------------------------------------------------------------------------

    def _add_batch(
        self, db: sqlite3.Connection, items: Sequence[QuarantineItem], time_ms: int
    ) -> bool:
        payloads = {
            payload for item in items[:1] for payload in statements.payloads_of_batch(db, item)
        }
        new = not_held(items, payloads)
        if not new:
            return True
        used = statements.usage(db, acknowledged=True).bytes
        if self._full_from_bytes is not None and used >= self._full_from_bytes:
            return False
        self._full_from_bytes = None
        size = sum(len(item.payload) + tables.ENTRY_BYTES for item in new)
        # A batch that is larger than the limit is accepted if the quarantine is empty; otherwise
        # its agent would keep it for ever.
        if used and used + size > self._max_bytes:
            self._full_from_bytes = used
            return False
        for item in new:
            statements.insert(db, item, time_ms)
        return True

    def _page(self, last_id: int, chosen: EntryFilter) -> list[QuarantineEntry]:
        return self._read(
            lambda db: statements.entries_after(db, last_id, chosen, _ENTRIES_PER_READ), []
        )

    def _read(self, work: Callable[[sqlite3.Connection], _Result], nothing: _Result) -> _Result:
        """Run the work on the file; return `nothing` if there is no file."""
        if not self._path.exists():
            return nothing
        return self._in_transaction(work, "DEFERRED")

    def _in_transaction(
        self, work: Callable[[sqlite3.Connection], _Result], kind: str = "IMMEDIATE"
    ) -> _Result:
        try:
            with self._lock:
                db = self._open()
                with transaction(db, kind):
                    return work(db)
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()  # it may have been replaced
            raise QuarantineUnavailable(
                "the quarantine {path} can't be used: {reason}. Check the disk's free space and "
                "the file's permissions. If the file is damaged, keep it and move it away.",
                path=self._path,
                reason=error,
            ) from error

    def _open(self) -> sqlite3.Connection:
        # Entries that are written into a file after it was moved or deleted would be lost.
        if self._connection is not None and self._identity != file_identity(self._path):
            self._close()
        if self._connection is None:
            if not self._path.parent.exists():
                self._path.parent.mkdir(parents=True)
                _force_to_disk(self._path.parent.parent)
            db = sqlite3.connect(
                self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection = db
            make_durable(db, _BUSY_TIMEOUT_S)
            db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            _create_tables(db)
            self._identity = file_identity(self._path)
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _create_tables(db: sqlite3.Connection) -> None:
    with transaction(db, "IMMEDIATE"):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in tables.STATEMENTS:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {tables.VERSION}")
        elif version != tables.VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, not {tables.VERSION}")


def _force_to_disk(folder: Path) -> None:
    """Force the names in a folder to the disk, so that a new file survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
