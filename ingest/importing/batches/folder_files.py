"""Replace a text file of a site's folder, whole or not at all."""

import os
from pathlib import Path


def read_file(path: Path) -> str | None:
    """Return the text of a file; None if it does not exist."""
    return path.read_text(encoding="utf-8") if path.exists() else None


def replace_file(path: Path, text: str | None) -> None:
    """Give a file another text, which survives a power cut; for None, remove the file."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
