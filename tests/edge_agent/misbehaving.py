"""A Modbus server that is controlled by a test, and may answer wrongly."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from edge_agent.protocols.crc import crc
from tests.edge_agent.agent_setup import until

#: Bytes are sent, seconds are waited for, None breaks the connection off.
Act = bytes | float | None
Behaviour = Callable[["Question"], Iterable[Act]]


class Question:
    """A read request, taken apart.

    Attributes:
        frame: its bytes.
        nth: 1 for the first that the server got.
        connection: 1 for the first that was opened.
    """

    def __init__(self, frame: bytes, rtu: bool, nth: int, connection: int) -> None:
        self.frame = frame
        self.rtu = rtu
        self.nth = nth
        self.connection = connection
        self.number = 0 if rtu else struct.unpack(">H", frame[:2])[0]
        self.unit, self.function, self.address, self.count = struct.unpack(
            ">BBHH", frame[:6] if rtu else frame[6:]
        )

    def reply(
        self,
        value: int = 0,
        *,
        unit: int | None = None,
        function: int | None = None,
        count: int | None = None,
        number: int | None = None,
        data: bytes | None = None,
    ) -> bytes:
        """The right reply, each register holding `value`, but for what is given."""
        words = self.count if count is None else count
        if data is None:
            data = struct.pack(f">{words}H", *[value & 0xFFFF] * words)
        who = self.unit if unit is None else unit
        pdu = bytes([who, self.function if function is None else function, len(data)]) + data
        if self.rtu:
            return pdu + crc(pdu)
        return struct.pack(">HHH", self.number if number is None else number, 0, len(pdu)) + pdu

    def refusal(self, code: int) -> bytes:
        """An exception reply."""
        pdu = bytes([self.unit, self.function | 0x80, code])
        if self.rtu:
            return pdu + crc(pdu)
        return struct.pack(">HHH", self.number, 0, len(pdu)) + pdu


#: Of the loop, from accepting a connection to serving it. A server of asyncio (3.11) that is closed
#: in between forgets the connection open.
_TURNS = 5


class Misbehaving:
    """The server.

    Attributes:
        behave: what is done about a question; may be changed at any time.
        questions: all that came.
        connections: how many were opened.
        open: how many are.
        most_open: at a time.
    """

    def __init__(self, behave: Behaviour, rtu: bool) -> None:
        self.behave = behave
        self.questions: list[Question] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.port = 0
        self._rtu = rtu
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self._writers.add(writer)
        connection = self.connections
        try:
            while frame := await reader.readexactly(8 if self._rtu else 12):
                question = Question(frame, self._rtu, len(self.questions) + 1, connection)
                self.questions.append(question)
                self.asked.set()
                # A task of its own, so that a late reply does not delay the next one.
                task = asyncio.create_task(self._act(question, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()

    async def say(self, data: bytes) -> None:
        """Unasked, on every connection."""
        for writer in self._writers:
            writer.write(data)
            await writer.drain()

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()

    async def _act(self, question: Question, writer: asyncio.StreamWriter) -> None:
        for act in self.behave(question):
            if act is None:
                writer.transport.abort()
            elif isinstance(act, bytes):
                if not writer.is_closing():
                    writer.write(act)
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(act)

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        for writer in tuple(self._writers):
            writer.transport.abort()


@asynccontextmanager
async def misbehaving(
    behave: Behaviour, *, rtu: bool = False, port: int = 0
) -> AsyncIterator[Misbehaving]:
    """Such a server, on a free port where none is given."""
    place = Misbehaving(behave, rtu)
    server = await asyncio.start_server(place.serve, "127.0.0.1", port)
    place.port = server.sockets[0].getsockname()[1]
    try:
        yield place
    finally:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        server.close()
        await place.end()
        await until(lambda: not place.open)
