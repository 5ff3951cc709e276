"""Serve one master: take requests from the bytes that arrive, and send the replies of the bus.

Law: only the bus decides how a request is answered. The line hands each request to its bus, and
carries out the steps that the bus returns, in their order and with their pauses. As on a pair of
wires, the devices of every protocol receive all bytes, and each takes the frames of its protocol.
"""

import asyncio
from collections import Counter, deque
from contextlib import AsyncExitStack
from typing import Final, Protocol

import msgspec

from simulators.faults.reply_faults import ConnectionAction, ReplyStep, worse
from simulators.protocols.simulated_protocol import BusAddress, Codec
from simulators.serving.simulated_bus import (
    ExchangeListener,
    PlannedReply,
    ReceivedRequest,
    SimulatedBus,
    timeliness,
)

#: Longest pause within a serial frame [s] (3.5 characters at 1200 baud are 32 ms).
_FRAME_GAP_S: Final = 0.05


class LineTransport(Protocol):
    """The sending side of a line: a TCP connection or a serial port."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def reset(self) -> None:
        """Reset the connection; do nothing on a serial port, which has no connection."""

    def is_closing(self) -> bool:
        """Return True if no more bytes can be sent."""


class _FrameBuffer:
    """Received bytes of a line that do not yet form a complete frame of one protocol."""

    def __init__(self, protocol: str, codec: Codec) -> None:
        self._protocol = protocol
        self._codec = codec
        self._bytes = bytearray()

    def take(self, data: bytes, *, after_gap: bool) -> list[ReceivedRequest]:
        """Add bytes and return the requests that are complete.

        Args:
            data: the bytes.
            after_gap: True if the line was silent before the bytes.
        """
        if after_gap and self._codec.silence_ends_frame:
            self._bytes.clear()
        self._bytes += data
        requests = []
        while (request := self._codec.take(self._bytes)) is not None:
            requests.append(ReceivedRequest(self._protocol, request))
        return requests

    def clear(self) -> None:
        """Drop the unfinished bytes."""
        self._bytes.clear()

    @property
    def overflows(self) -> bool:
        """Return True if the unfinished bytes are more than any frame of the protocol has."""
        return len(self._bytes) > self._codec.longest_frame_bytes


class Line:
    """A master's connection or serial port.

    Attributes:
        is_dead: True as soon as the line accepts no requests and sends no replies any more.
    """

    def __init__(
        self,
        bus: SimulatedBus,
        transport: LineTransport,
        peer: str,
        on_exchange: ExchangeListener,
    ) -> None:
        self.is_dead = False
        self._bus = bus
        self._transport = transport
        self._peer = peer
        self._on_exchange = on_exchange
        self._loop = asyncio.get_running_loop()
        self._buffers = [_FrameBuffer(protocol, codec) for protocol, codec in bus.codecs.items()]
        # All times are on the clock of the event loop.
        self._last_bytes_s = 0.0  # when the latest bytes arrived
        # Requests that are not answered yet, and when each arrived.
        self._waiting: deque[tuple[ReceivedRequest, float]] = deque()
        self._request_counts = Counter[tuple[str, BusAddress]]()  # by `ReceivedRequest.key`
        self._busy = False  # True while the next request must wait for the end of a reply
        self._sending = asyncio.Lock()  # held while a reply with pauses is being sent
        self._used_in_power_cut = False  # True once a request came while the bus had no power
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, data: bytes) -> None:
        """Take bytes from the master, and answer the requests that they complete."""
        if self.is_dead:
            return
        now_s = self._loop.time()
        after_gap = now_s - self._last_bytes_s > _FRAME_GAP_S
        self._last_bytes_s = now_s
        completed = [buffer.take(data, after_gap=after_gap) for buffer in self._buffers]
        for requests, buffer in zip(completed, self._buffers, strict=True):
            self._waiting.extend((request, now_s) for request in requests)
            if any(completed) and not requests:
                buffer.clear()  # the bytes were a frame of another protocol
        if all(buffer.overflows for buffer in self._buffers):
            self._transport.reset()
        self._answer_waiting()

    def close(self) -> None:
        """Drop all requests and replies that are not finished."""
        self.is_dead = True
        for task in self._tasks:
            task.cancel()

    def _answer_waiting(self) -> None:
        """Answer the waiting requests, up to the first reply that blocks the next request."""
        while self._waiting and not self._busy and not self.is_dead:
            self._answer(*self._waiting.popleft())

    def _answer(self, received: ReceivedRequest, received_s: float) -> None:
        """Answer a request: at once, or in a task of its own if the reply has to wait or pause."""
        if self._bus.has_no_power:
            self._used_in_power_cut = True
        elif self._used_in_power_cut:
            # The gateway has restarted since, and does not know this connection any more.
            self._transport.reset()
            return
        self._request_counts[received.key] += 1
        planned = self._bus.reply_to(received, self._request_counts[received.key], self._peer)
        steps = planned.plan.steps
        if not self._sending.locked() and not any(isinstance(step, float) for step in steps):
            self._record(planned, [self._carry_out(step) for step in steps], received_s)
            return
        self._busy = planned.plan.blocks_next
        task = self._loop.create_task(self._carry_out_with_pauses(planned, received_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out_with_pauses(self, planned: PlannedReply, received_s: float) -> None:
        """Carry out the steps and pauses of a reply.

        From the first byte of the reply on, other replies wait for its end, so that the bytes of
        two replies are never mixed.
        """
        sent: list[bytes | None] = []
        try:
            async with AsyncExitStack() as lock:
                for step in planned.plan.steps:
                    if isinstance(step, float):
                        await asyncio.sleep(step)
                        continue
                    if not sent:
                        await lock.enter_async_context(self._sending)
                    sent.append(self._carry_out(step))
        except asyncio.CancelledError:  # the master has closed its connection
            self._record(planned, [*sent, None], received_s)
            raise
        if planned.plan.blocks_next:
            self._busy = False
        self._record(planned, sent, received_s)
        self._answer_waiting()

    def _carry_out(self, step: ReplyStep) -> bytes | None:
        """Carry out one step; return the bytes sent, or None if they could not be sent."""
        if step is ConnectionAction.RESET:
            self._transport.reset()
        elif step is ConnectionAction.GO_SILENT:
            self.is_dead = True
        elif isinstance(step, bytes):
            if self.is_dead or self._transport.is_closing():
                return None
            self._transport.write(step)
            return step
        return b""

    def _record(self, planned: PlannedReply, sent: list[bytes | None], received_s: float) -> None:
        """Report an exchange, now that its reply was sent: completely or not, in time or late."""
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
