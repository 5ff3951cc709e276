"""The only door to a database.

In: points (`write`), and questions bounded in time (`read`). Out: series as float64 arrays, and the
points that were rejected, with reasons. Laws: `store.Store` lists them; a store is one module and
one row of `registry`, and the shared contract test holds each row to the laws.
"""

from jieneng.storage.factory import embedded_file, open_store
from jieneng.storage.registry import STORES, StoreRow
from jieneng.storage.settings import StoreSettings
from jieneng.storage.store import RejectedPoint, Series, Store, WriteResult

__all__ = [
    "STORES",
    "RejectedPoint",
    "Series",
    "Store",
    "StoreRow",
    "StoreSettings",
    "WriteResult",
    "embedded_file",
    "open_store",
]
