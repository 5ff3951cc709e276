"""List the stores that `[store] kind` can name. Settings, factory and tests read this table.

A new store is one module and one row here. The module keeps every law of `store.Store`, and has a
function `open_store(settings: StoreSettings, folder: Path) -> Store`. The contract test takes its
stores from this table; tests/storage/conftest.py provides a server for each. See docs/store.md.
"""

from typing import Final

import msgspec


class StoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of store.

    Attributes:
        module: module of the store, imported only when such a store is opened.
        embedded: True if the store is a file, which `path` names and opening creates.
    """

    module: str
    embedded: bool = False


#: The stores, by the `kind` of `[store]`.
STORES: Final[dict[str, StoreRow]] = {
    "sqlite": StoreRow(module="jieneng.storage.sqlite", embedded=True),
    "influx": StoreRow(module="jieneng.storage.influx"),
}
