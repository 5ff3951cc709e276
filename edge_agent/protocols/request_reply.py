"""Types of a request, its reply, and the talk on a bus. No sockets, no protocol.

An exchange is one request to one device and its reply. An exchange never sees a socket, so the same
generator runs over TCP, over a serial port, and in a test that feeds it byte by byte. A talk is
everything that is asked on a bus, one exchange after the other; it does not see a socket either.

Law: an exchange returns the device's answer only if the reply belongs to its own request by every
mark that the protocol has. Otherwise it raises `ReplyError`.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from jieneng.metering.errors import DeviceRefused, JienengError, ReplyTimedOut
from jieneng.metering.site import LinkKind, Meter

#: Bytes to send (in the first step only), number of received bytes that are needed to go on, and
#: True if they are the rest of a reply.
Step: TypeAlias = tuple[bytes, int, bool]

#: Step that asks for no bytes: the bytes received were the whole reply to an earlier request.
SKIPPED_LATE_REPLY: Final[Step] = (b"", 0, False)

#: Data of the reply, or the device's refusal, and the received bytes that follow the reply.
Answer: TypeAlias = tuple[bytes | DeviceRefused, bytes]

#: Yields steps, is sent the bytes received since, returns the answer. At its deadline,
#: `ReplyTimedOut` is thrown into it.
Exchange: TypeAlias = Generator[Step, bytes, Answer]


def checked_for_second_reply(exchange: Exchange) -> Exchange:
    """Run an exchange, then listen up to its deadline; later bytes stand behind the answer.

    If an earlier request was not answered, and replies carry no number, the first reply may be the
    late answer to that one. Then the right one is still to come, and neither counts.
    """
    answer, rest = yield from exchange
    if not rest:
        with suppress(ReplyTimedOut):
            rest = yield b"", 1, False
    return answer, rest


class Request(Protocol):
    """A read of one device, encoded once and sent many times."""

    def exchange(self, number: int) -> Exchange:
        """Return a new exchange; the number differs from that of the exchange before."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Data of one reply.

    Attributes:
        data: the data bytes, such as registers or packed bits.
        time_ms: arrival of the reply's last byte [ms, UTC].
    """

    data: bytes
    time_ms: int


class FailureKind(Enum):
    """Kind of a failed exchange, the same in every protocol."""

    REFUSED = "the device is there, and has no answer to this request for now"
    BUSY = "the device will have an answer in a moment"
    NOT_THERE = "the device does not have what was asked for, and never will"
    UNREACHABLE = "a gateway answered in place of the device, which is silent"
    NO_ANSWER = "nothing came, or nothing that may be believed"


def no_trailing_bytes(_: bytes) -> bool:
    """Return False: without numbers, the first of two replies to a request may be the late one."""
    return False


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """Framing of a protocol's requests on one kind of link.

    Attributes:
        request: meter and read -> the encoded request; called once, at start.
        numbered: replies carry the request's number, so that a late reply can be told from the
            right one. Without numbers, only silence on the link makes sure that nothing late comes.
        refusal_kinds: kinds of failure by the code of a refusal; other codes are `REFUSED`.
        may_follow_reply: function that returns True if such bytes may follow a reply.
    """

    request: Callable[[Meter, Any], Request]
    numbered: bool
    refusal_kinds: Mapping[int, FailureKind]
    may_follow_reply: Callable[[bytes], bool] = no_trailing_bytes

    def failure_kind(self, error: JienengError) -> FailureKind:
        """Return the kind of failure that an exchange's error is."""
        if not isinstance(error, DeviceRefused):
            return FailureKind.NO_ANSWER
        return self.refusal_kinds.get(error.code, FailureKind.REFUSED)


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A command of a talk: run an exchange and send its reply into the talk.

    Attributes:
        exchange: the exchange, not yet begun.
        framing: framing of the meter that is asked.
    """

    exchange: Exchange
    framing: Framing


class Pause(msgspec.Struct, frozen=True, gc=False):
    """A command of a talk: wait [s]."""

    seconds: float


#: Yields commands. Is sent the reply, or None after a pause; `LinkError` or `PeerError` is thrown
#: into it if there is no reply.
Talk: TypeAlias = Generator[Ask | Pause, Reply | None, None]


class BusProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol that meters on a bus speak.

    Attributes:
        framings: by the `link` of a bus in `site.toml`.
        line_bytes: bytes of a read's request and reply together on a serial line.
    """

    framings: Mapping[LinkKind, Framing]
    line_bytes: Callable[[Any], int]
