"""Settings of the store: the table `[store]`."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from jieneng.storage.registry import STORES

if TYPE_CHECKING:  # type checkers don't know the rows of the registry
    StoreKind = str
else:
    StoreKind = Literal[tuple(STORES)]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[store]` of `ingest.toml` and `analytics.toml`.

    The file contains no token or password. They come from `token_file` and `password_file`, or from
    the environment variables `JIENENG_STORE_TOKEN` and `JIENENG_STORE_PASSWORD`.

    Attributes:
        kind: key of a row of `registry`.
        path: file of an embedded store, relative to the site's folder.
        url: address of InfluxDB or openGemini, e.g. `http://127.0.0.1:8086`.
        database: database (1.x, openGemini, 3) or bucket (2.x).
        username: user name, if the server requires one.
        password_file: file with the password.
        token_file: file with the token.
        timeout_s: time-out of a request, and between two parts of a long answer [s].
    """

    kind: StoreKind = "sqlite"
    path: str = "store.sqlite"
    url: str = "http://127.0.0.1:8086"
    database: str = "jieneng"
    username: str | None = None
    password_file: str | None = None
    token_file: str | None = None
    timeout_s: Annotated[float, Meta(gt=0)] = 30.0
