"""Modbus, reading only: encode and parse functions 1 to 4 in TCP and RTU frames.

Functions 1 and 2 read bits. The reply has them packed into `(count + 7) // 8` bytes; the first bit
is the lowest bit of the first byte. Functions 3 and 4 read registers of two bytes.

Laws:

1. A reply is valid only if all these are right: transaction number (TCP), protocol, unit, function,
   byte count, length, checksum (RTU). In RTU, a valid reply is also found behind an echo of the
   request, or beside a few bytes of noise (`line_noise`).
2. Over TCP, a well-formed reply with another transaction number is regarded as late and skipped.
   Any other invalid reply raises `ReplyError`. The bytes after it can't be interpreted.
3. No function here can encode a request that writes.

Sources: MODBUS Application Protocol V1.1b3, sections 6.1 to 6.4 and 7; MODBUS Messaging on TCP/IP
V1.0b, section 3.1.3; MODBUS over Serial Line V1.02, sections 2.5.1 and 6.2.2.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from edge_agent.protocols.crc import crc
from edge_agent.protocols.line_noise import may_be_noise, skip_to_reply
from edge_agent.protocols.request_reply import (
    SKIPPED_LATE_REPLY,
    BusProtocol,
    Exchange,
    FailureKind,
    Framing,
    Request,
)
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import DeviceRefused, ReplyError, StrayReply
from jieneng.metering.site import LinkKind, Meter

#: Largest count of a read by function: coils, discrete inputs, holding and input registers.
_MAX_COUNT: Final[Mapping[int, int]] = MappingProxyType({1: 2000, 2: 2000, 3: 125, 4: 125})
_BITS: Final = frozenset({1, 2})  # functions that read bits
_EXCEPTION_BIT: Final = 0x80  # set in the function code of an exception reply

_TCP_REQUEST: Final = struct.Struct(">HHHBBHH")
_TCP_HEAD: Final = struct.Struct(">HHHBBB")  # of a reply, to its byte count or exception code
_TCP_HEAD_BYTES: Final = _TCP_HEAD.size
_RTU_REQUEST: Final = struct.Struct(">BBHH")
_RTU_HEAD: Final = struct.Struct(">BBB")  # of a reply, to its byte count or exception code
_RTU_HEAD_BYTES: Final = _RTU_HEAD.size
_CRC_BYTES: Final = 2
_TRANSACTION_BYTES: Final = 2  # size of the transaction number at the beginning of a TCP frame
_MAX_LENGTH: Final = 254  # largest value of the length field: unit and a PDU of 253 bytes
_MIN_LENGTH: Final = 3  # smallest value: unit, function, and exception code or byte count


class _EncodedRequest(msgspec.Struct, frozen=True, gc=False):
    """A read of one unit, encoded.

    Attributes:
        unit: address of the Modbus unit.
        function: function code of the read.
        request: the request's frame; in TCP without its transaction number.
        head: first bytes of a valid reply; in TCP without its transaction number.
        data_bytes: number of data bytes in the reply.
    """

    unit: int
    function: int
    request: bytes
    head: bytes
    data_bytes: int


class _TcpRequest(_EncodedRequest, frozen=True, gc=False):
    """An encoded request in Modbus TCP frames."""

    def exchange(self, number: int) -> Exchange:
        transaction = (number & 0xFFFF).to_bytes(2, "big")
        expected = transaction + self.head
        received = yield transaction + self.request, _TCP_HEAD_BYTES, False
        while True:
            is_data = received.startswith(expected)
            end = _TCP_HEAD_BYTES + (self.data_bytes if is_data else _rest_bytes(received))
            if len(received) < end:
                received += yield b"", end - len(received), True
            if is_data:
                return received[_TCP_HEAD_BYTES:end], received[end:]
            if received.startswith(transaction):
                return _refusal(received, self.unit, self.function, self.data_bytes), received[end:]
            received = received[end:] + (yield SKIPPED_LATE_REPLY)
            if len(received) < _TCP_HEAD_BYTES:
                received += yield b"", _TCP_HEAD_BYTES - len(received), bool(received)


def read_tcp(unit: int, read: ModbusRead) -> Request:
    """Encode a read of one unit for TCP frames.

    Args:
        unit: 0 to 255.
        read: function, address and count.

    Returns:
        The request. Its exchanges use the lowest 16 bits of their number as transaction number.
        They return the bytes of the registers or packed bits, or the unit's exception code. They
        raise `ReplyError` if the reply is invalid.

    Raises:
        ValueError: the count is too large for one Modbus request.
    """
    data_bytes = _data_bytes(read)
    request = _TCP_REQUEST.pack(0, 0, 6, unit, read.function, read.address, read.count)
    head = _TCP_HEAD.pack(0, 0, _MIN_LENGTH + data_bytes, unit, read.function, data_bytes)
    return _TcpRequest(
        unit, read.function, request[_TRANSACTION_BYTES:], head[_TRANSACTION_BYTES:], data_bytes
    )


class _RtuRequest(_EncodedRequest, frozen=True, gc=False):
    """An encoded request in Modbus RTU frames."""

    def exchange(self, number: int) -> Exchange:  # noqa: ARG002 - RTU has none
        received = yield self.request, _RTU_HEAD_BYTES, False
        if not received.startswith(self.head):
            received = yield from skip_to_reply(received, self.request, self._heads, _missing_bytes)
        while True:
            is_data = received.startswith(self.head)
            if not is_data:
                unit, function, size = _RTU_HEAD.unpack_from(received)
                _check_addressing(self.unit, unit, self.function, function)
                if not function & _EXCEPTION_BIT:
                    raise _wrong_size(size, size, self.data_bytes)
            end = _RTU_HEAD_BYTES + (self.data_bytes if is_data else 0)
            frame_end = end + _CRC_BYTES
            if len(received) < frame_end:
                received += yield b"", frame_end - len(received), True
            data, sent, rest = received[:end], received[end:frame_end], received[frame_end:]
            if crc(data) == sent:
                return (data[_RTU_HEAD_BYTES:] if is_data else DeviceRefused(data[-1])), rest
            # The request may begin as its reply does, and so may an echo of it.
            if not received.startswith(self.request[: len(received)]):
                raise ReplyError("wrong checksum of {data}", data=(data + sent).hex(" "))
            received = yield from skip_to_reply(received, self.request, self._heads, _missing_bytes)

    @property
    def _heads(self) -> tuple[bytes, bytes]:
        return self.head, bytes((self.unit, self.function | _EXCEPTION_BIT))


def read_rtu(unit: int, read: ModbusRead) -> Request:
    """Encode a read of one unit for RTU frames, like `read_tcp` but without transaction number."""
    data_bytes = _data_bytes(read)
    request = _RTU_REQUEST.pack(unit, read.function, read.address, read.count)
    head = _RTU_HEAD.pack(unit, read.function, data_bytes)
    return _RtuRequest(unit, read.function, request + crc(request), head, data_bytes)


def _missing_bytes(received: bytes) -> int | None:
    """Return the number of bytes that an RTU reply still needs; None if it is no reply."""
    _, function, size = _RTU_HEAD.unpack_from(received)
    if function & ~_EXCEPTION_BIT not in _MAX_COUNT:
        return None
    end = _RTU_HEAD_BYTES + (0 if function & _EXCEPTION_BIT else size)
    frame_end = end + _CRC_BYTES
    if len(received) < frame_end:
        return frame_end - len(received)
    return 0 if crc(received[:end]) == received[end:frame_end] else None


def may_be_next_frame(data: bytes) -> bool:
    """Return True if trailing bytes could be the start of another Modbus TCP frame.

    If they could not, the reply is damaged: its last bytes were lost, and the first bytes of a late
    frame were taken for them. TCP frames have no checksum that would reveal this.
    """
    protocol, length = data[2:4], data[4:6]
    return not any(protocol) and (len(length) < 2 or _MIN_LENGTH <= _number(length) <= _MAX_LENGTH)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


#: Exception codes, as section 7 of the application protocol names them.
_EXCEPTIONS: Final[Mapping[int, FailureKind]] = MappingProxyType(
    {
        0x01: FailureKind.NOT_THERE,  # illegal function
        0x02: FailureKind.NOT_THERE,  # illegal data address
        0x03: FailureKind.NOT_THERE,  # illegal data value; in a read this can only be the count
        0x04: FailureKind.REFUSED,  # server device failure
        0x05: FailureKind.BUSY,  # acknowledge: the device needs more time
        0x06: FailureKind.BUSY,  # server device busy
        0x08: FailureKind.REFUSED,  # memory parity error
        0x0A: FailureKind.UNREACHABLE,  # gateway path unavailable
        0x0B: FailureKind.UNREACHABLE,  # gateway target device failed to respond
    }
)


def encode(link: LinkKind, unit: int, read: ModbusRead) -> Request:
    """Return the request for one read of one unit, in the frames of a kind of link."""
    return read_tcp(unit, read) if link == "tcp" else read_rtu(unit, read)


def _framing(link: LinkKind) -> Framing:
    def request(meter: Meter, read: ModbusRead) -> Request:
        return encode(link, meter.unit, read)

    if link == "tcp":
        return Framing(
            request=request,
            numbered=True,
            refusal_kinds=_EXCEPTIONS,
            may_follow_reply=may_be_next_frame,
        )
    return Framing(
        request=request,
        numbered=False,
        refusal_kinds=_EXCEPTIONS,
        may_follow_reply=may_be_noise,
    )


def _line_bytes(read: ModbusRead) -> int:
    return _RTU_REQUEST.size + _CRC_BYTES + _RTU_HEAD_BYTES + read.size + _CRC_BYTES


#: Framings by the `link` of a bus in `site.toml`.
FRAMINGS: Final[Mapping[LinkKind, Framing]] = MappingProxyType(
    {"tcp": _framing("tcp"), "rtu_tcp": _framing("rtu_tcp"), "rtu": _framing("rtu")}
)

MODBUS: Final = BusProtocol(framings=FRAMINGS, line_bytes=_line_bytes)


def _data_bytes(read: ModbusRead) -> int:
    """Return the number of data bytes in the answer to a read."""
    function, count = read.function, read.count
    if not 1 <= count <= _MAX_COUNT.get(function, 0):
        raise ValueError(f"Modbus can't read {count} at once with function {function}")
    return (count + 7) // 8 if function in _BITS else 2 * count


def _rest_bytes(frame: bytes) -> int:
    """Return the number of bytes of a TCP frame that follow its head."""
    _, protocol, length, *_ = _TCP_HEAD.unpack_from(frame)
    if protocol != 0 or not _MIN_LENGTH <= length <= _MAX_LENGTH:
        head = frame[:_TCP_HEAD_BYTES].hex(" ")
        raise ReplyError("not a Modbus TCP frame: {head}", head=head)
    return int(length) - _MIN_LENGTH


def _refusal(frame: bytes, unit: int, function: int, data_bytes: int) -> DeviceRefused:
    """Return the device's refusal for a TCP frame that is not a normal reply.

    Raises `ReplyError` if the frame is not a valid exception reply either.
    """
    _, _, length, reply_unit, reply_function, size = _TCP_HEAD.unpack_from(frame)
    _check_addressing(unit, reply_unit, function, reply_function)
    if not reply_function & _EXCEPTION_BIT:
        raise _wrong_size(size, length - _MIN_LENGTH, data_bytes)
    if length != _MIN_LENGTH:
        raise ReplyError("an exception reply of {length} bytes", length=length)
    return DeviceRefused(size)


def _check_addressing(unit: int, reply_unit: int, function: int, reply_function: int) -> None:
    """Raise `StrayReply` if unit or function of a reply differ from those of the request."""
    if reply_unit != unit:
        raise StrayReply("unit {who} answered instead of {unit}", who=reply_unit, unit=unit)
    if reply_function & ~_EXCEPTION_BIT != function:
        raise StrayReply(
            "function {function} was answered instead of {asked}",
            function=reply_function,
            asked=function,
        )


def _wrong_size(size: int, length: int, wanted: int) -> StrayReply:
    return StrayReply(
        "the reply has {length} data bytes and states {size}; {wanted} were expected",
        size=size,
        length=length,
        wanted=wanted,
    )
