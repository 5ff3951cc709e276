"""Find a reply on a serial line behind an echo of the request, or beside a few bytes of noise.

Adapters for two wires may hear what they send. Where a line has no bias resistors, each change of
the sender produces a byte or two that nobody sent, mostly 0x00 or 0xFF. On such a line every reply
has them, so refusing these replies would lose the meter.

Laws:

1. A reply is found by its first bytes, and its checksum is verified as always.
2. Skipped bytes are an exact copy of the request, or too few to contain a reply: the shortest one
   has five bytes. So the reply of another unit is never skipped.
3. The first complete frame with a right checksum ends the search, also if it is the reply to
   another request: bytes in it may look like the start of the reply, which then never ends.
"""

from collections.abc import Callable, Generator
from typing import Final

from edge_agent.protocols.request_reply import Step
from jieneng.metering.errors import ReplyTimedOut

_MAX_NOISE: Final = 4  # largest number of skipped bytes
_MAX_TRAILING: Final = 2  # largest number of bytes behind a reply that are noise
_NOISE: Final = b"\x00\xff"  # no device of a line has such an address
_HEAD_BYTES: Final = 3


def skip_to_reply(
    received: bytes,
    request: bytes,
    heads: tuple[bytes, ...],
    missing_bytes: Callable[[bytes], int | None],
) -> Generator[Step, bytes, bytes]:
    """Return the received bytes from the start of a frame on; all of them if none is found.

    The frame is complete, and is the reply to this or another request; or it begins as the reply
    does, and its checksum is wrong.

    Args:
        received: at least three bytes.
        request: the request as it was sent.
        heads: first bytes of a valid reply; at most three.
        missing_bytes: function that returns the number of bytes that a frame with this beginning
            (at least three bytes) still needs; 0 for a complete frame with a right checksum, None
            if this is no frame.

    Raises:
        ReplyTimedOut: thrown in at the deadline, while nothing but an echo or the start of a reply
            has arrived.
    """
    while len(received) < len(request) and request.startswith(received):
        rest = len(request) - len(received)
        received += yield b"", min(rest, missing_bytes(received) or rest), True
    received = received.removeprefix(request)
    while True:
        starts = range(min(_MAX_NOISE, len(received) - _HEAD_BYTES) + 1)
        missing = {start: missing_bytes(received[start:]) for start in starts}
        ours = [start for start in starts if received.startswith(heads, start)]
        for start in starts:
            if missing[start] == 0 or (start in ours and missing[start] is None):
                return received[start:]
        needed = [count for count in missing.values() if count]
        if len(starts) <= _MAX_NOISE:
            needed.append(max(1, _HEAD_BYTES - len(received)))
        elif not ours:
            return received
        try:
            received += yield b"", min(needed), bool(received)
        except ReplyTimedOut:
            if ours or len(received) < _HEAD_BYTES:
                raise
            return received


def may_be_noise(data: bytes) -> bool:
    """Return True if the bytes behind a reply are noise, and not the start of another reply."""
    return len(data) <= _MAX_TRAILING and not data.strip(_NOISE)
