"""One file a protocol: generators that yield bytes out and are sent bytes in.

An exchange is one question to one device. It never sees a socket, so that the same generator
runs over TCP, over a serial port, and in a test that feeds it byte by byte. A talk is what is asked
on a bus, one exchange after the other; it does not see a socket either.

Law: an exchange returns what the device said only if the reply is the answer to its own question in
everything that the protocol can tell. Else it raises `ReplyError`; nothing in between.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Final, Protocol, TypeAlias

import msgspec

from jieneng.metering.errors import DeviceRefused, JienengError, Silent
from jieneng.metering.read_plan import Read

#: What to send (in the first step), how many more received bytes are worth coming back with, and
#: whether a reply has begun of which they are the rest.
Step: TypeAlias = tuple[bytes, int, bool]

#: Needs nothing: what came was the whole answer to a question before, and is passed over.
LATE: Final[Step] = (b"", 0, False)

#: What the device said, the registers' bytes or why there are none, and the bytes behind it.
Answer: TypeAlias = tuple[bytes | DeviceRefused, bytes]

#: Yields steps, is sent what was received since, returns the answer. `Silent` is thrown into it at
#: its deadline.
Exchange: TypeAlias = Generator[Step, bytes, Answer]


def alone(steps: Exchange) -> Exchange:
    """The same, listened behind up to the deadline: what comes by then stands behind the answer.

    Where a question before was not answered, and replies carry no number, what comes first may be
    the answer to that: then the right one is still to come, and neither counts.
    """
    answer, rest = yield from steps
    if not rest:
        with suppress(Silent):
            rest = yield b"", 1, False
    return answer, rest


class Question(Protocol):
    """One read of one device, prepared."""

    def ask(self, number: int) -> Exchange:
        """The exchange that asks it; the number changes from one exchange of a link to the next."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Registers and their moment.

    Attributes:
        data: the registers' bytes, or packed bits.
        time_ms: UTC, milliseconds, when its last byte arrived.
    """

    data: bytes
    time_ms: int


#: What a talk wants next: the reply to an exchange, or a pause [s].
Wish: TypeAlias = Exchange | float

#: Yields wishes. Is sent the reply, or None after a pause; `LinkError` or `PeerError` is thrown
#: into it where there is no reply.
Talk: TypeAlias = Generator[Wish, Reply | None, None]


class Treatment(Enum):
    """What an answer that is none means for whoever asked."""

    REFUSED = "the device is there, and has no answer to this for now"
    LATER = "it will have one in a moment"
    MISTAKEN = "it will never have one: what was asked for is not there"
    UNREACHED = "a gateway speaks for it: the device itself is silent"
    NOTHING = "nothing came, or nothing that may be believed"


def nothing_follows(_: bytes) -> bool:
    """Where replies carry no number: of two to one question, the first may well be the late one."""
    return False


class Framing(msgspec.Struct, frozen=True):
    """How questions travel on a kind of link.

    Attributes:
        question: unit and read -> what asks that; made once.
        numbered: replies carry the question's number, so that a late one is told from the right
            one. Where they don't, only silence on the link makes sure that nothing late comes.
        treatments: by the code of a refusal; one that is not here is `REFUSED`.
        follows: whether such bytes may stand behind a reply.
    """

    question: Callable[[int, Read], Question]
    numbered: bool
    treatments: Mapping[int, Treatment]
    follows: Callable[[bytes], bool] = nothing_follows

    def treatment(self, error: JienengError) -> Treatment:
        """What an error of an exchange means."""
        if not isinstance(error, DeviceRefused):
            return Treatment.NOTHING
        return self.treatments.get(error.code, Treatment.REFUSED)
