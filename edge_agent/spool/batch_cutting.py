"""Cut a batch into parts whose payloads fit into a message.

Laws:

1. The first part keeps the boot id and the sequence number of the batch. The other parts get new
   numbers of the present run, so that no two batches have the same name. Together, the parts
   contain every sample and every report exactly once.
2. If the uncut batch was already sent, it may still be acknowledged. This acknowledgement removes
   only the first part. The other parts are sent again, which is harmless: the store overwrites
   readings with equal ones.
3. A batch in the queue is cut in one transaction, which does not change any count of samples.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.spool import batch_queue
from edge_agent.spool.queued_batch import BatchKey, QueuedBatch
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError
from jieneng.metering.reading import Batch

_LONGEST_NUMBER: Final = 2**53 - 1  # the sequence number with the most digits


def cut_batch(batch: Batch, limit_bytes: float) -> list[Batch]:
    """Return the parts of a batch. All of them still have the name of the batch.

    If a single sample or report exceeds the limit, it is a part of its own.
    """
    numbered = msgspec.structs.replace(batch, seq=_LONGEST_NUMBER)
    samples, polls = len(batch.samples), len(batch.polls)
    if samples + polls < 2 or len(mqtt_messages.encode_batch(numbered)) <= limit_bytes:
        return [batch]
    half, polls_half = (samples + 1) // 2, polls // 2
    first, second = (
        msgspec.structs.replace(batch, samples=batch.samples[one], polls=batch.polls[other])
        for one, other in (
            (slice(half), slice(polls_half)),
            (slice(half, None), slice(polls_half, None)),
        )
    )
    return [*cut_batch(first, limit_bytes), *cut_batch(second, limit_bytes)]


def encode_parts(
    batch: Batch,
    limit_bytes: float,
    machine: str | None,
    boot: str,
    take_number: Callable[[], int],
) -> list[QueuedBatch]:
    """Return the parts of a batch, encoded for the queue.

    Args:
        batch: the batch.
        limit_bytes: largest payload.
        machine: boot id of the machine if the batch is undated.
        boot: boot id of the present run.
        take_number: returns the next sequence number of the present run.
    """
    first, *others = cut_batch(batch, limit_bytes)
    named = [
        first,
        *(msgspec.structs.replace(one, boot=boot, seq=take_number()) for one in others),
    ]
    return [
        QueuedBatch(one.boot, one.seq, len(one.samples), mqtt_messages.encode_batch(one), machine)
        for one in named
    ]


def cut_queued(
    db: sqlite3.Connection,
    key: BatchKey,
    limit_bytes: float,
    boot: str,
    take_number: Callable[[], int],
) -> int:
    """Cut a batch in the queue, and return the number of its parts.

    Args:
        db: in a transaction.
        key: name of the batch.
        limit_bytes: largest payload.
        boot: boot id of the present run.
        take_number: returns the next sequence number of the present run.

    Returns:
        1 if the batch can't be cut further; 0 if it is missing or can't be decoded.
    """
    found = batch_queue.read_batches(db, [key])
    try:
        batch = mqtt_messages.decode_batch(found[0].payload) if found else None
    except WireError:
        batch = None
    if batch is None or len(batch.samples) != found[0].samples:
        return 0
    whole = found[0]
    first, *others = encode_parts(batch, limit_bytes, whole.machine_boot, boot, take_number)
    if not others:
        return 1
    (put_s,) = db.execute(
        "SELECT put_s FROM batch WHERE boot = ? AND seq = ?", whole.key
    ).fetchone()
    db.execute(
        "UPDATE batch SET samples = ?, payload = ?, crc = ? WHERE boot = ? AND seq = ?",
        (first.samples, first.payload, first.checksum, *whole.key),
    )
    db.execute(
        "UPDATE ledger SET pending = pending - ?, size_bytes = size_bytes - ?",
        (whole.samples - first.samples, len(whole.payload) - len(first.payload)),
    )
    batch_queue.insert_batches(db, others, put_s)
    return 1 + len(others)
