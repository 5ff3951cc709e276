"""Run the statements of the quarantine on an open file. Each call is part of a transaction."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from ingest.quarantine.quarantine_entry import (
    AgentAccount,
    EntryFilter,
    EntryGroup,
    QuarantineEntry,
    QuarantineItem,
    QuarantineUsage,
)

_ITEM_FIELDS: Final = QuarantineItem.__struct_fields__
_COLUMNS: Final = ", ".join(_ITEM_FIELDS)
_MARKS: Final = ", ".join(f":{field}" for field in _ITEM_FIELDS)

#: Conditions of a filter, by its field.
_CONDITIONS: Final = {
    "reason": "reason = :reason",
    "meter": "meter = :meter",
    "since_ms": "time_ms >= :since_ms",
    "ids": "id IN (SELECT value FROM json_each(:ids))",
}


def insert(db: sqlite3.Connection, item: QuarantineItem, time_ms: int) -> None:
    """Add an entry."""
    db.execute(
        f"INSERT INTO entry (time_ms, digest, {_COLUMNS}) "  # noqa: S608 - names of our columns
        f"VALUES (:time_ms, :digest, {_MARKS})",
        {**msgspec.structs.asdict(item), "time_ms": time_ms, "digest": _digest(item)},
    )


def holds_unacknowledged(db: sqlite3.Connection, item: QuarantineItem) -> bool:
    """Return True if the same message is in the quarantine already."""
    where = "digest = ? AND acknowledged = 0"
    found = db.execute(f"SELECT 1 FROM entry WHERE {where}", (_digest(item),))  # noqa: S608 - ours
    return found.fetchone() is not None


def payloads_of_batch(db: sqlite3.Connection, item: QuarantineItem) -> list[bytes]:
    """Return the acknowledged payloads of the batch of an item."""
    return [
        payload
        for (payload,) in db.execute(
            "SELECT payload FROM entry "
            "WHERE agent = ? AND boot = ? AND seq = ? AND acknowledged = 1",
            (item.agent, item.boot, item.seq),
        )
    ]


def usage(db: sqlite3.Connection, *, acknowledged: bool) -> QuarantineUsage:
    """Return the usage by the acknowledged or the unacknowledged entries."""
    row = db.execute(
        "SELECT entries, samples, bytes, lost FROM usage WHERE acknowledged = ?", (acknowledged,)
    ).fetchone()
    return QuarantineUsage(*row)


def delete_oldest_unacknowledged(db: sqlite3.Connection, max_bytes: int) -> int:
    """Delete the oldest entries that were not acknowledged. Return their number."""
    deleted = 0
    while usage(db, acknowledged=False).bytes > max_bytes:
        where = "id = (SELECT min(id) FROM entry WHERE acknowledged = 0)"
        deleted += db.execute(f"DELETE FROM entry WHERE {where}").rowcount  # noqa: S608 - ours
    if deleted:
        db.execute("UPDATE usage SET lost = lost + ? WHERE acknowledged = 0", (deleted,))
    return deleted


def groups(db: sqlite3.Connection, chosen: EntryFilter) -> list[EntryGroup]:
    """Return the entries by reason and meter, most samples first."""
    where, values = _where(chosen)
    rows = db.execute(
        "SELECT reason, meter, count(*), sum(samples), min(time_ms), max(time_ms) "  # noqa: S608 - ours
        f"FROM entry WHERE {where} GROUP BY reason, meter ORDER BY 4 DESC, 3 DESC, reason, meter",
        values,
    )
    return [EntryGroup(*row) for row in rows]


def entries_after(
    db: sqlite3.Connection, last_id: int, chosen: EntryFilter, limit: int
) -> list[QuarantineEntry]:
    """Return the next entries after a number, by ascending number."""
    where, values = _where(chosen)
    rows = db.execute(
        f"SELECT id, time_ms, replays, {_COLUMNS} FROM entry "  # noqa: S608 - ours
        f"WHERE id > :last AND {where} ORDER BY id LIMIT :limit",
        {**values, "last": last_id, "limit": limit},
    )
    return [_entry(row) for row in rows]


def sums(db: sqlite3.Connection, chosen: EntryFilter) -> tuple[int, int]:
    """Return the number of chosen entries, and of their samples."""
    where, values = _where(chosen)
    row = db.execute(
        f"SELECT count(*), total(samples) FROM entry WHERE {where}",  # noqa: S608 - ours
        values,
    ).fetchone()
    return int(row[0]), int(row[1])


def drop(db: sqlite3.Connection, chosen: EntryFilter, last_id: int) -> tuple[int, int]:
    """Delete the chosen entries up to a number, and add their samples to the accounts.

    Returns:
        The number of entries and of their samples.
    """
    where, values = _where(chosen)
    values |= {"last": last_id}
    where = f"id <= :last AND {where}"
    samples = db.execute(
        f"SELECT agent, sum(samples), max(acknowledged) FROM entry WHERE {where} "  # noqa: S608 - ours
        "GROUP BY agent, acknowledged",
        values,
    ).fetchall()
    for agent, count, acknowledged in samples:
        if acknowledged:
            _add_to_account(db, agent, "dropped", count)
    deleted = db.execute(f"DELETE FROM entry WHERE {where}", values).rowcount  # noqa: S608 - ours
    return deleted, sum(count for _, count, _ in samples)


def last_id(db: sqlite3.Connection) -> int:
    """Return the highest number of an entry; 0 if there is none."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()[0])


def replace_replayed(
    db: sqlite3.Connection, entry: QuarantineEntry, left: Sequence[QuarantineItem]
) -> None:
    """Replace an entry by its samples that are still refused, and count the others as replayed.

    Nothing is done if another process has replayed or dropped the entry meanwhile.
    """
    same = "SELECT 1 FROM entry WHERE id = ? AND replays = ?"
    if db.execute(same, (entry.id, entry.replays)).fetchone() is None:
        return
    stored = entry.item.samples - sum(item.samples for item in left)
    if entry.item.acknowledged:
        _add_to_account(db, entry.item.agent, "replayed", stored)
    if not left:
        db.execute("DELETE FROM entry WHERE id = ?", (entry.id,))
        return
    first, *others = left
    db.execute(
        "UPDATE entry SET replays = replays + 1, reason = :reason, detail = :detail, "
        "meter = :meter, payload = :payload, size = :size, samples = :samples WHERE id = :id",
        {**msgspec.structs.asdict(first), "id": entry.id},
    )
    for item in others:
        insert(db, item, entry.time_ms)


def accounts(db: sqlite3.Connection) -> Mapping[str, AgentAccount]:
    """Return the account of each agent."""
    rows: Iterable[tuple[str, int, int, int]] = db.execute(
        "SELECT agent, held, replayed, dropped FROM account"
    )
    return {agent: AgentAccount(*counts) for agent, *counts in rows}


def _add_to_account(db: sqlite3.Connection, agent: str, column: str, samples: int) -> None:
    db.execute(
        f"UPDATE account SET {column} = {column} + ? WHERE agent = ?",  # noqa: S608 - ours
        (samples, agent),
    )


def _where(chosen: EntryFilter) -> tuple[str, dict[str, object]]:
    values: dict[str, object] = {
        field: value
        for field, value in msgspec.structs.asdict(chosen).items()
        if value is not None and value != ()
    }
    where = " AND ".join(_CONDITIONS[field] for field in values) or "true"
    if chosen.ids:
        values["ids"] = msgspec.json.encode(chosen.ids).decode()
    return where, values


def _digest(item: QuarantineItem) -> bytes:
    return hashlib.blake2b(item.payload, digest_size=16, key=item.topic.encode()[:64]).digest()


def _entry(row: Sequence[object]) -> QuarantineEntry:
    number, time_ms, replays, *fields = row
    item = dict(zip(_ITEM_FIELDS, fields, strict=True))
    return msgspec.convert(
        {"id": number, "time_ms": time_ms, "replays": replays, "item": item},
        QuarantineEntry,
        strict=False,  # SQLite has no booleans
    )
