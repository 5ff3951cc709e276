"""A server that stores good lines and refuses bad ones, with the answers of several databases."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STORED: Final = (204, "")
#: Answers to the bad lines of a request, all of its lines being given too.
Refusal = Callable[[Sequence[str], Sequence[str]], tuple[int, str]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A real HTTP server at the URL that it yields."""
    application = web.Application(client_max_size=2**26)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


class RefusingServer:
    """Handles `/write` as a database does.

    Attributes:
        is_bad: tells the lines that it refuses.
        refusal: its answer to a request with bad lines.
        keeps_good_lines: False for a server that stores nothing of a request with a bad line.
        stored: the value of each stored point, by series and time.
        requests: number of writes so far.
    """

    def __init__(
        self,
        is_bad: Callable[[str], bool],
        refusal: Refusal,
        *,
        keeps_good_lines: bool = True,
    ) -> None:
        self.is_bad = is_bad
        self.refusal = refusal
        self.keeps_good_lines = keeps_good_lines
        self.stored: dict[tuple[str, str], str] = {}
        self.requests = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        status, text = self.write((await request.read()).decode().split("\n"))
        return web.Response(status=status, text=text)

    def write(self, lines: Sequence[str]) -> tuple[int, str]:
        """Store the good lines, and return status and body of the answer."""
        self.requests += 1
        bad = [line for line in lines if self.is_bad(line)]
        if not bad or self.keeps_good_lines:
            for line in lines:
                series, fields, time = line.rsplit(" ", 2)
                if line not in bad:
                    self.stored[series, time] = fields
        return self.refusal(bad, lines) if bad else STORED
