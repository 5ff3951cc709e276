"""The only door to a database."""

from pathlib import Path

from jieneng.storage.base import Rejected, Series, Store, WriteResult
from jieneng.storage.settings import StoreSettings


def open_store(settings: StoreSettings, folder: Path) -> Store:
    """The store that the settings name. Opens nothing yet: `prepare` and the first call do.

    Args:
        settings: which one.
        folder: what a relative `path` is relative to.
    """
    if settings.kind == "sqlite":
        from jieneng.storage.sqlite import SqliteStore

        return SqliteStore(folder / settings.path)
    from jieneng.storage.influx import InfluxStore

    return InfluxStore(settings)


__all__ = ["Rejected", "Series", "Store", "StoreSettings", "WriteResult", "open_store"]
