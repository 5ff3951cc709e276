"""Identity of the file that has a path at the moment, to notice that an open file was replaced."""

from pathlib import Path


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
