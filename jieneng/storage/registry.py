"""List the stores that `[store] kind` can name: a row each, read by settings, factory and tests.

A new store is one module and one row here. The module keeps every law of `store.Store`, and has a
function `open_store(settings: StoreSettings, folder: Path) -> Store`. The shared contract test
finds the row; tests/storage/conftest.py says how a test gets a server for it.
"""

from typing import Final

import msgspec


class StoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of store.

    Attributes:
        module: name of its module, imported only when a store of this kind is opened.
        embedded: True if the store is the file that `path` names, and opening it creates the file.
    """

    module: str
    embedded: bool = False


#: The stores, by the `kind` of `[store]`.
STORES: Final[dict[str, StoreRow]] = {
    "sqlite": StoreRow(module="jieneng.storage.sqlite", embedded=True),
    "influx": StoreRow(module="jieneng.storage.influx"),
}
