"""Types of requests, replies and talks, for all protocols. No sockets.

An exchange is a generator for one request to one device and its reply. A talk is a generator that
yields exchanges and pauses one after the other, for example all requests of a poll. Neither uses a
socket, so the same generators run over TCP, over a serial port, and in tests.

Law: an exchange returns an answer only if everything in the reply that identifies its request is
right: unit, function, length, transaction number, checksum, as far as the protocol has them.
Otherwise it raises `ReplyError`.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from jieneng.metering.errors import DeviceRefused, JienengError, ReplyTimedOut
from jieneng.metering.site import LinkKind, Meter

#: (bytes to send, number of needed bytes, True if a reply has begun). Only the first step of an
#: exchange sends bytes. The exchange is resumed when the needed bytes have been received.
Step: TypeAlias = tuple[bytes, int, bool]

#: Step that needs no bytes: the received bytes were the complete reply to an earlier request.
SKIPPED_LATE_REPLY: Final[Step] = (b"", 0, False)

#: (data of the reply or refusal of the device, received bytes that follow the reply).
Answer: TypeAlias = tuple[bytes | DeviceRefused, bytes]

#: Generator that yields steps, receives the bytes received since the last step, and returns the
#: answer. At the deadline, `ReplyTimedOut` is thrown into it.
Exchange: TypeAlias = Generator[Step, bytes, Answer]


def checked_for_second_reply(
    exchange: Exchange, may_follow_reply: Callable[[bytes], bool]
) -> Exchange:
    """Run an exchange, and collect all bytes up to its deadline as bytes that follow the reply.

    This is for replies without numbers, after an earlier request was not answered. The first reply
    may then be the late answer to the earlier request. In this case a second reply follows before
    the deadline, and both replies are rejected.

    Args:
        exchange: the exchange.
        may_follow_reply: as of `Framing`; bytes for which it returns True are no second reply.
    """
    answer, rest = yield from exchange
    with suppress(ReplyTimedOut):
        while not rest or may_follow_reply(rest):
            rest += yield b"", 1, False
    return answer, rest


class Request(Protocol):
    """A read of one device, encoded once and sent many times."""

    def exchange(self, number: int) -> Exchange:
        """Return a new exchange. Consecutive exchanges must have different numbers."""


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

    REFUSED = "the device replies, but can't answer this request at present"
    BUSY = "the device is busy and can answer shortly"
    NOT_THERE = "the device does not have the requested registers"
    UNREACHABLE = "a gateway replied that the device is silent"
    NO_ANSWER = "no reply, or no valid reply"


def no_trailing_bytes(_: bytes) -> bool:
    """Return False: no bytes may follow a reply without a number.

    If two replies arrive, the first one may be the late reply to an earlier request.
    """
    return False


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """Framing of a protocol's requests on one kind of link.

    Attributes:
        request: function that encodes the request of a read; called once for each read, at start.
        numbered: True if a reply carries the number of its request, so that late replies are
            recognised. Otherwise the link must be silent for some time before the next request.
        refusal_kinds: kinds of failure, by the code of a refusal; other codes are `REFUSED`.
        may_follow_reply: function that returns True if the given bytes may follow a reply.
    """

    request: Callable[[Meter, Any], Request]
    numbered: bool
    refusal_kinds: Mapping[int, FailureKind]
    may_follow_reply: Callable[[bytes], bool] = no_trailing_bytes

    def failure_kind(self, error: JienengError) -> FailureKind:
        """Return the kind of failure for the error of an exchange."""
        if not isinstance(error, DeviceRefused):
            return FailureKind.NO_ANSWER
        return self.refusal_kinds.get(error.code, FailureKind.REFUSED)


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A command of a talk: run an exchange. The talk is resumed with the reply.

    Attributes:
        exchange: the exchange, not yet started.
        framing: framing of the meter.
    """

    exchange: Exchange
    framing: Framing


class Pause(msgspec.Struct, frozen=True, gc=False):
    """A command of a talk: wait [s]."""

    seconds: float


#: Generator that yields commands, and receives the reply after an `Ask`, None after a `Pause`. If
#: there is no reply, `LinkError` or `PeerError` is thrown into it.
Talk: TypeAlias = Generator[Ask | Pause, Reply | None, None]


class BusProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol that meters on a bus speak.

    Attributes:
        framings: framings of the protocol, by the `link` of a bus in `site.toml`.
        line_bytes: function that returns the total bytes of a read's request and reply on a line.
    """

    framings: Mapping[LinkKind, Framing]
    line_bytes: Callable[[Any], int]
