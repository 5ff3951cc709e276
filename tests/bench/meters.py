"""The meters that benches poll: every request is answered at once with the same 20 floats.

They are in the process of the bench, are the same for all polling processes, and record the times
of requests.
"""

import asyncio
import struct
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, NamedTuple

from jieneng.metering.quantities import QUANTITIES

UNITS: Final = 20  # meters on a link
NAMES: Final = sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)[:20]
_VALUES: Final = struct.pack(">20f", *[float(i) + 0.5 for i in range(len(NAMES))])
_LENGTH: Final = struct.pack(">H", 3 + len(_VALUES))  # unit, function, byte count, values
_REQUEST_BYTES: Final = 12


class Asked(NamedTuple):
    """When [s since 1970] a meter was asked."""

    link: int
    unit: int
    time_s: float


class Meters:
    """Some meters on as many Modbus TCP links as they need.

    Attributes:
        ports: ports of the links. asked: recorded requests; the reader clears them.
    """

    def __init__(self, count: int) -> None:
        self.count: Final = count
        self.ports: list[int] = []
        self.asked: list[Asked] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Link and unit of each meter."""
        return ((number // UNITS, number % UNITS + 1) for number in range(self.count))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer inside the block."""
        loop = asyncio.get_running_loop()
        servers = []
        for link in range(-(-self.count // UNITS)):
            server = await loop.create_server(partial(_Link, link, self.asked), "127.0.0.1", 0)
            servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])
        try:
            yield
        finally:
            for server in servers:
                server.close()


class _Link(asyncio.Protocol):
    """One connection. A master has one question at a time on it, which comes in one piece."""

    def __init__(self, link: int, asked: list[Asked]) -> None:
        self._link = link
        self._asked = asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert len(data) == _REQUEST_BYTES
        self._asked.append(Asked(self._link, data[6], time.time()))
        self._transport.write(data[:4] + _LENGTH + data[6:8] + bytes([len(_VALUES)]) + _VALUES)


def lateness_ms(asked: Sequence[Asked], interval_s: float) -> list[float]:
    """Return the delay of each request within its interval, against the earliest of its meter."""
    times: dict[tuple[int, int], list[float]] = defaultdict(list)
    for link, unit, time_s in asked:
        times[link, unit].append(time_s)
    late = []
    for one in times.values():
        slots = [time_s - round((time_s - one[0]) / interval_s) * interval_s for time_s in one]
        earliest = min(slots)
        late += [1000 * (slot - earliest) for slot in slots]
    return late
