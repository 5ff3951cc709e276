"""The batches of the disk queue, their names, and the two ends of the queue. Pure values."""

import zlib
from collections.abc import Collection, Sequence
from typing import TypeAlias

import msgspec

#: Name of a batch: boot id of the agent's run, and sequence number within that run.
BatchKey: TypeAlias = tuple[str, int]


class QueuedBatch(msgspec.Struct, frozen=True, array_like=True):
    """A batch in the queue.

    Attributes:
        boot: boot id of the agent's run; together with `seq` it names the batch.
        seq: sequence number within that run.
        samples: number of samples in the payload.
        payload: the bytes that are published.
        machine_boot: boot id of the machine, for a batch whose time stamps count from the boot of
            the machine because the UTC time is not yet known; None for a batch with UTC times.
    """

    boot: str
    seq: int
    samples: int
    payload: bytes
    machine_boot: str | None = None

    @property
    def key(self) -> BatchKey:
        """Name of the batch."""
        return self.boot, self.seq

    @property
    def checksum(self) -> int:
        """CRC-32 over all fields."""
        head = f"{self.boot} {self.seq} {self.samples}"
        if self.machine_boot is not None:
            head += f" {self.machine_boot}"
        return zlib.crc32(self.payload, zlib.crc32(head.encode()))


class QueueEntry(msgspec.Struct, frozen=True):
    """A batch in the queue, without its payload.

    Attributes:
        key: name of the batch.
        size_bytes: size of its payload.
        row_id: row id of a parked batch; 0 for a batch that is not parked.
    """

    key: BatchKey
    size_bytes: int
    row_id: int = 0


class QueueEnds(msgspec.Struct, frozen=True):
    """The two ends of the queue, and further results that a publisher needs.

    Attributes:
        oldest: the oldest batches, oldest first.
        newest: the newest batches, newest first.
        gone: batches that are in flight but no longer in the queue.
        parked: parked batches that are to be tried next; None if they were not requested.
    """

    oldest: Sequence[QueueEntry]
    newest: Sequence[QueueEntry]
    gone: Collection[BatchKey] = ()
    parked: Sequence[QueueEntry] | None = None
