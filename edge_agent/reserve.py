"""Room on the disk that is kept for the spool's own use when everything else is full.

Law: while the file is there, its bytes can be had at any moment by removing it. It holds zeros that
were written, not a hole, so the room is really taken.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

_LEAST_BYTES: Final = 256 * 1024
_MOST_BYTES: Final = 8 * 1024 * 1024
_SHARE_OF_SPOOL: Final = 16  # the reserve is one part in so many of what the spool may hold ...
_SHARE_OF_FREE: Final = 8  # ... and of what was free when it was made


class Reserve:
    """The file.

    Attributes:
        size_bytes: of it, when it is there.
    """

    def __init__(self, path: Path, spool_bytes: int) -> None:
        self._path = path
        found = path.stat().st_size if path.exists() else 0
        wanted = min(
            spool_bytes // _SHARE_OF_SPOOL, self._free_bytes() // _SHARE_OF_FREE, _MOST_BYTES
        )
        self.size_bytes: Final = max(found, wanted, _LEAST_BYTES)
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
        """Whether less is free than is reserved: time not to grow any more."""
        return not self._there or self._free_bytes() < self.size_bytes

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._path.parent).free
