"""Probe a bus: find its units, measure its gateway, and read registers.

Laws:

1. The probe only reads, over one connection, with one request at a time and a pause between two
   requests. If replies carry transaction numbers, the connection is closed after each time-out.
   Otherwise a gateway that serves requests in order would first finish the unanswered request.
2. A unit that replies is present, even if it refuses the request. If two devices have the same unit
   address, their replies are garbled. This is reported as garbled, not as silence.
3. If a device refuses a block of registers, the block is halved until it is known which registers
   exist. If it does not reply, the request is repeated once; a second silence counts as a refusal.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec

from edge_agent.commissioning.display_search import FunctionCode
from edge_agent.commissioning.read_variants import read_variants
from edge_agent.commissioning.search_ranges import by_both_functions, split_into_blocks
from edge_agent.links.link import Link, bus_link
from edge_agent.protocols.modbus import FRAMINGS, encode
from edge_agent.protocols.request_reply import Ask, FailureKind
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.catalog.modbus_reads import ModbusRead, plan
from jieneng.metering.errors import DeviceRefused, PeerError, ReplyError, ReplyTimedOut, Unanswered
from jieneng.metering.site import Bus

# Illegal function (Modbus application protocol V1.1b3, section 7): the device has no registers for
# this function. After any other exception, another address or a smaller count may succeed.
_ILLEGAL_FUNCTION: Final = 1

_MAX_SILENCES: Final = 6  # number of unanswered blocks after which a range is given up
_BUSY_RETRY_S: Final = 0.3  # wait before a busy device is asked again
_JITTER_S: Final = 0.05  # usual variation of a reply's delay, without any gateway

#: Longest reply timeout that the probe chooses by itself [s]. Most gateways wait 1 s for a silent
#: unit, some wait 3 s.
LONGEST_TIMEOUT_S: Final = 5.0

UnitResponse = Literal["answers", "refuses", "garbled"]
ReportProgress = Callable[[float], None]


class Presence(msgspec.Struct, frozen=True):
    """A unit that was found on the bus.

    Attributes:
        unit: address of the unit.
        response: kind of its reply; `garbled` if several devices have replied at once.
        error: error of the reply; None for a normal answer.
    """

    unit: int
    response: UnitResponse
    error: PeerError | None = None


class BusProbe:
    """Sends the requests of the commissioning aid to one bus."""

    def __init__(self, bus: Bus, now_ms: Callable[[], int], delay_s: float) -> None:
        self._bus = bus
        self._now_ms = now_ms
        self._link: Link = bus_link(bus, now_ms)
        self._framing = FRAMINGS[bus.link]
        self._delay_s = delay_s
        self._request_numbers = itertools.count(1)

    @property
    def timeout_s(self) -> float:
        """Reply timeout [s]."""
        return self._bus.timeout_s

    async def set_timeout(self, timeout_s: float) -> None:
        """Change the reply timeout for all later requests."""
        self._link.close()
        self._bus = msgspec.structs.replace(self._bus, timeout_s=timeout_s)
        self._link = bus_link(self._bus, self._now_ms)

    async def close(self) -> None:
        """Close the link. Must be awaited in the event loop that opened the link."""
        self._link.close()

    async def request(self, unit: int, read: ModbusRead) -> bytes:
        """Return the register bytes of one read.

        Raises:
            Unanswered: neither the request nor its repetition got a reply.
            PeerError: the request and its repetition got invalid replies, or the unit refused.
        """
        try:
            return await self._request_once(unit, read)
        except DeviceRefused as error:
            if self._framing.failure_kind(error) is not FailureKind.BUSY:
                raise
            await asyncio.sleep(_BUSY_RETRY_S)
        except (Unanswered, ReplyError):
            pass
        return await self._request_once(unit, read)

    async def scan(self, units: Sequence[int], report_progress: ReportProgress) -> list[Presence]:
        """Return the units that are present."""
        present = []
        for index, unit in enumerate(units):
            report_progress(index / len(units))
            if (presence := await self.detect(unit)) is not None:
                present.append(presence)
        report_progress(1.0)
        return present

    async def detect(self, unit: int, more_reads: Sequence[ModbusRead] = ()) -> Presence | None:
        """Return the unit if it is present. One register is requested by each function.

        Args:
            unit: address of the unit.
            more_reads: further reads that are tried if the unit does not reply. Some devices do not
                reply to a request for registers that they lack.
        """
        first_registers = [
            plain_read(function, addresses) for function, addresses in by_both_functions(range(1))
        ]
        for read in (*first_registers, *more_reads):
            try:
                await self._request_once(unit, read)
            except DeviceRefused as error:
                if self._framing.failure_kind(error) is FailureKind.UNREACHABLE:
                    return None
                return Presence(unit, "refuses", error)
            except ReplyError as error:
                return Presence(unit, "garbled", error)
            except Unanswered:
                continue
            return Presence(unit, "answers")
        return None

    async def measure_gateway_block_s(self, silent_unit: int, answering: Sequence[int]) -> float:
        """Return the time for which a gateway waits for a silent unit and serves no other unit [s].

        The result is 0 if the gateway does not wait.

        Args:
            silent_unit: a unit that did not reply, although all units before it replied.
            answering: units that reply. A request is sent to one of them right after the request to
                the silent unit. If there is none, the time until the gateway itself reports the
                time-out is measured.
        """
        timeout_s = self.timeout_s
        if not self._framing.numbered or timeout_s >= LONGEST_TIMEOUT_S:
            return 0.0
        try:
            if not answering:
                return await self._gateway_timeout_s(silent_unit)
            # Measure twice: a reply that is late by chance is in time at the second attempt.
            return min(
                [await self._block_s(silent_unit, answering[0], timeout_s) for _ in range(2)]
            )
        finally:
            await self.set_timeout(timeout_s)

    async def _block_s(self, silent_unit: int, answering_unit: int, timeout_s: float) -> float:
        await self._detection_s(answering_unit, LONGEST_TIMEOUT_S)  # ends earlier requests
        usual_s = await self._detection_s(answering_unit, LONGEST_TIMEOUT_S)
        silent_s = await self._detection_s(silent_unit, timeout_s)
        next_s = await self._detection_s(answering_unit, LONGEST_TIMEOUT_S)
        return silent_s + next_s if next_s > usual_s + _JITTER_S else 0.0

    async def _detection_s(self, unit: int, timeout_s: float) -> float:
        """Return the time needed to find out if a unit is present [s]."""
        began_s = asyncio.get_running_loop().time()
        await self.set_timeout(timeout_s)
        await self.detect(unit)
        return asyncio.get_running_loop().time() - began_s

    async def _gateway_timeout_s(self, silent_unit: int) -> float:
        """Return the time until the gateway refuses a request to a silent unit [s]."""
        timeout_s, began_s = self.timeout_s, asyncio.get_running_loop().time()
        await self.set_timeout(LONGEST_TIMEOUT_S)
        try:
            await self._request_once(silent_unit, plain_read(3, range(1)))
        except DeviceRefused:
            elapsed_s = asyncio.get_running_loop().time() - began_s
            return elapsed_s if elapsed_s > timeout_s else 0.0
        except ReplyTimedOut:
            pass
        return 0.0

    async def is_present(
        self, unit: int, model: ModbusModel | None, searched: range | None
    ) -> bool:
        """Return True if the unit replies.

        If it does not reply at once, the reads of its model and the first address to search are
        tried, too.
        """
        more_reads = [plan(variant)[0] for variant in read_variants(model)] if model else []
        if searched:
            more_reads += [
                plain_read(function, first) for function, first in by_both_functions(searched[:1])
            ]
        return await self.detect(unit, more_reads) is not None

    async def read_registers(
        self,
        unit: int,
        ranges: Iterable[tuple[FunctionCode, range]],
        report_progress: ReportProgress,
    ) -> dict[tuple[FunctionCode, int], bytes]:
        """Return the two bytes of each register in the ranges, if the device has the register."""
        registers: dict[tuple[FunctionCode, int], bytes] = {}
        wanted = list(ranges)
        total, done = sum(len(addresses) for _, addresses in wanted), 0
        for function, addresses in wanted:
            silences = 0
            pending = list(reversed(list(split_into_blocks(addresses))))
            while pending and silences < _MAX_SILENCES:
                block = pending.pop()
                try:
                    data = await self.request(unit, plain_read(function, block))
                except DeviceRefused as error:
                    if error.code == _ILLEGAL_FUNCTION:
                        break
                    data = b""
                except (Unanswered, ReplyError):
                    silences += 1
                    data = b""
                if not data and len(block) > 1:
                    middle = block.start + len(block) // 2
                    pending += [range(middle, block.stop), range(block.start, middle)]
                    continue
                for offset in range(0, len(data), 2):
                    registers[function, block.start + offset // 2] = data[offset : offset + 2]
                done += len(block)
                report_progress(done / total)
        report_progress(1.0)
        return registers

    async def _request_once(self, unit: int, read: ModbusRead) -> bytes:
        await asyncio.sleep(self._delay_s)
        steps = encode(self._bus.link, unit, read).exchange(next(self._request_numbers))
        try:
            return (await self._link.exchange(Ask(steps, self._framing))).data
        except ReplyTimedOut:
            if self._framing.numbered:
                self._link.close()
            raise


def plain_read(function: FunctionCode, addresses: range) -> ModbusRead:
    """Return a read of registers whose bytes are not decoded."""
    return ModbusRead(function, addresses.start, len(addresses), (), lambda _: ())
