"""Count the samples of a spool by their fate, and keep a second copy of these counts in a file.

Laws:

1. `read = stored + quarantined + pending + dropped`, and every dropped sample is counted under a
   reason.
2. The copy is written after each transaction of the spool, without fsync. Normally it is therefore
   as recent as the spool, or older. If the copy is more recent, the spool has lost data. This
   happens if the WAL is damaged, because SQLite silently ignores everything after the damage.
3. A copy that was written only in part is treated as missing.
"""

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

#: Reasons to drop a sample: each has its own count and its own column of the ledger.
REASONS: Final = ("full", "old", "refused", "damaged", "undated")
_BYTES: Final = 512  # fixed size, so that the file can be overwritten even if the disk is full


class SampleCounts(msgspec.Struct, frozen=True):
    """Numbers of samples since the spool was created, and the payload bytes that are in it now.

    Attributes:
        read: all samples.
        stored: samples that the ingest has stored.
        pending: samples that are in the spool.
        size_bytes: total payload of the batches in the spool.
        full: dropped as the oldest of a full spool, or of a spool whose disk is full.
        old: dropped because they were older than the spool's time limit.
        refused: dropped because the disk did not accept them.
        damaged: dropped because they were damaged on the disk.
        undated: dropped because the time at which they were read can't be determined any more.
        quarantined: samples that the ingest set aside on its disk.
    """

    read: int = 0
    stored: int = 0
    pending: int = 0
    size_bytes: int = 0
    full: int = 0
    old: int = 0
    refused: int = 0
    damaged: int = 0
    undated: int = 0
    quarantined: int = 0

    @property
    def dropped(self) -> int:
        """Number of dropped samples, for all reasons together."""
        return sum(getattr(self, reason) for reason in REASONS)

    @property
    def is_balanced(self) -> bool:
        """True if each sample that was read is counted in exactly one place."""
        return self.read == self.stored + self.quarantined + self.pending + self.dropped

    @property
    def progress(self) -> int:
        """A number that grows with each change of the counts.

        Each sample adds 1 when it is read, and 1 when it leaves the spool. Of two copies of the
        counts, the one with the larger number is the more recent one.
        """
        return self.read + self.stored + self.quarantined + self.dropped

    def with_refused(self, samples: int) -> "SampleCounts":
        """Return the counts after more samples were read and refused."""
        return msgspec.structs.replace(
            self, read=self.read + samples, refused=self.refused + samples
        )


def most_recent(*copies: SampleCounts) -> SampleCounts:
    """Return the counts with the most progress; if several are equal, the first of them."""
    return max(copies, key=lambda one: one.progress)


def reconciled(known: SampleCounts, found: SampleCounts) -> SampleCounts:
    """Correct the known counts by the number of samples that the spool file really contains.

    If samples are missing in the file, they are counted as `damaged`. If the file contains more
    samples, its latest removals were lost: these samples are no longer counted as stored. They will
    be sent and acknowledged again.

    Args:
        known: the most recent counts that are available.
        found: the counts in the file; only `pending` and `size_bytes` are used.
    """
    missing = known.pending - found.pending
    stored = max(0, known.stored + min(missing, 0))
    damaged = known.damaged + max(missing, 0)
    dropped = known.dropped - known.damaged + damaged
    return msgspec.structs.replace(
        known,
        read=stored + known.quarantined + found.pending + dropped,
        stored=stored,
        pending=found.pending,
        size_bytes=found.size_bytes,
        damaged=damaged,
    )


class CountsCopy:
    """The copy of the counts in a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> SampleCounts | None:
        """Return the counts in the file; None if it is missing or was written only in part."""
        try:
            text, check = self._path.read_bytes().rstrip().rsplit(b" ", 1)
            return msgspec.json.decode(text, type=SampleCounts) if check == _check(text) else None
        except (OSError, ValueError, msgspec.DecodeError):
            return None

    def write(self, counts: SampleCounts) -> None:
        """Overwrite the counts in the file. If the disk fails, the file may stay unchanged."""
        text = msgspec.json.encode(counts)
        with suppress(OSError):
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.pwrite(self._file, (text + b" " + _check(text)).ljust(_BYTES - 1) + b"\n", 0)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _check(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)
