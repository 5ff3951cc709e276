"""Serve one master: take its requests from the bytes that arrive, and send the bus's replies.

Law: a line decides nothing. It hands each request to its bus, and carries out the steps that the
bus returns, in that order and with those pauses. pymodbus's own server can't do this: it can't keep
silent for one unit, can't answer late, and loses all but the first of several requests that arrive
together (`modbus_frames` says what pymodbus is used for).
"""

import asyncio
from collections import Counter, deque
from contextlib import AsyncExitStack
from typing import Final, Protocol

import msgspec

from simulators.encoding.modbus_frames import Request
from simulators.faults.reply_faults import ConnectionAction, worse
from simulators.serving.simulated_bus import (
    ExchangeListener,
    PlannedReply,
    SimulatedBus,
    timeliness,
)

#: Size of the longest Modbus frame [bytes]; a longer unfinished one is no Modbus.
_LONGEST_FRAME: Final = 264
#: Longest pause within a serial frame [s] (3.5 characters at 1200 baud are 32 ms).
_FRAME_GAP_S: Final = 0.05


class LineTransport(Protocol):
    """The sending side of a line: a TCP connection or a serial port."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def reset(self) -> None:
        """Reset the connection; a serial port has none and does nothing."""

    def is_closing(self) -> bool:
        """Return True if nothing can be sent any more."""


class Line:
    """A master's connection or serial port.

    Attributes:
        dead: set once nothing is understood or sent on it any more.
    """

    def __init__(
        self,
        bus: SimulatedBus,
        transport: LineTransport,
        peer: str,
        on_exchange: ExchangeListener,
    ) -> None:
        self.dead = False
        self._bus = bus
        self._transport = transport
        self._peer = peer
        self._on_exchange = on_exchange
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._received_s = 0.0  # when the latest bytes arrived, on the loop's clock
        self._waiting: deque[tuple[Request, float]] = deque()  # requests, and when each arrived
        self._request_counts = Counter[int]()  # by unit
        self._busy = False
        self._sending = asyncio.Lock()  # so that pieces of two replies are never mixed
        self._used_in_power_cut = False
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, data: bytes) -> None:
        """Take bytes from the master, and answer the requests that are complete."""
        if self.dead:
            return
        now_s = self._loop.time()
        if self._bus.codec.framing != "tcp" and now_s - self._received_s > _FRAME_GAP_S:
            self._buffer.clear()
        self._received_s = now_s
        self._buffer += data
        while request := self._bus.codec.take(self._buffer):
            self._waiting.append((request, now_s))
        if len(self._buffer) > _LONGEST_FRAME:
            self._transport.reset()
        self._answer_waiting()

    def close(self) -> None:
        """Drop what was still to be sent."""
        self.dead = True
        for task in self._tasks:
            task.cancel()

    def _answer_waiting(self) -> None:
        """Answer the waiting requests until a reply has to be waited for."""
        while self._waiting and not self._busy and not self.dead:
            self._answer(*self._waiting.popleft())

    def _answer(self, request: Request, received_s: float) -> None:
        if self._bus.dark:
            self._used_in_power_cut = True
        elif self._used_in_power_cut:
            # The gateway has restarted, and knows nothing of this connection.
            self._transport.reset()
            return
        self._request_counts[request.unit] += 1
        planned = self._bus.reply_to(request, self._request_counts[request.unit], self._peer)
        steps = planned.answer.acts
        if not self._sending.locked() and not any(isinstance(step, float) for step in steps):
            self._record(planned, [self._carry_out(step) for step in steps], received_s)
            return
        self._busy = planned.answer.waits
        task = self._loop.create_task(self._carry_out_in_time(planned, received_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out_in_time(self, planned: PlannedReply, received_s: float) -> None:
        """Carry out a reply's steps with its pauses; other replies wait once its bytes begin."""
        sent: list[bytes | None] = []
        try:
            async with AsyncExitStack() as turn:
                for step in planned.answer.acts:
                    if isinstance(step, float):
                        await asyncio.sleep(step)
                        continue
                    if not sent:
                        await turn.enter_async_context(self._sending)
                    sent.append(self._carry_out(step))
        except asyncio.CancelledError:  # the master has closed its connection
            self._record(planned, [*sent, None], received_s)
            raise
        if planned.answer.waits:
            self._busy = False
        self._record(planned, sent, received_s)
        self._answer_waiting()

    def _carry_out(self, step: bytes | ConnectionAction | float) -> bytes | None:
        """Carry out one step. Return the bytes sent, or None if they could not be sent."""
        if step is ConnectionAction.RESET:
            self._transport.reset()
        elif step is ConnectionAction.GO_SILENT:
            self.dead = True
        elif isinstance(step, bytes):
            if self.dead or self._transport.is_closing():
                return None
            self._transport.write(step)
            return step
        return b""

    def _record(self, planned: PlannedReply, sent: list[bytes | None], received_s: float) -> None:
        """Report an exchange: when its reply was sent, and whether that was whole and in time."""
        verdict = worse(
            planned.record.verdict,
            timeliness(self._loop.time() - received_s, self._bus.timeout_s),
        )
        self._on_exchange(
            msgspec.structs.replace(
                planned.record,
                time_ms=self._bus.clock.now_ms(),
                sent=b"".join(piece or b"" for piece in sent),
                verdict=verdict if None not in sent else "bad",
            )
        )
