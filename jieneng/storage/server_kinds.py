"""Recognise the kind of a server by its answer to `/ping`, and list its limits. Pure.

Law: the answer alone decides the kind. If the answer names no kind, the server is `UNKNOWN`, and
nothing on it is changed.

Sources: InfluxDB 1.6, 2.9 and 3.11 (X-Influxdb-Version; 3 also answers with JSON), openGemini 1.3
(X-Geminidb-Version).
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from jieneng.metering.errors import Msgid


class ServerKind(msgspec.Struct, frozen=True):
    """A kind of server.

    Attributes:
        name: its name.
        prepared_by: way to create databases and accounts: InfluxQL, the API of InfluxDB 2, or none.
        limits: its limits, one sentence each.
    """

    name: str
    prepared_by: Literal["influxql", "api", "nothing"]
    limits: tuple[Msgid, ...]


INFLUX_1: Final = ServerKind(
    "InfluxDB 1.x",
    "influxql",
    (
        "Privileges apply to a whole database: the user of the analytics can also write readings.",
        "It has no tokens: each account is a user with a password.",
    ),
)
INFLUX_2: Final = ServerKind(
    "InfluxDB 2.x",
    "api",
    (
        "Privileges apply to a whole bucket: the token of the analytics can also write readings.",
        "A token can't be read later: keep it when it is created.",
        "It has no CREATE DATABASE: this command or its own interface creates the bucket.",
    ),
)
INFLUX_3: Final = ServerKind(
    "InfluxDB 3 Core",
    "nothing",
    (
        "It is experimental: a query can read at most 432 files, about three days.",
        "It has no DELETE: an import can't be undone, and figures without data are not removed.",
        "It has at most 5 databases, and the first write creates one.",
        "Every token has all privileges.",
    ),
)
OPEN_GEMINI: Final = ServerKind(
    "openGemini",
    "influxql",
    (
        "Privileges apply to a whole database: the user of the analytics can also write readings.",
        "The first read of a new database can be empty: repeat it.",
        "A count without time bounds counts a rewritten point twice until it is compacted.",
    ),
)
UNKNOWN: Final = ServerKind(
    "unknown",
    "nothing",
    ("It does not identify itself, so nothing is created. Check url in [store].",),
)

_BY_MAJOR: Final = {"0": INFLUX_1, "1": INFLUX_1, "2": INFLUX_2, "3": INFLUX_3}


class Server(NamedTuple):
    """A kind of server, and the version that the server states."""

    kind: ServerKind
    version: str


def recognise(headers: Mapping[str, str], body: bytes) -> Server:
    """Return kind and version of a server, from its answer to `/ping`."""
    names = {name.lower(): value for name, value in headers.items()}
    if gemini := names.get("x-geminidb-version"):
        return Server(OPEN_GEMINI, gemini)
    version = names.get("x-influxdb-version") or _version_in(body)
    major = re.match(r"v?(\d)\.", version)
    return Server(_BY_MAJOR.get(major[1], UNKNOWN) if major else UNKNOWN, version)


def _version_in(body: bytes) -> str:
    try:
        told = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return str(told.get("version", ""))
