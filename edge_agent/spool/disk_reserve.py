"""Reserve disk space by a file that can be removed when the disk is full.

Law: removing the reserve file frees its full size on the disk, because the file is not sparse. Its
size is four times the size at which the write-ahead log (WAL) is checkpointed. Free space of one
such WAL is enough to finish any transaction.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

_MIN_BYTES: Final = 256 * 1024
_MAX_BYTES: Final = 8 * 1024 * 1024
_SHARE_OF_SPOOL: Final = 16  # the reserve is at most 1/16 of the spool's limit ...
_SHARE_OF_FREE: Final = 8  # ... and at most 1/8 of the disk space that was free
_WALS: Final = 4  # size of the reserve, as a multiple of the WAL's size


class DiskReserve:
    """The reserve file.

    Attributes:
        size_bytes: size of the file while it exists.
        wal_bytes: size at which the WAL is checkpointed.
        disk_used: used share of the disk at the last look, 0 to 1, as `df` shows it.
    """

    def __init__(self, path: Path, spool_bytes: int) -> None:
        self.disk_used = 0.0
        self._path = path
        found = path.stat().st_size if path.exists() else 0
        wanted = min(
            spool_bytes // _SHARE_OF_SPOOL, self._free_bytes() // _SHARE_OF_FREE, _MAX_BYTES
        )
        self.size_bytes: Final = max(found, wanted, _MIN_BYTES)
        self.wal_bytes: Final = self.size_bytes // _WALS
        self._exists = found == self.size_bytes

    def create(self) -> None:
        """Create the file, unless it exists or the disk has too little space."""
        if self._exists or self._free_bytes() < self.size_bytes:
            return
        try:
            self._path.write_bytes(bytes(self.size_bytes))
        except OSError:  # the disk is full or read-only; `create` is called again later
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        else:
            self._exists = True

    def release(self) -> None:
        """Remove the file, so that its space is free for the next write."""
        self._path.unlink(missing_ok=True)
        self._exists = False

    def is_disk_nearly_full(self) -> bool:
        """Return True if the reserve is missing, or if less than the size of a WAL is free.

        In both cases the spool must not grow.
        """
        return self._lacks(self.wal_bytes)

    def has_ample_space(self) -> bool:
        """Return True if the reserve exists and twice its size plus one WAL is also free."""
        return not self._lacks(2 * self.size_bytes + self.wal_bytes)

    def _lacks(self, size: int) -> bool:
        free_bytes = self._free_bytes()
        return not self._exists or free_bytes < size

    def _free_bytes(self) -> int:
        disk = shutil.disk_usage(self._path.parent)
        # `total` would include the part that is reserved for root.
        self.disk_used = disk.used / max(disk.used + disk.free, 1)
        return disk.free
