"""A server is recognised by its answer to /ping."""

import pytest

from jieneng.storage import StoreSettings
from jieneng.storage.influx_http import InfluxHttp
from jieneng.storage.server_kinds import (
    INFLUX_1,
    INFLUX_2,
    INFLUX_3,
    OPEN_GEMINI,
    UNKNOWN,
    ServerKind,
    recognise,
)
from tests.servers import Influx, Influx2


@pytest.mark.parametrize(
    ("kind", "version", "headers", "body"),
    [
        (
            INFLUX_1,
            "1.6.7~rc0",
            {"X-Influxdb-Version": "1.6.7~rc0"},
            b"",
        ),
        (INFLUX_1, "v1.12.4", {"x-influxdb-version": "v1.12.4"}, b""),
        (INFLUX_2, "v2.9.1", {"X-Influxdb-Version": "v2.9.1", "X-Influxdb-Build": "OSS"}, b""),
        (INFLUX_3, "3.11.4", {"X-Influxdb-Version": "3.11.4", "X-Influxdb-Build": "Core"}, b"{}"),
        (INFLUX_3, "3.11.4", {}, b'{"version":"3.11.4","revision":"a","process_id":"b"}'),
        (OPEN_GEMINI, "v1.3.0", {"X-Geminidb-Version": "v1.3.0"}, b""),
        (UNKNOWN, "", {"Server": "nginx"}, b"<html></html>"),
        (UNKNOWN, "", {}, b"[" * 100_000),
        (UNKNOWN, "v9.0", {"X-Influxdb-Version": "v9.0"}, b""),
        (UNKNOWN, "dev", {"X-Influxdb-Version": "dev"}, b""),
    ],
)
def test_a_server_is_known_by_its_own_word(
    kind: ServerKind, version: str, headers: dict[str, str], body: bytes
) -> None:
    server = recognise(headers, body)
    assert (server.kind, server.version) == (kind, version)
    assert server.kind.limits


async def told(url: str) -> ServerKind:
    http = InfluxHttp(StoreSettings(kind="influx", url=url))
    try:
        ping = await http.ping()
        return recognise(ping.headers, ping.body).kind
    finally:
        await http.close()


async def test_real_servers_are_recognised(influx: Influx, influx2: Influx2) -> None:
    assert await told(influx.url) == INFLUX_1
    assert await told(influx2.url) == INFLUX_2
