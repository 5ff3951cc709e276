"""Modbus, reading only: functions 1 to 4 in TCP and RTU frames, encoded and parsed here.

A read with function 1 or 2 counts bits, and gets them packed: `(count + 7) // 8` bytes, the first
bit lowest in the first byte. One with function 3 or 4 counts registers of two bytes.

Laws:

1. A reply counts only if everything in it that the question determines is as it must be: number
   of the question (TCP), protocol, unit, function, byte count, length, checksum (RTU).
2. Over TCP, a well-formed reply with another number is a late one: it is passed over whole, and
   the stream goes on. Anything else that does not match is refused with `ReplyError`, after which
   the bytes that follow mean nothing.
3. There is no function here that makes a writing request, and none that could be told to.

Sources: MODBUS Application Protocol V1.1b3, sections 6.1 to 6.4 and 7; MODBUS Messaging on TCP/IP
V1.0b, section 3.1.3; MODBUS over Serial Line V1.02, sections 2.5.1 and 6.2.2.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from edge_agent.protocols import Exchange, Framing, Treatment
from jieneng.metering.errors import DeviceRefused, ReplyError
from jieneng.metering.read_plan import Read

#: The most that a read may count, by function: coils, discrete inputs, holding and input registers.
_MOST: Final[Mapping[int, int]] = MappingProxyType({1: 2000, 2: 2000, 3: 125, 4: 125})
_BITS: Final = frozenset({1, 2})  # the functions that count bits
_REFUSED: Final = 0x80  # set in the function of an exception reply

_TCP_REQUEST: Final = struct.Struct(">HHHBBHH")
_TCP_HEAD: Final = struct.Struct(">HHHBBB")  # up to byte count or exception code, in both replies
_RTU_REQUEST: Final = struct.Struct(">BBHH")
_AFTER_LENGTH: Final = 6  # bytes of a TCP frame that its length does not count
_LONGEST: Final = 254  # most that a TCP frame's length may say: unit and a PDU of 253 bytes
_SHORTEST: Final = 3  # unit, function, exception code


def read_tcp(unit: int, read: Read, transaction: int) -> Exchange:
    """Ask one unit for one read, in a TCP frame.

    Args:
        unit: 0 to 255.
        read: function, address and count.
        transaction: the question's number; its lowest 16 bits are used.

    Returns:
        The bytes of the registers, or of the packed bits.

    Raises:
        DeviceRefused: the unit answered with an exception code.
        ReplyError: the reply can't be the answer.
        ValueError: the read is not one that Modbus can ask for.
    """
    wanted = _wanted(read)
    transaction &= 0xFFFF
    send = _TCP_REQUEST.pack(transaction, 0, 6, unit, read.function, read.address, read.count)
    while True:
        head = yield send, _TCP_HEAD.size
        number, protocol, length, who, function, size = _TCP_HEAD.unpack(head)
        if protocol != 0 or not _SHORTEST <= length <= _LONGEST:
            raise ReplyError("not a Modbus TCP frame: {head}", head=head.hex(" "))
        missing = length + _AFTER_LENGTH - _TCP_HEAD.size
        data = (yield b"", missing) if missing else b""
        if number == transaction:
            break
        send = b""
    _match(unit, who, read.function, function)
    if function & _REFUSED:
        if missing:
            raise ReplyError("an exception reply of {length} bytes", length=length)
        raise DeviceRefused(size)
    if size != wanted or missing != wanted:
        raise _wrong_size(size, missing, wanted)
    return data


def read_rtu(unit: int, read: Read, transaction: int = 0) -> Exchange:  # noqa: ARG001 - RTU has none
    """Ask one unit for one read, in an RTU frame. As `read_tcp`, without a number."""
    wanted = _wanted(read)
    head = yield _rtu_request(unit, read.function, read.address, read.count), 3
    who, function, size = head
    _match(unit, who, read.function, function)
    if function & _REFUSED:
        _check_crc(head, (yield b"", 2))
        raise DeviceRefused(size)
    if size != wanted:
        raise _wrong_size(size, size, wanted)
    rest = yield b"", wanted + 2
    data = rest[:wanted]
    _check_crc(head + data, rest[wanted:])
    return data


def may_follow(data: bytes) -> bool:
    """Whether what came behind a TCP reply can be another frame, late or repeated, or part of one.

    If not, frames were lost: a reply that lacks its last bytes takes the first ones of a late frame
    for them, and there is no checksum that would tell.
    """
    protocol, length = data[2:4], data[4:6]
    return not any(protocol) and (len(length) < 2 or _SHORTEST <= _number(length) <= _LONGEST)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


#: Exception codes, as section 7 of the application protocol names them.
_TREATMENTS: Final[Mapping[int, Treatment]] = MappingProxyType(
    {
        0x01: Treatment.MISTAKEN,  # illegal function
        0x02: Treatment.MISTAKEN,  # illegal data address
        0x03: Treatment.MISTAKEN,  # illegal data value: here always the count
        0x04: Treatment.REFUSED,  # server device failure
        0x05: Treatment.LATER,  # acknowledge: accepted, takes its time
        0x06: Treatment.LATER,  # server device busy
        0x08: Treatment.REFUSED,  # memory parity error
        0x0A: Treatment.UNREACHED,  # gateway path unavailable
        0x0B: Treatment.UNREACHED,  # gateway target device failed to respond
    }
)

#: By the `link` of a bus in `site.toml`.
FRAMINGS: Final[Mapping[str, Framing]] = MappingProxyType(
    {
        "tcp": Framing(read_tcp, numbered=True, treatments=_TREATMENTS),
        "rtu_tcp": Framing(read_rtu, numbered=False, treatments=_TREATMENTS),
        "rtu": Framing(read_rtu, numbered=False, treatments=_TREATMENTS),
    }
)


def _wanted(read: Read) -> int:
    """How many data bytes the answer to a read holds."""
    if not 1 <= read.count <= _MOST.get(read.function, 0):
        raise ValueError(f"Modbus can't read {read.count} at once with function {read.function}")
    return (read.count + 7) // 8 if read.function in _BITS else 2 * read.count


def _match(unit: int, who: int, asked: int, function: int) -> None:
    if who != unit:
        raise ReplyError("unit {who} answered instead of {unit}", who=who, unit=unit)
    if function & ~_REFUSED != asked:
        raise ReplyError(
            "function {function} was answered instead of {asked}", function=function, asked=asked
        )


def _wrong_size(size: int, length: int, wanted: int) -> ReplyError:
    return ReplyError(
        "{size} data bytes announced and {length} sent instead of {wanted}",
        size=size,
        length=length,
        wanted=wanted,
    )


# --- checksum -----------------------------------------------------------------------------------


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0xA001 if byte & 1 else 0)
    return byte


_REMAINDERS: Final = tuple(_remainder(byte) for byte in range(256))


def crc(data: bytes) -> bytes:
    """The two checksum bytes of an RTU frame, as sent: low byte first."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ _REMAINDERS[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def _check_crc(data: bytes, sent: bytes) -> None:
    if crc(data) != sent:
        raise ReplyError("wrong checksum of {data}", data=(data + sent).hex(" "))


@lru_cache(maxsize=16384)
def _rtu_request(unit: int, function: int, address: int, count: int) -> bytes:
    frame = _RTU_REQUEST.pack(unit, function, address, count)
    return frame + crc(frame)
