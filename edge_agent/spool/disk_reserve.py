"""Room on the disk that is kept for the spool's own use when everything else is full.

Law: while the file is there, its bytes can be had at any moment by removing it. It holds zeros that
were written, not a hole, so the room is really taken. It holds four times what the log may before
it is written back: enough, where only one more of these is free, to end what was begun.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

_LEAST_BYTES: Final = 256 * 1024
_MOST_BYTES: Final = 8 * 1024 * 1024
_SHARE_OF_SPOOL: Final = 16  # the reserve is one part in so many of what the spool may hold ...
_SHARE_OF_FREE: Final = 8  # ... and of what was free when it was made
_LOGS: Final = 4  # how often it holds what the log may be before it is written back


class Reserve:
    """The file.

    Attributes:
        size_bytes: of it, when it is there.
        log_bytes: what the log may be before it is written back.
    """

    def __init__(self, path: Path, spool_bytes: int) -> None:
        self._path = path
        found = path.stat().st_size if path.exists() else 0
        wanted = min(
            spool_bytes // _SHARE_OF_SPOOL, self._free_bytes() // _SHARE_OF_FREE, _MOST_BYTES
        )
        self.size_bytes: Final = max(found, wanted, _LEAST_BYTES)
        self.log_bytes: Final = self.size_bytes // _LOGS
        self._there = found == self.size_bytes

    def make(self) -> None:
        """Take the room, if it is not taken and there is as much."""
        if self._there or self._free_bytes() < self.size_bytes:
            return
        try:
            self._path.write_bytes(bytes(self.size_bytes))
        except OSError:  # somebody else was faster, or nothing can be written; next time, perhaps
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        else:
            self._there = True

    def release(self) -> None:
        """Give the room to whoever writes next."""
        self._path.unlink(missing_ok=True)
        self._there = False

    def is_tight(self) -> bool:
        """Whether less is free than a log takes: time not to grow any more."""
        return self._lacks(self.log_bytes)

    def has_plenty(self) -> bool:
        """Whether as much as it holds could be used up twice, and the disk would not be tight."""
        return not self._lacks(2 * self.size_bytes + self.log_bytes)

    def _lacks(self, size: int) -> bool:
        return not self._there or self._free_bytes() < size

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._path.parent).free
