"""A server in which a field is an integer already; it refuses points in the words of InfluxDB 1."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

_CONFLICT = (
    'partial write: field type conflict: input field "{field}" on measurement "{table}" is type '
    "float, already exists as type integer dropped={count}"
)


class ConflictingServer:
    """Keeps lines by series and time, except for those with a field that it has as an integer.

    Attributes:
        url: its address.
        conflicts: (measurement, field) of what it refuses.
        stored: fields of each line, by series and time.
        writes: number of requests to write.
    """

    def __init__(self) -> None:
        self.url = ""
        self.conflicts: set[tuple[str, str]] = set()
        self.stored: dict[tuple[str, int], str] = {}
        self.writes = 0

    def times_ms(self, measurement: str) -> list[int]:
        """Return the time of each line of a measurement."""
        return sorted(at for series, at in self.stored if series.split(",")[0] == measurement)

    async def _query(self, _: web.Request) -> web.Response:
        return web.json_response({"results": [{"statement_id": 0}]})

    async def _write(self, request: web.Request) -> web.Response:
        self.writes += 1
        refused, conflict = 0, ("", "")
        for line in (await request.text()).splitlines():
            series, fields, time = line.rsplit(" ", 2)
            table = series.split(",")[0]
            names = {(table, one.split("=")[0]) for one in fields.split(",")}
            if found := names & self.conflicts:
                refused, conflict = refused + 1, min(found)
            else:
                self.stored[series, int(time)] = fields
        if not refused:
            return web.Response(status=204)
        words = _CONFLICT.format(table=conflict[0], field=conflict[1], count=refused)
        return web.Response(status=400, text=json.dumps({"error": words}))


@asynccontextmanager
async def conflicting_server() -> AsyncIterator[ConflictingServer]:
    server = ConflictingServer()
    application = web.Application(client_max_size=2**26)
    application.add_routes(
        [web.route("*", "/query", server._query), web.post("/write", server._write)]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
