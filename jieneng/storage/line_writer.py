"""Write lines to a server, and find the lines that it refuses. No sockets.

Laws:

- A refusal does not name the refused lines. So the lines of a refused request are written again in
  two halves, until each refused line is alone and all others are stored. Writing a line twice
  changes nothing (law 1 of a store).
- Lines are written in their order, also after halving, so that a later value replaces an earlier
  one.
- If a line is refused with an unknown message, the line counts as refused only if the server
  accepts another line. Otherwise the server seems to have a fault that affects all lines.
- The number of requests that are refused with unknown messages is limited for each write. Lines
  that remain then are returned as `untried`.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from jieneng.storage.store import UNCLEAR, UNTRIED
from jieneng.storage.write_answers import Verdict, WriteAnswer

#: Lines per request. Measured on InfluxDB 1.6.7: 416,000 points/s; twice as many lines give a fifth
#: more.
_LINES_PER_REQUEST: Final = 5000
#: Number of lines, drawn at random, that are written alone to learn whether the server accepts any
#: line. If a fifth of the lines is good, one call in a thousand draws only bad ones.
_SAMPLE: Final = 32
#: Number of refusals with unknown messages in one call, after which the other lines are `untried`.
_UNCLEAR_REQUESTS: Final = 500

#: Sends lines; returns an answer that is `STORED`, `REFUSED` or `UNCLEAR`, or raises.
Send: TypeAlias = Callable[[bytes], Awaitable[WriteAnswer]]


class RefusedLine(NamedTuple):
    """A line that is not stored: its number, a code, and the server's message."""

    number: int
    code: str
    words: str


class NothingAccepted(msgspec.Struct, frozen=True):
    """The result if the server accepted no line of a call and its message is unknown."""

    words: str


class LineWriter:
    """Writes lines; remembers the last accepted line from one call to the next."""

    def __init__(self, send: Send, chance: random.Random | None = None) -> None:
        self._send = send
        self._chance = chance or random.Random()  # noqa: S311 - chooses a sample, no secret
        #: The last line that the server accepted. It is written again to learn whether the server
        #: still accepts any line.
        self._control: bytes | None = None

    async def write(self, lines: Sequence[bytes]) -> list[RefusedLine] | NothingAccepted:
        """Write lines, and return those that are not stored, in the order of their numbers."""
        call = _Call(self._send, lines, self._chance, self._control)
        nothing = await call.run()
        self._control = call.control
        return nothing or call.refused


class _Call:
    """The state of one call. A group is a range of line numbers."""

    def __init__(
        self, send: Send, lines: Sequence[bytes], chance: random.Random, control: bytes | None
    ) -> None:
        self._send = send
        self._lines = lines
        self._chance = chance
        self._accepts = False
        self._unclear_requests = 0
        self.control = control
        self.refused: list[RefusedLine] = []

    async def run(self) -> NothingAccepted | None:
        """Write until each line is stored or among `refused`, or nothing is accepted."""
        numbers = range(len(self._lines))
        groups = [numbers[at : at + _LINES_PER_REQUEST] for at in numbers[::_LINES_PER_REQUEST]]
        groups.reverse()
        while groups:
            group = groups.pop()
            answer = await self._post(group)
            if answer.verdict is Verdict.STORED:
                continue
            if answer.verdict is Verdict.UNCLEAR and not await self._accepts_any(group):
                return NothingAccepted(answer.words)
            if code := self._final_code(group, answer):
                self.refused += [RefusedLine(number, code, answer.words) for number in group]
            else:
                middle = len(group) // 2
                groups += [group[middle:], group[:middle]]
        return None

    def _final_code(self, group: range, answer: WriteAnswer) -> str | None:
        """Return the code of all lines of a refused group, or None if it has to be halved."""
        if len(group) == 1 or answer.dropped == len(group):
            return answer.code or UNCLEAR
        unclear = answer.verdict is Verdict.UNCLEAR
        return UNTRIED if unclear and self._unclear_requests > _UNCLEAR_REQUESTS else None

    async def _accepts_any(self, refused: range) -> bool:
        """Return True if the server accepted a line of this call or accepts one written alone."""
        if not self._accepts and self.control is not None:
            answer = await self._send(self.control)
            self._accepts = answer.verdict is Verdict.STORED
        left = range(refused.start, len(self._lines))
        for number in self._chance.sample(left, min(len(left), _SAMPLE)):
            if self._accepts:
                break
            alone = range(number, number + 1)
            if alone != refused:
                await self._post(alone)
        return self._accepts

    async def _post(self, group: range) -> WriteAnswer:
        lines = self._lines[group.start : group.stop]
        answer = await self._send(b"\n".join(lines))
        if answer.verdict is Verdict.STORED:
            self._accepts = True
            self.control = lines[-1]
        elif answer.verdict is Verdict.UNCLEAR:
            self._unclear_requests += 1
        return answer
