"""What became of every sample, and a second copy of these counts beside the spool.

Laws:

1. `read = stored + pending + dropped`, and every dropped sample has its reason.
2. The copy is written after the spool's own transaction and never forced to the disk: it is as old
   as the spool, or older. Where it is younger, the spool has lost what it had: a log whose middle
   rotted is read up to there and no further, and says nothing about it.
3. A copy that is torn or missing is no copy.
"""

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

#: Why a sample is dropped: each is a count of its own, and a column of the ledger.
REASONS: Final = ("full", "old", "refused", "damaged", "undated")
_BYTES: Final = 512  # of the file, always: it is written over in place, which a full disk allows


class Counts(msgspec.Struct, frozen=True):
    """Samples since the spool was made, and the payload bytes that are in it now.

    Attributes:
        read: all of them.
        stored: that the ingest has, in its store or set aside on its disk.
        pending: that are in the spool.
        size_bytes: of their payloads.
        full: dropped as the oldest of a full spool, or of one whose disk is full.
        old: dropped as older than the spool keeps them.
        refused: dropped because the disk did not take them.
        damaged: dropped because the disk did not give them back.
        undated: dropped because nobody will ever know when they were read.
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

    @property
    def dropped(self) -> int:
        """For whatever reason."""
        return sum(getattr(self, reason) for reason in REASONS)

    @property
    def add_up(self) -> bool:
        """Whether each sample that was read is somewhere, and once."""
        return self.read == self.stored + self.pending + self.dropped

    @property
    def progress(self) -> int:
        """Grows with everything that happens to a sample, and never falls."""
        return self.read + self.stored + self.dropped

    def with_refused(self, samples: int) -> "Counts":
        """After so many more were read and refused."""
        return msgspec.structs.replace(
            self, read=self.read + samples, refused=self.refused + samples
        )


def youngest(*copies: Counts) -> Counts:
    """The one of them that has seen most; the first where several have."""
    return max(copies, key=lambda one: one.progress)


def settled(known: Counts, found: Counts) -> Counts:
    """The counts of a spool that holds less, or more, than was known of it.

    Args:
        known: the youngest counts that are to be had.
        found: what is pending now, and its bytes.
    """
    missing = known.pending - found.pending
    # More than was known: what had left is there once more, and will be acknowledged once more.
    stored = max(0, known.stored + min(missing, 0))
    damaged = known.damaged + max(missing, 0)
    dropped = known.dropped - known.damaged + damaged
    return msgspec.structs.replace(
        known,
        read=stored + found.pending + dropped,
        stored=stored,
        pending=found.pending,
        size_bytes=found.size_bytes,
        damaged=damaged,
    )


class Tally:
    """The copy."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> Counts | None:
        """What it says, if it says anything."""
        try:
            text, check = self._path.read_bytes().rstrip().rsplit(b" ", 1)
            return msgspec.json.decode(text, type=Counts) if check == _check(text) else None
        except (OSError, ValueError, msgspec.DecodeError):
            return None

    def write(self, counts: Counts) -> None:
        """Make it say this; where the disk has no room for it, it stays as it is."""
        text = msgspec.json.encode(counts)
        with suppress(OSError):
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.pwrite(self._file, (text + b" " + _check(text)).ljust(_BYTES - 1) + b"\n", 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _check(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)
