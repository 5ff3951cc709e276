"""Settings of the store: the table `[store]`."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from jieneng.storage.registry import STORES

if TYPE_CHECKING:  # a type checker can't know the registry's rows
    StoreKind = str
else:
    StoreKind = Literal[tuple(STORES)]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[store]` of `ingest.toml` and `analytics.toml`.

    A token or password never stands here: it comes from `token_file` or `password_file`, or from
    the environment variables `JIENENG_STORE_TOKEN` and `JIENENG_STORE_PASSWORD`.

    Attributes:
        kind: a row of `registry`.
        path: file of an embedded store, relative to the site's folder.
        url: of InfluxDB or openGemini, e.g. `http://127.0.0.1:8086`.
        database: database (1.x, openGemini, 3) or bucket (2.x).
        username: name to log in with, where the server wants one.
        password_file: file that holds the password.
        token_file: file that holds the token.
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
