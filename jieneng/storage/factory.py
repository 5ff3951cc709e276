"""Open the store of the settings `[store]`."""

from importlib import import_module
from pathlib import Path
from typing import cast

from jieneng.storage.registry import STORES
from jieneng.storage.settings import StoreSettings
from jieneng.storage.store import Store


def open_store(settings: StoreSettings, folder: Path) -> Store:
    """Return the store of the settings. It opens its file or connection at the first call.

    Args:
        settings: the table `[store]`.
        folder: the site's folder, to which `path` is relative.
    """
    module = import_module(STORES[settings.kind].module)
    return cast("Store", module.open_store(settings, folder))


def embedded_file(settings: StoreSettings, folder: Path) -> Path | None:
    """Return the file of an embedded store, which may not exist yet; None for a server."""
    return folder / settings.path if STORES[settings.kind].embedded else None
