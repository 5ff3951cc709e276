"""A gateway in simulated time: a real link and a real poller, and no socket between them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from zoneinfo import ZoneInfo

from edge_agent.links.exchange import Connection, LinkTiming
from edge_agent.links.link import Link
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.protocols.request_reply import Framing
from jieneng import observe
from tests.edge_agent.agent_setup import EVEN, meter
from tests.edge_agent.misbehaving import Question

BEGIN_MS = 1_795_000_000_000

#: Time that a request takes [s], and the bytes of the reply; None for no reply.
Answer = tuple[float, bytes | None]


class LoopClock:
    """The time of the event loop, as `jieneng.clock.Clock`."""

    def now_ms(self) -> int:
        return BEGIN_MS + round(1000 * self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def up_ms(self) -> int:
        return round(1000 * self.monotonic())

    def machine_boot(self) -> str:
        return "simulated"

    def is_set(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Transport(asyncio.Transport):
    """A connection to the gateway. What is under way when it closes is lost."""

    def __init__(self, gateway: "SimulatedGateway", connection: Connection) -> None:
        super().__init__()
        self._gateway = gateway
        self._connection = connection
        self._closing = False
        connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        after_s, reply = self._gateway.take_request(bytes(data))
        if reply is not None:
            asyncio.get_running_loop().call_later(after_s, self._deliver, reply)

    def _deliver(self, reply: bytes) -> None:
        if not self._closing:
            self._connection.data_received(reply)

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True
        asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)


class SimulatedGateway(Link):
    """A link whose gateway is in the same process.

    Attributes:
        asked: the units that were asked, with the times of the requests [s].
        connections: number of connections that were opened.
    """

    def __init__(
        self,
        answer: Callable[[Question], Answer],
        *,
        timeout_s: float,
        one_at_a_time: bool,
    ) -> None:
        """Create the gateway.

        Args:
            answer: its answer to a request.
            timeout_s: time-out of the bus [s].
            one_at_a_time: True if it serves requests one after the other.
        """
        super().__init__("gateway", LinkTiming(timeout_s, LoopClock().now_ms, 0.0))
        self.asked: list[tuple[int, float]] = []
        self.connections = 0
        self._answer = answer
        self._one_at_a_time = one_at_a_time
        self._free_at_s = 0.0

    def take_request(self, frame: bytes) -> Answer:
        """Return the time until the reply to a request, and the reply; None for no reply."""
        now_s = asyncio.get_running_loop().time()
        question = Question(frame, False, len(self.asked) + 1, self.connections)
        self.asked.append((question.unit, now_s))
        needs_s, reply = self._answer(question)
        begins_s = max(now_s, self._free_at_s) if self._one_at_a_time else now_s
        self._free_at_s = begins_s + needs_s
        return self._free_at_s - now_s, reply

    async def _open(self, framing: Framing) -> Connection:
        self.connections += 1
        connection = Connection(
            asyncio.get_running_loop(), self._timing, self._reply_timeout, framing
        )
        _Transport(self, connection)
        return connection


async def poll_for(
    seconds: float,
    gateway: SimulatedGateway,
    *,
    units: int = 1,
    interval_s: float = 15.0,
) -> list[PollResult]:
    """Poll the meters of a gateway for so long, and return all results."""
    results = list[PollResult]()
    poller = BusPoller(
        "b",
        [
            PolledMeter(
                meter(f"m{unit}", "b", unit, interval_s=interval_s), EVEN, ZoneInfo("Asia/Shanghai")
            )
            for unit in range(1, units + 1)
        ],
        phase_key="agent",
        link=gateway,
        link_kind="tcp",
        clock=LoopClock(),
        on_result=results.append,
        log=observe.log("test"),
    )
    task = asyncio.create_task(poller.run())
    await asyncio.sleep(seconds)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return results
