"""Keep on disk what could not be stored: JSON lines in two files of bounded size.

Laws:

- When `append` returns, the entries survive a power cut: only then may an agent forget them.
- Several ingests share one folder: a lock is held while a file is written or rotated.
- A full `quarantine.jsonl` becomes `quarantine.1.jsonl` and replaces the older file of that name.
  `append` returns how many entries were deleted with it.
- A line that is torn or not written by the ingest is skipped by readers, and never an error.
"""

import base64
import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from jieneng.metering import mqtt_messages

#: Longest payload kept [bytes]: the longest message, so that acknowledged messages are kept whole.
MAX_PAYLOAD: Final = mqtt_messages.MAX_PAYLOAD
#: Longest topic and longest detail kept [characters].
_MAX_TEXT: Final = 500


class QuarantineEntry(msgspec.Struct, frozen=True):
    """A line of the quarantine.

    Attributes:
        time_ms: time of quarantine, UTC.
        topic: topic of the message; "" for a point that the store rejected.
        reason: short name of the reason, for counting.
        detail: the reason in a sentence.
        size: length of the whole payload [bytes].
        payload: base64 of the first `MAX_PAYLOAD` bytes.
    """

    time_ms: int
    topic: str
    reason: str
    detail: str
    size: int
    payload: str

    @property
    def body(self) -> bytes:
        """The payload, or its beginning if it was cut."""
        return base64.b64decode(self.payload)


def new_entry(
    time_ms: int, topic: str, reason: str, detail: str, payload: bytes
) -> QuarantineEntry:
    """Return an entry for a payload, cut to the longest kept."""
    kept = base64.b64encode(payload[:MAX_PAYLOAD]).decode()
    return QuarantineEntry(
        time_ms, topic[:_MAX_TEXT], reason, detail[:_MAX_TEXT], len(payload), kept
    )


class Quarantine:
    """The folder of quarantined entries.

    Args:
        folder: created when it is first needed.
        max_bytes: size limit of each of the two files [bytes].
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._current = folder / "quarantine.jsonl"
        self._older = folder / "quarantine.1.jsonl"

    def append(self, entries: Sequence[QuarantineEntry]) -> int:
        """Write entries. Return how many old ones were deleted to make room.

        Raises:
            OSError: the disk does not take them.
        """
        lines = b"".join(_encode(entry) + b"\n" for entry in entries)
        with self._locked():
            deleted = self._rotate_for(len(lines))
            with self._current.open("ab+") as file:
                file.write(_missing_newline(file) + lines)
                file.flush()
                os.fsync(file.fileno())
        return deleted

    def entries(self) -> Iterator[QuarantineEntry]:
        """Yield all entries, oldest first."""
        for path in (self._older, self._current):
            if path.exists():
                with path.open("rb") as file:
                    yield from filter(None, map(_decode, file))

    def counts(self) -> Mapping[str, int]:
        """Return the number of entries by reason, largest first."""
        return dict(Counter(entry.reason for entry in self.entries()).most_common())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
            yield

    def _rotate_for(self, new_bytes: int) -> int:
        size = self._current.stat().st_size if self._current.exists() else 0
        if not size or size + new_bytes <= self._max_bytes:
            return 0
        deleted = 0
        if self._older.exists():
            with self._older.open("rb") as file:
                deleted = sum(1 for _ in file)
        self._current.replace(self._older)
        return deleted


def _missing_newline(file: IO[bytes]) -> bytes:
    """Return the newline that a line torn by a power cut lacks, so that the next line is whole."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


_encode: Final = msgspec.json.Encoder().encode
_decode_entry: Final = msgspec.json.Decoder(QuarantineEntry).decode


def _decode(line: bytes) -> QuarantineEntry | None:
    try:
        return _decode_entry(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
