"""Read and write points in a database. All database access goes through this package.

In: points (`write`), and queries bounded in time (`read`).
Out: series as float64 arrays, and rejected points with reasons.
Laws: see `store`. A new kind of store costs one module and one row of `registry`. A contract test
checks the laws for every row.
"""

from jieneng.storage.factory import embedded_file, open_store
from jieneng.storage.registry import STORES, StoreRow
from jieneng.storage.settings import StoreSettings
from jieneng.storage.store import (
    RejectedPoint,
    Series,
    SeriesColumns,
    SeriesSpan,
    Store,
    TextSeries,
    Where,
    WriteResult,
)

__all__ = [
    "STORES",
    "RejectedPoint",
    "Series",
    "SeriesColumns",
    "SeriesSpan",
    "Store",
    "StoreRow",
    "StoreSettings",
    "TextSeries",
    "Where",
    "WriteResult",
    "embedded_file",
    "open_store",
]
