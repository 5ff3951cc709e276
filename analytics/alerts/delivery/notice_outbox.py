"""Keep notices on disk until their receivers accept them: one SQLite file in a site's folder.

Laws:

1. When `add` returns, the notices survive a power cut.
2. An entry is a notice for one receiver. It is added once, even if the notice is planned again.
3. `take` leases entries to one process for a limited time. If the process is killed, another
   process can take the entries when the lease has expired. A notice may then be sent twice, but no
   notice is lost.
4. Entries that were sent or given up are kept for `KEEP_MS`, as a record.
5. The file contains free pages of `_RESERVE_BYTES`, so that notices can still be added for some
   time when the disk is full.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from analytics.alerts.alert import Notice
from analytics.alerts.delivery.outbox_entry import EntryState, OutboxEntry, QueuedNotice
from analytics.alerts.delivery.retry_plan import Outcome, RetryState, after_failure
from jieneng.metering.errors import OutboxUnavailable
from jieneng.storage.embedded.sqlite_statements import transaction
from jieneng.storage.sqlite_wal import make_durable

#: Time for which entries are kept after they were sent or given up [ms].
KEEP_MS: Final = 30 * 86_400_000

#: Longest wait for the time of a digest [ms]: 25 h when clocks are set back, and a margin.
_LONGEST_WAIT_MS: Final = 26 * 3_600_000
_BUSY_TIMEOUT_S: Final = 10.0
_VERSION: Final = 1
#: A notice takes about 1 kB.
_RESERVE_BYTES: Final = 512 * 1024
#: Size of the write-ahead log at which it is copied into the file; less than the reserve.
_CHECKPOINT_PAGES: Final = 64
_TABLES: Final = (
    """CREATE TABLE entry (
        id INTEGER PRIMARY KEY, notice_id TEXT NOT NULL, receiver TEXT NOT NULL,
        notice BLOB NOT NULL, is_digest INTEGER NOT NULL, due_ms INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting', leased_until_ms INTEGER NOT NULL DEFAULT 0,
        tries INTEGER NOT NULL DEFAULT 0, retry TEXT NOT NULL DEFAULT '{}',
        added_ms INTEGER NOT NULL, done_ms INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '',
        UNIQUE (notice_id, receiver)
    )""",
    "CREATE INDEX due ON entry (state, due_ms)",
    "CREATE TABLE copy (id TEXT NOT NULL)",
)
_COLUMNS: Final = (
    "id, notice, receiver, due_ms, is_digest, state, tries, retry, added_ms, done_ms, reason"
)

_Result = TypeVar("_Result")
_encode: Final = msgspec.msgpack.Encoder().encode  # unlike JSON, it keeps NaN
_decode: Final = msgspec.msgpack.Decoder(Notice).decode
_encode_retry: Final = msgspec.json.Encoder().encode
_decode_retry: Final = msgspec.json.Decoder(RetryState).decode


class NoticeOutbox:
    """The outbox. Several threads and several processes may use it at once.

    Args:
        path: the file; the file and its folder are created by the first `add`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def add(self, queued: Sequence[QueuedNotice], now_ms: int) -> int:
        """Add the notices that the outbox does not have yet, and return their number.

        Raises:
            OutboxUnavailable: the file can't be written; no notice was added.
        """

        def work(db: sqlite3.Connection) -> int:
            return db.executemany(
                "INSERT OR IGNORE INTO entry "
                "(notice_id, receiver, notice, is_digest, due_ms, added_ms) VALUES (?,?,?,?,?,?)",
                [
                    (
                        one.notice.id,
                        one.receiver,
                        _encode(one.notice),
                        one.is_digest,
                        one.due_ms,
                        now_ms,
                    )
                    for one in queued
                ],
            ).rowcount

        return self._in_transaction(work) if queued else 0

    def take(self, now_ms: int, lease_ms: int, receivers: Iterable[str] = ()) -> list[OutboxEntry]:
        """Lease the due entries of all receivers except some.

        Args:
            now_ms: the time [UTC, ms].
            lease_ms: time after which another call may take an entry that was not settled [ms].
            receivers: ids of receivers whose entries are left out, because they are being served.

        Raises:
            OutboxUnavailable: the file can't be used.
        """
        busy = msgspec.json.encode(list(receivers)).decode()

        def work(db: sqlite3.Connection) -> list[OutboxEntry]:
            # A time far in the future was written before the clock was set back.
            rows = db.execute(
                "UPDATE entry SET leased_until_ms = :lease WHERE state = 'waiting' "  # noqa: S608 - our columns
                "AND (due_ms <= :now OR due_ms > :now + :longest) "
                "AND (leased_until_ms <= :now OR leased_until_ms > :lease) "
                f"AND receiver NOT IN (SELECT value FROM json_each(:busy)) RETURNING {_COLUMNS}",
                {
                    "now": now_ms,
                    "lease": now_ms + lease_ms,
                    "longest": _LONGEST_WAIT_MS,
                    "busy": busy,
                },
            )
            return [_entry(row) for row in rows.fetchall()]

        return self._in_transaction(work) if self._path.exists() else []

    def settle(self, entries: Sequence[OutboxEntry], outcome: Outcome, now_ms: int) -> None:
        """Record the outcome of a message, and end the lease of its entries.

        If the message was sent, all waiting entries that could not reach the receiver are due at
        once.

        Raises:
            OutboxUnavailable: the file can't be used.
        """

        def work(db: sqlite3.Connection) -> None:
            for entry in entries:
                _settle(db, entry, outcome, now_ms)
            if outcome.kind == "sent":
                db.executemany(
                    "UPDATE entry SET due_ms = min(due_ms, ?) "
                    "WHERE receiver = ? AND state = 'waiting' "
                    "AND json_extract(retry, '$.unreachable') > 0",
                    [(now_ms, receiver) for receiver in {one.queued.receiver for one in entries}],
                )

        self._in_transaction(work)

    def renew(self, entries: Sequence[OutboxEntry], until_ms: int) -> None:
        """Prolong the lease of entries. Raises as `release`."""
        self._in_transaction(
            lambda db: db.executemany(
                "UPDATE entry SET leased_until_ms = ? WHERE id = ?",
                [(until_ms, entry.id) for entry in entries],
            )
        )

    def release(self, entries: Sequence[OutboxEntry], due_ms: int) -> None:
        """End the lease of entries that were not tried, and set the time of their next try.

        Raises:
            OutboxUnavailable: the file can't be used.
        """
        self._in_transaction(
            lambda db: db.executemany(
                "UPDATE entry SET leased_until_ms = 0, due_ms = max(due_ms, ?) WHERE id = ?",
                [(due_ms, entry.id) for entry in entries],
            )
        )

    def entries(self, state: EntryState) -> list[OutboxEntry]:
        """Return the entries in a state, the oldest first; none if there is no file.

        Raises:
            OutboxUnavailable: the file can't be read.
        """
        if not self._path.exists():
            return []
        return self._in_transaction(
            lambda db: [
                _entry(row)
                for row in db.execute(
                    f"SELECT {_COLUMNS} FROM entry WHERE state = ? ORDER BY id",  # noqa: S608 - our columns
                    (state,),
                )
            ]
        )

    def counts(self) -> dict[tuple[str, EntryState], int]:
        """Return the number of entries by receiver and state. Raises as `entries`."""
        if not self._path.exists():
            return {}
        return self._in_transaction(
            lambda db: {
                (receiver, state): count
                for receiver, state, count in db.execute(
                    "SELECT receiver, state, count(*) FROM entry GROUP BY receiver, state"
                )
            }
        )

    def prune(self, now_ms: int) -> int:
        """Delete entries that were done `KEEP_MS` ago, and return their number. Raises as `add`."""
        return self._in_transaction(
            lambda db: (
                db.execute(
                    "DELETE FROM entry WHERE state != 'waiting' AND done_ms < ?",
                    (now_ms - KEEP_MS,),
                ).rowcount
            )
        )

    def copy(self) -> str:
        """Return the id of the copy of the service that this file belongs to. Raises as `add`.

        The id is created with the file, so a restarted process has the id of the previous process.
        """
        return self._in_transaction(lambda db: str(db.execute("SELECT id FROM copy").fetchone()[0]))

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        with self._lock:
            self._disconnect()

    def _in_transaction(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        with self._lock:
            try:
                db = self._open()
                with transaction(db, "IMMEDIATE"):
                    return work(db)
            except (sqlite3.DatabaseError, OSError) as error:
                self._disconnect()
                raise OutboxUnavailable(
                    "the outbox {path} can't be used: {reason}. Check the disk's free space and "
                    "the file's permissions.",
                    path=self._path,
                    reason=error,
                ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = db = sqlite3.connect(
                self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            make_durable(db, _BUSY_TIMEOUT_S)
            db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            db.execute("PRAGMA secure_delete = OFF")  # freed pages need not be written
            _create_tables(db)
            with suppress(sqlite3.OperationalError):  # the disk is full; the reserve is for this
                _keep_reserve(db)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _create_tables(db: sqlite3.Connection) -> None:
    with transaction(db, "IMMEDIATE"):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _TABLES:
                db.execute(statement)
            db.execute("INSERT INTO copy VALUES (?)", (secrets.token_hex(4),))
            db.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, not {_VERSION}")


def _keep_reserve(db: sqlite3.Connection) -> None:
    """Allocate `_RESERVE_BYTES` of disk space in the file and in its write-ahead log.

    SQLite writes a page to the disk only if the page is in use when a transaction ends. So a table
    is filled and then dropped. The log keeps its size, and is then written again from its start.
    """
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    if free * page_bytes >= _RESERVE_BYTES:
        return
    db.execute("CREATE TABLE IF NOT EXISTS room (taken BLOB)")
    db.execute("INSERT INTO room VALUES (zeroblob(?))", (_RESERVE_BYTES,))
    db.execute("PRAGMA wal_checkpoint(RESTART)")
    db.execute("DROP TABLE room")


def _settle(db: sqlite3.Connection, entry: OutboxEntry, outcome: Outcome, now_ms: int) -> None:
    state: EntryState = "sent"
    retry, due_ms = entry.retry, entry.queued.due_ms
    if outcome.kind != "sent":
        retry, next_ms = after_failure(entry.retry, outcome, now_ms)
        state = "given_up" if next_ms is None else "waiting"
        due_ms = due_ms if next_ms is None else next_ms
    db.execute(
        "UPDATE entry SET state = ?, due_ms = ?, leased_until_ms = 0, tries = tries + 1, "
        "retry = ?, done_ms = ?, reason = ? WHERE id = ?",
        (
            state,
            due_ms,
            _encode_retry(retry).decode(),
            0 if state == "waiting" else now_ms,
            outcome.reason,
            entry.id,
        ),
    )


def _entry(row: Sequence[object]) -> OutboxEntry:
    number, notice, receiver, due_ms, is_digest, state, tries, retry, *times, reason = row
    queued = QueuedNotice(
        notice=_decode(notice),  # type: ignore[arg-type]  # a BLOB
        receiver=str(receiver),
        due_ms=int(due_ms),  # type: ignore[call-overload]  # an INTEGER
        is_digest=bool(is_digest),
    )
    return msgspec.convert(
        {
            "id": number, "queued": queued, "state": state, "tries": tries,
            "retry": _decode_retry(str(retry)), "added_ms": times[0], "done_ms": times[1],
            "reason": reason,
        },
        OutboxEntry,
    )  # fmt: skip
