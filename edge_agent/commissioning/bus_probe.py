"""Commissioning: who is on a bus, which model it may be, and what its registers hold.

Laws:

1. It only reads, over one connection at a time, with one question under way and a pause between
   two. Where replies are numbered, a question that was given up goes with its connection: a gateway
   that serves one after the other would have the next one wait behind it.
2. Whoever answers is there, also with a refusal. Two devices of one number garble each other: that
   is told, and not taken for nobody.
3. A refusal is an answer about the registers: a block is halved until it is known which of them are
   there. Silence is asked once more, and means the same.
4. A model fits only as the agent will read it: by the reads of a plan, of the model or of one of
   its `ways`, and then that one is handed out.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec

from edge_agent.commissioning import model_match
from edge_agent.commissioning.display_search import Function
from edge_agent.commissioning.model_match import Against, Fit
from edge_agent.commissioning.read_variants import ways
from edge_agent.commissioning.search_ranges import blocks, everywhere
from edge_agent.links.link import Link, bus_link
from edge_agent.protocols.modbus import FRAMINGS, encode
from edge_agent.protocols.request_reply import Ask, Meaning
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.catalog.modbus_reads import ModbusRead, plan
from jieneng.metering.errors import DeviceRefused, PeerError, ReplyError, Silent, Unanswered
from jieneng.metering.site import Bus

# Illegal function (Modbus application protocol V1.1b3, section 7): none of its registers is there.
# Of what else is mistaken, another address or a smaller count may be there.
_NO_FUNCTION: Final = 1

_PATIENCE: Final = 6  # silences after which a range is given up
_BUSY_S: Final = 0.3  # before a device that is busy is asked again
_HICCUP_S: Final = 0.05  # by which an answer may be late without anybody having waited for it

#: The most that a gateway is waited for by itself: they give a unit up after 1 s, some after 3.
LONGEST_S: Final = 5.0

How = Literal["answers", "refuses", "garbled"]
Tell = Callable[[float], None]
_Known = dict[tuple[int, int, int], bytes | Against]


class Presence(msgspec.Struct, frozen=True):
    """Somebody on the bus.

    Attributes:
        how: `garbled` where something came that can't be one device's answer.
        error: why it was no plain answer.
    """

    unit: int
    how: How
    error: PeerError | None = None


class BusProbe:
    """Asks on one bus."""

    def __init__(self, bus: Bus, now_ms: Callable[[], int], delay_s: float) -> None:
        self._bus = bus
        self._now_ms = now_ms
        self._link: Link = bus_link(bus, now_ms)
        self._framing = FRAMINGS[bus.link]
        self._delay_s = delay_s
        self._numbers = itertools.count(1)

    @property
    def timeout_s(self) -> float:
        """How long an answer is waited for."""
        return self._bus.timeout_s

    async def wait(self, timeout_s: float) -> None:
        """From now on, wait so long for an answer."""
        self._link.close()
        self._bus = msgspec.structs.replace(self._bus, timeout_s=timeout_s)
        self._link = bus_link(self._bus, self._now_ms)

    async def close(self) -> None:
        """Let go of the link; in the loop that it lives in."""
        self._link.close()

    async def ask(self, unit: int, read: ModbusRead) -> bytes:
        """The registers of one read.

        Raises:
            Unanswered: no answer, also not when asked once more.
            PeerError: an answer that is none, also when asked once more; a refusal.
        """
        try:
            return await self._once(unit, read)
        except DeviceRefused as error:
            if self._framing.meaning(error) is not Meaning.BUSY:
                raise
            await asyncio.sleep(_BUSY_S)
        except (Unanswered, ReplyError):
            pass
        return await self._once(unit, read)

    async def scan(self, units: Sequence[int], tell: Tell) -> list[Presence]:
        """Those of some units that are there."""
        found = []
        for number, unit in enumerate(units):
            tell(number / len(units))
            if (there := await self.presence(unit)) is not None:
                found.append(there)
        tell(1.0)
        return found

    async def presence(self, unit: int, also: Sequence[ModbusRead] = ()) -> Presence | None:
        """Whether somebody is there; asked for one register by each function, and for no more.

        Args:
            unit: its number.
            also: what is asked where nothing comes; some are silent where they have no register.
        """
        first = [_read(function, span) for function, span in everywhere(range(1))]
        for read in (*first, *also):
            try:
                await self._once(unit, read)
            except DeviceRefused as error:
                if self._framing.meaning(error) is Meaning.UNREACHABLE:
                    return None
                return Presence(unit, "refuses", error)
            except ReplyError as error:
                return Presence(unit, "garbled", error)
            except Unanswered:
                continue
            return Presence(unit, "answers")
        return None

    async def held_up_s(self, silent: int, there: Sequence[int]) -> float:
        """How long a gateway has the others wait for a unit that is silent; 0 where it does not.

        Args:
            silent: a unit before which nobody was silent.
            there: those that answer: one of them is asked behind it. Where there is none, the
                gateway may say itself that it gave up.
        """
        timeout_s = self.timeout_s
        if not self._framing.numbered or timeout_s >= LONGEST_S:
            return 0.0
        try:
            if not there:
                return await self._given_up_s(silent)
            # What is late by chance is not so twice.
            return min([await self._behind_s(silent, there[0], timeout_s) for _ in range(2)])
        finally:
            await self.wait(timeout_s)

    async def _behind_s(self, silent: int, there: int, timeout_s: float) -> float:
        await self._takes_s(there, LONGEST_S)  # may wait for what was asked before
        usual_s = await self._takes_s(there, LONGEST_S)
        silent_s = await self._takes_s(silent, timeout_s)
        behind_s = await self._takes_s(there, LONGEST_S)
        return silent_s + behind_s if behind_s > usual_s + _HICCUP_S else 0.0

    async def _takes_s(self, unit: int, timeout_s: float) -> float:
        """Until it is known whether a unit is there."""
        began_s = asyncio.get_running_loop().time()
        await self.wait(timeout_s)
        await self.presence(unit)
        return asyncio.get_running_loop().time() - began_s

    async def _given_up_s(self, silent: int) -> float:
        timeout_s, began_s = self.timeout_s, asyncio.get_running_loop().time()
        await self.wait(LONGEST_S)
        try:
            await self._once(silent, _read(3, range(1)))
        except DeviceRefused:
            held_s = asyncio.get_running_loop().time() - began_s
            return held_s if held_s > timeout_s else 0.0
        except Silent:
            pass
        return 0.0

    async def fits(self, unit: int, models: Sequence[ModbusModel], tell: Tell) -> list[Fit]:
        """How each model fits what a unit answers."""
        known: _Known = {}
        found = []
        for number, model in enumerate(models):
            tell(number / len(models))
            found.append(await self._fit(unit, model, known))
        tell(1.0)
        return found

    async def has(self, unit: int, model: ModbusModel | None, span: range | None) -> bool:
        """Whether a unit is there, asked also where its model has registers or a range begins."""
        also = [plan(way)[0] for way in ways(model)] if model else []
        if span:
            also += [_read(function, at) for function, at in everywhere(span[:1])]
        return await self.presence(unit, also) is not None

    async def readable(self, unit: int, model: ModbusModel) -> ModbusModel | None:
        """The first of a model's ways of which the unit answers every read; None: of none."""
        known: _Known = {}
        for way in ways(model):
            if not isinstance(await self._replies(unit, way, known), Against):
                return way
        return None

    async def registers(
        self, unit: int, ranges: Iterable[tuple[Function, range]], tell: Tell
    ) -> dict[tuple[Function, int], bytes]:
        """What registers hold, as far as the device gives them; two bytes each."""
        held: dict[tuple[Function, int], bytes] = {}
        wanted = list(ranges)
        whole, done = sum(len(span) for _, span in wanted), 0
        for function, span in wanted:
            silences = 0
            waiting = list(reversed(list(blocks(span))))
            while waiting and silences < _PATIENCE:
                block = waiting.pop()
                try:
                    data = await self.ask(unit, _read(function, block))
                except DeviceRefused as error:
                    if error.code == _NO_FUNCTION:
                        break
                    data = b""
                except (Unanswered, ReplyError):
                    silences += 1
                    data = b""
                if not data and len(block) > 1:
                    half = block.start + len(block) // 2
                    waiting += [range(half, block.stop), range(block.start, half)]
                    continue
                for place in range(0, len(data), 2):
                    held[function, block.start + place // 2] = data[place : place + 2]
                done += len(block)
                tell(done / whole)
        tell(1.0)
        return held

    async def _once(self, unit: int, read: ModbusRead) -> bytes:
        await asyncio.sleep(self._delay_s)
        steps = encode(self._bus.link, unit, read).exchange(next(self._numbers))
        try:
            return (await self._link.exchange(Ask(steps, self._framing))).data
        except Silent:
            if self._framing.numbered:
                self._link.close()
            raise

    async def _fit(self, unit: int, model: ModbusModel, known: _Known) -> Fit:
        fit = Fit(model.id)
        for way in ways(model):
            replies = await self._replies(unit, way, known)
            if isinstance(replies, Against):
                fit = Fit(model.id, against=replies)
                continue
            fit = model_match.fit(model, replies)
            fit = msgspec.structs.replace(fit, apart=None if way is model else way)
            return fit if fit.against else await self._identified(unit, model, fit, known)
        return fit

    async def _replies(
        self, unit: int, model: ModbusModel, known: _Known
    ) -> list[tuple[ModbusRead, bytes]] | Against:
        """What the agent's reads of a model are answered with, or why one of them is not."""
        replies = list[tuple[ModbusRead, bytes]]()
        for read in plan(model):
            data = await self._cached(unit, read, known)
            if isinstance(data, Against):
                return data
            replies.append((read, data))
        return replies

    async def _identified(self, unit: int, model: ModbusModel, fit: Fit, known: _Known) -> Fit:
        """A fit, given what the device says of itself; only what must stand there may not lack."""
        answers = []
        for row in model.identity:
            read = _read(row.function, range(row.address, row.address + row.words))
            data = await self._cached(unit, read, known)
            if not isinstance(data, Against):
                answers.append((row, data))
            elif row.expect is not None:
                return msgspec.structs.replace(fit, against=data)
        return model_match.identified(fit, answers)

    async def _cached(self, unit: int, read: ModbusRead, known: _Known) -> bytes | Against:
        """The registers of a read, or why there are none."""
        key = (read.function, read.address, read.count)
        if key not in known:
            try:
                known[key] = await self.ask(unit, read)
            except (Unanswered, PeerError) as error:
                known[key] = Against(f"{read.function}: {read.addresses}", error)
        return known[key]


def _read(function: Function, span: range) -> ModbusRead:
    return ModbusRead(function, span.start, len(span), (), _undecoded)


def _undecoded(_: bytes) -> tuple[float, ...]:
    return ()
