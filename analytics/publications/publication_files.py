"""Keep publications as files: `published/2025.json` in the site's folder.

Laws:

1. The newest publication of a period has the name without a number. A publication that was restated
   is kept under its number: `published/2025-1.json`.
2. A file appears with its whole content or not at all, even if the machine loses power.
"""

import os
from pathlib import Path
from typing import Final

from analytics.publications.publication import Publication, from_bytes, to_bytes

FOLDER: Final = "published"


def file_of(site_folder: Path, period: str) -> Path:
    """Return the path of the newest publication of a period."""
    return site_folder / FOLDER / f"{period}.json"


def read(site_folder: Path, period: str) -> Publication | None:
    """Return the newest publication of a period; None if it was never published.

    Raises:
        UsageError: the file is no publication, or was changed.
    """
    file = file_of(site_folder, period)
    return from_bytes(file.read_bytes(), file.name) if file.exists() else None


def write(site_folder: Path, publication: Publication) -> Path:
    """Write a publication, keep the publication that it restates, and return the path."""
    file = file_of(site_folder, publication.period)
    file.parent.mkdir(exist_ok=True)
    if file.exists():
        kept = file.with_name(f"{publication.period}-{publication.number - 1}.json")
        _write(kept, file.read_bytes())
    _write(file, to_bytes(publication))
    return file


def _write(file: Path, content: bytes) -> None:
    unfinished = file.with_suffix(".new")
    with unfinished.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
