"""Keep refused messages on disk: JSON lines in two files, so the size is bounded.

Laws:

- When `append` returns, the entries survive a power cut: only then may an agent forget them.
- Several ingests share one folder: a lock is held while a file is written or turned over.
- `quarantine.jsonl` turns into `quarantine.1.jsonl` when it is full; what stood there is gone, and
  `append` says how many entries that were.
- A line that is torn or not ours is skipped when read, never an error.
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

#: Of a payload that is kept: all that the wire takes, so that what is acknowledged is there whole.
MAX_PAYLOAD: Final = mqtt_messages.MAX_PAYLOAD
#: Of topic and detail that are kept [characters].
_MAX_TEXT: Final = 500


class Entry(msgspec.Struct, frozen=True):
    """A line.

    Attributes:
        time_ms: when it was set aside, UTC.
        topic: where it came; "" for a point that the store refused.
        reason: short name, for counting.
        detail: what is wrong with it, in a sentence.
        size: of the whole payload [bytes].
        payload: base64 of its first `MAX_PAYLOAD` bytes.
    """

    time_ms: int
    topic: str
    reason: str
    detail: str
    size: int
    payload: str

    @property
    def body(self) -> bytes:
        """The payload, or as much of it as was kept."""
        return base64.b64decode(self.payload)


def entry(time_ms: int, topic: str, reason: str, detail: str, payload: bytes) -> Entry:
    """An entry of a payload, cut to what is kept."""
    kept = base64.b64encode(payload[:MAX_PAYLOAD]).decode()
    return Entry(time_ms, topic[:_MAX_TEXT], reason, detail[:_MAX_TEXT], len(payload), kept)


class Quarantine:
    """The folder.

    Args:
        folder: made when it is first needed.
        max_bytes: of one of the two files.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._current = folder / "quarantine.jsonl"
        self._older = folder / "quarantine.1.jsonl"

    def append(self, entries: Sequence[Entry]) -> int:
        """Keep entries. Returns how many old ones had to go for them.

        Raises:
            OSError: the disk does not take them.
        """
        lines = b"".join(_encode(one) + b"\n" for one in entries)
        with self._locked():
            gone = self._turn_over(len(lines))
            with self._current.open("ab+") as file:
                file.write(_ending(file) + lines)
                file.flush()
                os.fsync(file.fileno())
        return gone

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, oldest first."""
        for path in (self._older, self._current):
            if path.exists():
                with path.open("rb") as file:
                    yield from filter(None, map(_decode, file))

    def counts(self) -> Mapping[str, int]:
        """Return the number of entries by reason, most frequent first."""
        return dict(Counter(one.reason for one in self.entries()).most_common())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed
            yield

    def _turn_over(self, coming: int) -> int:
        size = self._current.stat().st_size if self._current.exists() else 0
        if not size or size + coming <= self._max_bytes:
            return 0
        gone = 0
        if self._older.exists():
            with self._older.open("rb") as file:
                gone = sum(1 for _ in file)
        self._current.replace(self._older)
        return gone


def _ending(file: IO[bytes]) -> bytes:
    """Return the line end that closes a line torn by a power cut, so the next one stays whole."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


_encode: Final = msgspec.json.Encoder().encode
_decode_entry: Final = msgspec.json.Decoder(Entry).decode


def _decode(line: bytes) -> Entry | None:
    try:
        return _decode_entry(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
