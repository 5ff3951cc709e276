"""Keep disk space free for the spool's own use when everything else is full.

Law: while the reserve file exists, removing it frees its size on the disk. The file is written in
full, not sparse, so it really occupies the space. The reserve is four times the size at which the
write-ahead log (WAL) is checkpointed. Free space for one such WAL is enough to finish any
transaction that was begun.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

_MIN_BYTES: Final = 256 * 1024
_MAX_BYTES: Final = 8 * 1024 * 1024
_SHARE_OF_SPOOL: Final = 16  # the reserve is at most this fraction (1/16) of the spool ...
_SHARE_OF_FREE: Final = 8  # ... and this fraction (1/8) of the space that was free
_WALS: Final = 4  # size of the reserve, in WALs


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
        except OSError:  # others took the space, or the disk is read-only: tried again later
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
        """Return True if the reserve exists, and twice its size and a WAL are free besides."""
        return not self._lacks(2 * self.size_bytes + self.wal_bytes)

    def _lacks(self, size: int) -> bool:
        free_bytes = self._free_bytes()
        return not self._exists or free_bytes < size

    def _free_bytes(self) -> int:
        disk = shutil.disk_usage(self._path.parent)
        # Not of `total`: part of it may be kept for root.
        self.disk_used = disk.used / max(disk.used + disk.free, 1)
        return disk.free
