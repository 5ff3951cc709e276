"""Open the store of a site for an import.

Law: a dry run creates no file and no database.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from jieneng.site_folder import SiteFolder
    from jieneng.storage import Store


@asynccontextmanager
async def import_store(folder: "SiteFolder", *, dry_run: bool) -> AsyncIterator["Store | None"]:
    """Open the store of the ingest as a context; None if a dry run finds no existing store."""
    from ingest.settings import IngestSettings
    from jieneng.site_folder import read_settings
    from jieneng.storage import embedded_file, open_store

    settings = read_settings(folder.path / "ingest.toml", IngestSettings)
    file = embedded_file(settings.store, folder.path)
    if dry_run and file is not None and not file.exists():
        yield None
        return
    store = open_store(settings.store, folder.path)
    try:
        if not dry_run:
            await store.prepare()
        yield store
    finally:
        await store.close()
