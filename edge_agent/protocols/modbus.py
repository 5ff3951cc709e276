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
from types import MappingProxyType
from typing import Final

import msgspec

from edge_agent.protocols.request_reply import (
    SKIPPED_LATE_REPLY,
    BusProtocol,
    Exchange,
    Framing,
    Meaning,
    Request,
)
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import DeviceRefused, ReplyError, StrayReply
from jieneng.metering.site import Link, Meter

#: The most that a read may count, by function: coils, discrete inputs, holding and input registers.
_MOST: Final[Mapping[int, int]] = MappingProxyType({1: 2000, 2: 2000, 3: 125, 4: 125})
_BITS: Final = frozenset({1, 2})  # the functions that count bits
_REFUSED: Final = 0x80  # set in the function of an exception reply

_TCP_REQUEST: Final = struct.Struct(">HHHBBHH")
_TCP_HEAD: Final = struct.Struct(">HHHBBB")  # up to byte count or exception code, in both replies
_TCP_HEAD_BYTES: Final = _TCP_HEAD.size
_RTU_REQUEST: Final = struct.Struct(">BBHH")
_RTU_HEAD: Final = struct.Struct(">BBB")  # as much of its replies
_RTU_HEAD_BYTES: Final = _RTU_HEAD.size
_CRC: Final = 2  # bytes of a checksum
_NUMBER: Final = 2  # bytes of it, at the beginning of a TCP frame
_LONGEST: Final = 254  # most that a TCP frame's length may say: unit and a PDU of 253 bytes
_SHORTEST: Final = 3  # unit, function, exception code or byte count: what of it is in the head


class _EncodedRequest(msgspec.Struct, frozen=True, gc=False):
    """A read of one unit, encoded.

    Attributes:
        unit: that is asked.
        function: of the read.
        request: what is sent.
        head: how the answer begins.
        wanted: data bytes that it has.
    """

    unit: int
    function: int
    request: bytes
    head: bytes
    wanted: int


class _TcpRequest(_EncodedRequest, frozen=True, gc=False):
    """In TCP frames; request and head are what stands in them behind the question's number."""

    def exchange(self, number: int) -> Exchange:
        transaction = (number & 0xFFFF).to_bytes(2, "big")
        right = transaction + self.head
        came = yield transaction + self.request, _TCP_HEAD_BYTES, False
        while True:
            is_right = came.startswith(right)
            end = _TCP_HEAD_BYTES + (self.wanted if is_right else _missing(came))
            if len(came) < end:
                came += yield b"", end - len(came), True
            if is_right:
                return came[_TCP_HEAD_BYTES:end], came[end:]
            if came.startswith(transaction):
                return _refusal(came, self.unit, self.function, self.wanted), came[end:]
            came = came[end:] + (yield SKIPPED_LATE_REPLY)
            if len(came) < _TCP_HEAD_BYTES:
                came += yield b"", _TCP_HEAD_BYTES - len(came), bool(came)


def read_tcp(unit: int, read: ModbusRead) -> Request:
    """Encode a read of one unit for TCP frames.

    Args:
        unit: 0 to 255.
        read: function, address and count.

    Returns:
        What asks it; of a number the lowest 16 bits are sent. Its exchanges return the bytes of the
        registers or of the packed bits, or the unit's exception code. They raise `ReplyError` where
        the reply can't be the answer.

    Raises:
        ValueError: the read is not one that Modbus can ask for.
    """
    wanted = _wanted(read)
    request = _TCP_REQUEST.pack(0, 0, 6, unit, read.function, read.address, read.count)
    head = _TCP_HEAD.pack(0, 0, _SHORTEST + wanted, unit, read.function, wanted)
    return _TcpRequest(unit, read.function, request[_NUMBER:], head[_NUMBER:], wanted)


class _RtuRequest(_EncodedRequest, frozen=True, gc=False):
    """In RTU frames."""

    def exchange(self, number: int) -> Exchange:  # noqa: ARG002 - RTU has none
        came = yield self.request, _RTU_HEAD_BYTES, False
        is_right = came.startswith(self.head)
        if not is_right:
            who, function, size = _RTU_HEAD.unpack_from(came)
            _match(self.unit, who, self.function, function)
            if not function & _REFUSED:
                raise _wrong_size(size, size, self.wanted)
        end = _RTU_HEAD_BYTES + (self.wanted if is_right else 0)
        if len(came) < end + _CRC:
            came += yield b"", end + _CRC - len(came), True
        data, sent, rest = came[:end], came[end : end + _CRC], came[end + _CRC :]
        if crc(data) != sent:
            raise ReplyError("wrong checksum of {data}", data=(data + sent).hex(" "))
        return (data[_RTU_HEAD_BYTES:] if is_right else DeviceRefused(data[-1])), rest


def read_rtu(unit: int, read: ModbusRead) -> Request:
    """Encode a read of one unit for RTU frames. Like `read_tcp`, but no number is sent."""
    wanted = _wanted(read)
    request = _RTU_REQUEST.pack(unit, read.function, read.address, read.count)
    head = _RTU_HEAD.pack(unit, read.function, wanted)
    return _RtuRequest(unit, read.function, request + crc(request), head, wanted)


def may_be_next_frame(data: bytes) -> bool:
    """Return True if trailing bytes could be the start of another Modbus TCP frame.

    If not, frames were lost: a reply that lacks its last bytes takes the first ones of a late frame
    for them, and there is no checksum that would tell.
    """
    protocol, length = data[2:4], data[4:6]
    return not any(protocol) and (len(length) < 2 or _SHORTEST <= _number(length) <= _LONGEST)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


#: Exception codes, as section 7 of the application protocol names them.
_EXCEPTIONS: Final[Mapping[int, Meaning]] = MappingProxyType(
    {
        0x01: Meaning.NOT_THERE,  # illegal function
        0x02: Meaning.NOT_THERE,  # illegal data address
        0x03: Meaning.NOT_THERE,  # illegal data value: here always the count
        0x04: Meaning.REFUSED,  # server device failure
        0x05: Meaning.BUSY,  # acknowledge: accepted, takes its time
        0x06: Meaning.BUSY,  # server device busy
        0x08: Meaning.REFUSED,  # memory parity error
        0x0A: Meaning.UNREACHABLE,  # gateway path unavailable
        0x0B: Meaning.UNREACHABLE,  # gateway target device failed to respond
    }
)


def encode(link: Link, unit: int, read: ModbusRead) -> Request:
    """Return the request for one read of one unit, in the frames of a kind of link."""
    return read_tcp(unit, read) if link == "tcp" else read_rtu(unit, read)


def _framing(link: Link) -> Framing:
    def request(meter: Meter, read: ModbusRead) -> Request:
        return encode(link, meter.unit, read)

    if link == "tcp":
        return Framing(
            request=request, numbered=True, refusals=_EXCEPTIONS, may_trail=may_be_next_frame
        )
    return Framing(request=request, numbered=False, refusals=_EXCEPTIONS)


def _line_bytes(read: ModbusRead) -> int:
    return _RTU_REQUEST.size + _CRC + _RTU_HEAD_BYTES + read.size + _CRC


#: Framings by the `link` of a bus in `site.toml`.
FRAMINGS: Final[Mapping[Link, Framing]] = MappingProxyType(
    {"tcp": _framing("tcp"), "rtu_tcp": _framing("rtu_tcp"), "rtu": _framing("rtu")}
)

MODBUS: Final = BusProtocol(framings=FRAMINGS, line_bytes=_line_bytes)


def _wanted(read: ModbusRead) -> int:
    """Return the number of data bytes in the answer to a read."""
    function, count = read.function, read.count
    if not 1 <= count <= _MOST.get(function, 0):
        raise ValueError(f"Modbus can't read {count} at once with function {function}")
    return (count + 7) // 8 if function in _BITS else 2 * count


def _missing(frame: bytes) -> int:
    """Return the number of bytes of a TCP frame that follow its head."""
    _, protocol, length, *_ = _TCP_HEAD.unpack_from(frame)
    if protocol != 0 or not _SHORTEST <= length <= _LONGEST:
        head = frame[:_TCP_HEAD_BYTES].hex(" ")
        raise ReplyError("not a Modbus TCP frame: {head}", head=head)
    return int(length) - _SHORTEST


def _refusal(frame: bytes, unit: int, asked: int, wanted: int) -> DeviceRefused:
    """Return the error for a TCP frame with the right number that is not the wanted reply."""
    _, _, length, who, function, size = _TCP_HEAD.unpack_from(frame)
    _match(unit, who, asked, function)
    if not function & _REFUSED:
        raise _wrong_size(size, length - _SHORTEST, wanted)
    if length != _SHORTEST:
        raise ReplyError("an exception reply of {length} bytes", length=length)
    return DeviceRefused(size)


def _match(unit: int, who: int, asked: int, function: int) -> None:
    if who != unit:
        raise StrayReply("unit {who} answered instead of {unit}", who=who, unit=unit)
    if function & ~_REFUSED != asked:
        raise StrayReply(
            "function {function} was answered instead of {asked}", function=function, asked=asked
        )


def _wrong_size(size: int, length: int, wanted: int) -> StrayReply:
    return StrayReply(
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
