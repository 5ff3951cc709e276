"""Find a reply on a serial line behind an echo of the request, or beside a few bytes of noise.

Adapters for two wires may hear what they send. Where a line has no bias resistors, each change of
the sender produces a byte or two that nobody sent, mostly 0x00 or 0xFF. On such a line every reply
has them, so refusing these replies would lose the meter.

Laws:

1. A reply is found by its first bytes, and its checksum is verified as always.
2. Skipped bytes are an exact copy of the request, or too few to contain a reply: the shortest one
   has five bytes. So the reply of another unit is never skipped.
"""

from collections.abc import Generator
from typing import Final

from edge_agent.protocols.request_reply import Step
from jieneng.metering.errors import ReplyTimedOut

_MAX_NOISE: Final = 4  # largest number of skipped bytes
_MAX_TRAILING: Final = 2  # largest number of bytes behind a reply that are noise
_NOISE: Final = b"\x00\xff"  # no device of a line has such an address
_HEAD_BYTES: Final = 3


def skip_to_reply(
    received: bytes, request: bytes, heads: tuple[bytes, ...]
) -> Generator[Step, bytes, bytes]:
    """Return the received bytes from the start of the reply on; all of them if it is not found.

    Args:
        received: at least three bytes.
        request: the request as it was sent.
        heads: first bytes of a valid reply; at most three.

    Raises:
        ReplyTimedOut: thrown in at the deadline, while nothing but an echo has arrived.
    """
    if received.startswith(request[: len(received)]):
        if len(received) < len(request):
            received += yield b"", len(request) - len(received), True
        received = received.removeprefix(request)
    for skipped in range(_MAX_NOISE + 1):
        missing = skipped + _HEAD_BYTES - len(received)
        if missing > 0:
            try:
                received += yield b"", missing, bool(received)
            except ReplyTimedOut:
                if len(received) < _HEAD_BYTES:
                    raise
                break
        if received.startswith(heads, skipped):
            return received[skipped:]
    return received


def may_be_noise(data: bytes) -> bool:
    """Return True if the bytes behind a reply are noise, and not the start of another reply."""
    return len(data) <= _MAX_TRAILING and not data.strip(_NOISE)
