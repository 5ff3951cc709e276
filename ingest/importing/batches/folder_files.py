"""Replace a text file in a site's folder, in one step."""

import os
from pathlib import Path


def read_file(path: Path) -> str | None:
    """Return the text of a file; None if it does not exist."""
    return path.read_text(encoding="utf-8") if path.exists() else None


def replace_file(path: Path, text: str | None) -> None:
    """Replace the text of a file, and sync it to the disk; remove the file if `text` is None."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
