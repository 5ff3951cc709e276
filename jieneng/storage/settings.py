"""Which store, and where it is."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[store]` of `ingest.toml` and `analytics.toml`.

    A token or password never stands here: it comes from `token_file` or `password_file`, or from
    the environment variables `JIENENG_STORE_TOKEN` and `JIENENG_STORE_PASSWORD`.

    Attributes:
        path: the file of an SQLite store, relative to the site's folder.
        url: of InfluxDB or openGemini, e.g. `http://127.0.0.1:8086`.
        database: its database (1.x, openGemini, 3) or bucket (2.x).
    """

    kind: Literal["sqlite", "influx"] = "sqlite"
    path: str = "store.sqlite"
    url: str = "http://127.0.0.1:8086"
    database: str = "jieneng"
    username: str | None = None
    password_file: str | None = None
    token_file: str | None = None
    timeout_s: Annotated[float, Meta(gt=0)] = 30.0
