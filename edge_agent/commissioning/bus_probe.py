"""Probe a bus: find its units, match their models, and read their registers.

Laws:

1. The probe only reads, over one connection, with one request at a time and a pause between two.
   Where replies are numbered, a request that timed out takes its connection with it: a gateway that
   serves requests in order would have the next one wait behind it.
2. A unit that replies is present, even if it refuses. Two devices with the same unit number garble
   each other's replies: that is reported, and not taken for silence.
3. A refusal is an answer about the registers: a block is halved until it is known which of its
   registers exist. After a silence the request is repeated once; a second silence counts like a
   refusal.
4. A model matches only as the agent will read it, by the reads of its plan. If the unit refuses
   these but answers a variant of the model (`read_variants`), that variant is returned.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec

from edge_agent.commissioning import model_match
from edge_agent.commissioning.display_search import FunctionCode
from edge_agent.commissioning.model_match import Mismatch, ModelMatch
from edge_agent.commissioning.read_variants import read_variants
from edge_agent.commissioning.search_ranges import by_both_functions, split_into_blocks
from edge_agent.links.link import Link, bus_link
from edge_agent.protocols.modbus import FRAMINGS, encode
from edge_agent.protocols.request_reply import Ask, FailureKind
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.catalog.modbus_reads import ModbusRead, plan
from jieneng.metering.errors import DeviceRefused, PeerError, ReplyError, ReplyTimedOut, Unanswered
from jieneng.metering.site import Bus

# Illegal function (Modbus application protocol V1.1b3, section 7): the device has no register of
# this function. After any other exception another address or a smaller count may succeed.
_ILLEGAL_FUNCTION: Final = 1

_MAX_SILENCES: Final = 6  # unanswered blocks after which a range is abandoned
_BUSY_RETRY_S: Final = 0.3  # wait before a busy device is asked again
_JITTER_S: Final = 0.05  # delay of a reply that no gateway has caused

#: Longest reply timeout that the probe chooses by itself [s]. Gateways give a silent unit up after
#: 1 s, some after 3 s.
LONGEST_TIMEOUT_S: Final = 5.0

UnitResponse = Literal["answers", "refuses", "garbled"]
ReportProgress = Callable[[float], None]
_ReadCache = dict[tuple[int, int, int], bytes | Mismatch]


class Presence(msgspec.Struct, frozen=True):
    """A unit that was found on the bus.

    Attributes:
        unit: number of the unit.
        response: kind of its reply; `garbled` if no single device can have sent it.
        error: reason why the reply was no plain answer.
    """

    unit: int
    response: UnitResponse
    error: PeerError | None = None


class BusProbe:
    """A link to one bus with the requests of the commissioning aid."""

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
        """Close the link; to be awaited in the event loop that opened it."""
        self._link.close()

    async def request(self, unit: int, read: ModbusRead) -> bytes:
        """Return the register bytes of one read.

        Raises:
            Unanswered: no reply, not even to the repeated request.
            PeerError: an invalid reply, also to the repeated request; or a refusal.
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
        """Return those of the units that are present."""
        present = []
        for index, unit in enumerate(units):
            report_progress(index / len(units))
            if (presence := await self.detect(unit)) is not None:
                present.append(presence)
        report_progress(1.0)
        return present

    async def detect(self, unit: int, more_reads: Sequence[ModbusRead] = ()) -> Presence | None:
        """Return the unit if it is present. It is asked for one register by each function.

        Args:
            unit: number of the unit.
            more_reads: further reads to try after silence; some devices do not reply at all to a
                request for registers that they lack.
        """
        first_registers = [
            _plain_read(function, addresses) for function, addresses in by_both_functions(range(1))
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
        """Return how long a gateway blocks other requests for a silent unit [s]; 0 if it does not.

        Args:
            silent_unit: a unit that did not reply, and before which every unit replied.
            answering: units that reply. One of them is asked right after the silent unit. If there
                is none, the time until the gateway itself reports the timeout is measured.
        """
        timeout_s = self.timeout_s
        if not self._framing.numbered or timeout_s >= LONGEST_TIMEOUT_S:
            return 0.0
        try:
            if not answering:
                return await self._gateway_timeout_s(silent_unit)
            # A reply that is late by chance is not late twice.
            return min(
                [await self._block_s(silent_unit, answering[0], timeout_s) for _ in range(2)]
            )
        finally:
            await self.set_timeout(timeout_s)

    async def _block_s(self, silent_unit: int, answering_unit: int, timeout_s: float) -> float:
        await self._detection_s(answering_unit, LONGEST_TIMEOUT_S)  # clears earlier requests
        usual_s = await self._detection_s(answering_unit, LONGEST_TIMEOUT_S)
        silent_s = await self._detection_s(silent_unit, timeout_s)
        next_s = await self._detection_s(answering_unit, LONGEST_TIMEOUT_S)
        return silent_s + next_s if next_s > usual_s + _JITTER_S else 0.0

    async def _detection_s(self, unit: int, timeout_s: float) -> float:
        """Return the time that it takes to find out whether a unit is present [s]."""
        began_s = asyncio.get_running_loop().time()
        await self.set_timeout(timeout_s)
        await self.detect(unit)
        return asyncio.get_running_loop().time() - began_s

    async def _gateway_timeout_s(self, silent_unit: int) -> float:
        """Return the time until the gateway refuses a request to a silent unit [s]."""
        timeout_s, began_s = self.timeout_s, asyncio.get_running_loop().time()
        await self.set_timeout(LONGEST_TIMEOUT_S)
        try:
            await self._request_once(silent_unit, _plain_read(3, range(1)))
        except DeviceRefused:
            elapsed_s = asyncio.get_running_loop().time() - began_s
            return elapsed_s if elapsed_s > timeout_s else 0.0
        except ReplyTimedOut:
            pass
        return 0.0

    async def match_models(
        self, unit: int, models: Sequence[ModbusModel], report_progress: ReportProgress
    ) -> list[ModelMatch]:
        """Return the comparison of each model with the unit's replies."""
        cache: _ReadCache = {}
        matches = []
        for index, model in enumerate(models):
            report_progress(index / len(models))
            matches.append(await self._match_model(unit, model, cache))
        report_progress(1.0)
        return matches

    async def is_present(
        self, unit: int, model: ModbusModel | None, searched: range | None
    ) -> bool:
        """Return True if the unit replies.

        The reads of its model and the first address to search are tried, too.
        """
        more_reads = [plan(variant)[0] for variant in read_variants(model)] if model else []
        if searched:
            more_reads += [
                _plain_read(function, first) for function, first in by_both_functions(searched[:1])
            ]
        return await self.detect(unit, more_reads) is not None

    async def readable_variant(self, unit: int, model: ModbusModel) -> ModbusModel | None:
        """Return the first variant of a model whose every read the unit answers, if there is one.

        The first variant is the model itself.
        """
        cache: _ReadCache = {}
        for variant in read_variants(model):
            if not isinstance(await self._read_all(unit, variant, cache), Mismatch):
                return variant
        return None

    async def read_registers(
        self,
        unit: int,
        ranges: Iterable[tuple[FunctionCode, range]],
        report_progress: ReportProgress,
    ) -> dict[tuple[FunctionCode, int], bytes]:
        """Return the two bytes of every register in the ranges that the device returns."""
        registers: dict[tuple[FunctionCode, int], bytes] = {}
        wanted = list(ranges)
        total, done = sum(len(addresses) for _, addresses in wanted), 0
        for function, addresses in wanted:
            silences = 0
            pending = list(reversed(list(split_into_blocks(addresses))))
            while pending and silences < _MAX_SILENCES:
                block = pending.pop()
                try:
                    data = await self.request(unit, _plain_read(function, block))
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

    async def _match_model(self, unit: int, model: ModbusModel, cache: _ReadCache) -> ModelMatch:
        match = ModelMatch(model.id)
        for variant in read_variants(model):
            replies = await self._read_all(unit, variant, cache)
            if isinstance(replies, Mismatch):
                match = ModelMatch(model.id, mismatch=replies)
                continue
            match = model_match.match_values(model, replies)
            match = msgspec.structs.replace(match, variant=None if variant is model else variant)
            return match if match.mismatch else await self._identify(unit, model, match, cache)
        return match

    async def _read_all(
        self, unit: int, model: ModbusModel, cache: _ReadCache
    ) -> list[tuple[ModbusRead, bytes]] | Mismatch:
        """Return the replies to the agent's reads of a model, or why one of them has no reply."""
        replies = list[tuple[ModbusRead, bytes]]()
        for read in plan(model):
            data = await self._cached_request(unit, read, cache)
            if isinstance(data, Mismatch):
                return data
            replies.append((read, data))
        return replies

    async def _identify(
        self, unit: int, model: ModbusModel, match: ModelMatch, cache: _ReadCache
    ) -> ModelMatch:
        """Return the match extended by the device's identity.

        A missing register is a mismatch only if the model expects a certain value in it.
        """
        answers = []
        for row in model.identity:
            read = _plain_read(row.function, range(row.address, row.address + row.words))
            data = await self._cached_request(unit, read, cache)
            if not isinstance(data, Mismatch):
                answers.append((row, data))
            elif row.expect is not None:
                return msgspec.structs.replace(match, mismatch=data)
        return model_match.match_identity(match, answers)

    async def _cached_request(
        self, unit: int, read: ModbusRead, cache: _ReadCache
    ) -> bytes | Mismatch:
        """Return the register bytes of a read, or why there are none."""
        key = (read.function, read.address, read.count)
        if key not in cache:
            try:
                cache[key] = await self.request(unit, read)
            except (Unanswered, PeerError) as error:
                cache[key] = Mismatch(f"{read.function}: {read.addresses}", error)
        return cache[key]


def _plain_read(function: FunctionCode, addresses: range) -> ModbusRead:
    """Return a read whose bytes are not decoded."""
    return ModbusRead(function, addresses.start, len(addresses), (), lambda _: ())
