"""The codec accepts a reply only if it is the answer to its request."""

import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

from edge_agent.protocols.crc import crc
from edge_agent.protocols.modbus import FRAMINGS, read_rtu, read_tcp
from edge_agent.protocols.request_reply import Answer, Exchange, FailureKind
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import DeviceRefused, ReplyError

TCP = FramerSocket(DecodePDU(False))
RTU = FramerRTU(DecodePDU(False))
REQUESTS = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}
RESPONSES = {3: ReadHoldingRegistersResponse, 4: ReadInputRegistersResponse}
BIT_REQUESTS = {1: ReadCoilsRequest, 2: ReadDiscreteInputsRequest}
BIT_RESPONSES = {1: ReadCoilsResponse, 2: ReadDiscreteInputsResponse}

units = st.integers(0, 255)
functions = st.sampled_from([3, 4])
counts = st.integers(1, 125)
numbers = st.integers(0, 0xFFFF)


def read(function: int, count: int, address: int = 0) -> ModbusRead:
    return ModbusRead(function, address, count, (), lambda _: ())


def said(steps: Exchange, received: bytes, piece: int | None = None) -> bytes | None:
    """What an exchange returns for a stream, which comes in one piece or in pieces.

    None where it waits for more.

    Raises:
        DeviceRefused: it returns a refusal.
    """
    heard, _ = answered(steps, received, piece) or (None, b"")
    if isinstance(heard, DeviceRefused):
        raise heard
    return heard


def answered(steps: Exchange, received: bytes, piece: int | None = None) -> Answer | None:
    _, needed, _ = next(steps)
    while len(received) >= needed:
        size = len(received) if piece is None else max(piece, needed)
        data, received = received[:size], received[size:]
        try:
            send, needed, _ = steps.send(data)
        except StopIteration as end:
            answer, rest = end.value
            return answer, rest + received
        assert send == b""
    return None


def tcp_reply(unit: int, function: int, data: bytes, number: int) -> bytes:
    pdu = bytes([function, len(data)]) + data
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu


def rtu_reply(unit: int, function: int, data: bytes) -> bytes:
    frame = bytes([unit, function, len(data)]) + data
    return frame + crc(frame)


def test_checksum_is_the_one_of_the_standard() -> None:
    """MODBUS over Serial Line V1.02, section 6.2.2: 02 07 has the checksum 1241 hex."""
    assert crc(bytes([0x02, 0x07])) == bytes([0x41, 0x12])


@given(units, functions, counts, st.integers(0, 65535), numbers)
def test_requests_are_those_of_another_implementation(
    unit: int, function: int, count: int, address: int, number: int
) -> None:
    pdu = REQUESTS[function](address=address, count=count, dev_id=unit, transaction_id=number)
    asked = read(function, count, address)
    assert next(read_tcp(unit, asked).exchange(number))[0] == TCP.buildFrame(pdu)
    assert next(read_rtu(unit, asked).exchange(0))[0] == RTU.buildFrame(pdu)


@given(units, functions, st.lists(numbers, min_size=1, max_size=125), numbers)
def test_replies_of_another_implementation_are_read(
    unit: int, function: int, registers: list[int], number: int
) -> None:
    pdu = RESPONSES[function](registers=registers, dev_id=unit, transaction_id=number)
    data = struct.pack(f">{len(registers)}H", *registers)
    asked = read(function, len(registers))
    assert said(read_tcp(unit, asked).exchange(number), TCP.buildFrame(pdu)) == data
    assert said(read_rtu(unit, asked).exchange(0), RTU.buildFrame(pdu)) == data


@given(
    units, st.sampled_from([1, 2]), st.integers(1, 2000), st.integers(0, 65535), numbers, st.data()
)
def test_bits_are_asked_for_and_read_as_another_implementation_does(
    unit: int, function: int, count: int, address: int, number: int, draw: st.DataObject
) -> None:
    """They come packed, the first one lowest in the first byte."""
    asked = read(function, count, address)
    pdu = BIT_REQUESTS[function](address=address, count=count, dev_id=unit, transaction_id=number)
    assert next(read_tcp(unit, asked).exchange(number))[0] == TCP.buildFrame(pdu)
    assert next(read_rtu(unit, asked).exchange(0))[0] == RTU.buildFrame(pdu)
    packed = draw.draw(st.integers(0, 2**count - 1))
    bits = [bool(packed >> place & 1) for place in range(count)]
    reply = BIT_RESPONSES[function](bits=bits, dev_id=unit, transaction_id=number)
    data = packed.to_bytes((count + 7) // 8, "little")
    assert said(read_tcp(unit, asked).exchange(number), TCP.buildFrame(reply)) == data
    assert said(read_rtu(unit, asked).exchange(0), RTU.buildFrame(reply)) == data


@given(units, functions, st.data())
def test_a_truncated_reply_is_never_an_answer(
    unit: int, function: int, draw: st.DataObject
) -> None:
    data = draw.draw(st.binary(min_size=2, max_size=250).filter(lambda d: len(d) % 2 == 0))
    asked = read(function, len(data) // 2)
    whole = tcp_reply(unit, function, data, 7)
    assert said(read_tcp(unit, asked).exchange(7), whole) == data
    assert (
        said(read_tcp(unit, asked).exchange(7), whole[: draw.draw(st.integers(0, len(whole) - 1))])
        is None
    )
    whole = rtu_reply(unit, function, data)
    assert said(read_rtu(unit, asked).exchange(0), whole) == data
    assert (
        said(read_rtu(unit, asked).exchange(0), whole[: draw.draw(st.integers(0, len(whole) - 1))])
        is None
    )


@given(units, functions, st.integers(1, 20), st.data())
def test_a_corrupted_rtu_reply_is_never_an_answer(
    unit: int, function: int, count: int, draw: st.DataObject
) -> None:
    """A burst of up to 16 bits anywhere: what the checksum is guaranteed to find."""
    whole = bytearray(rtu_reply(unit, function, bytes(range(2 * count))))
    place = draw.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= draw.draw(st.integers(1, 255))
    if place + 1 < len(whole):
        whole[place + 1] ^= draw.draw(st.integers(0, 255))
    assert refused_or_waiting(
        read_rtu(unit, read(function, count)).exchange(0), bytes(whole) + bytes(300)
    )


@given(units, functions, st.integers(1, 20), st.data())
def test_a_corrupted_tcp_head_is_never_an_answer(
    unit: int, function: int, count: int, draw: st.DataObject
) -> None:
    whole = bytearray(tcp_reply(unit, function, bytes(2 * count), 7))
    whole[draw.draw(st.integers(0, 8))] ^= draw.draw(st.integers(1, 255))
    assert refused_or_waiting(read_tcp(unit, read(function, count)).exchange(7), bytes(whole))


@given(st.binary(max_size=600))
def test_noise_is_never_an_answer(noise: bytes) -> None:
    assert refused_or_waiting(read_tcp(17, read(3, 10)).exchange(0xBEEF), noise)
    assert refused_or_waiting(read_rtu(17, read(3, 10)).exchange(0), noise)


def refused_or_waiting(steps: Exchange, received: bytes) -> bool:
    try:
        return said(steps, received) is None
    except (ReplyError, DeviceRefused):
        return True


@given(units, units, functions, functions, counts, counts, numbers, numbers)
def test_a_crossed_reply_is_never_an_answer(
    unit: int,
    other_unit: int,
    function: int,
    other_function: int,
    count: int,
    other_count: int,
    number: int,
    other_number: int,
) -> None:
    """The answer to another question, whole and with a right checksum."""
    ours = (unit, function, count)
    theirs = (other_unit, other_function, other_count)
    reply = bytes(2 * other_count)
    asked = read(function, count)
    if ours != theirs:
        with pytest.raises(ReplyError):
            said(read_rtu(unit, asked).exchange(0), rtu_reply(other_unit, other_function, reply))
        with pytest.raises(ReplyError):
            said(read_tcp(unit, asked).exchange(7), tcp_reply(other_unit, other_function, reply, 7))
    assume(number != other_number)
    late = tcp_reply(other_unit, other_function, reply, other_number)
    assert said(read_tcp(unit, asked).exchange(number), late) is None


@given(st.lists(st.binary(min_size=1, max_size=251), max_size=4), st.binary(min_size=4, max_size=4))
def test_late_frames_are_passed_over_whole(late: list[bytes], data: bytes) -> None:
    """However many are glued in front of the answer, and whatever they hold."""
    stream = b"".join(tcp_reply(9, 3, before, number) for number, before in enumerate(late))
    assert said(read_tcp(1, read(3, 2)).exchange(77), stream + tcp_reply(1, 3, data, 77)) == data


@given(
    st.lists(st.binary(max_size=251), max_size=3),
    st.sampled_from([tcp_reply(1, 3, b"data", 77), bytes([0, 77, 0, 0, 0, 3, 1, 0x83, 6])]),
    st.binary(max_size=30),
    st.integers(1, 100),
)
def test_what_stands_behind_an_answer_is_given_back(
    late: list[bytes], reply: bytes, behind: bytes, piece: int
) -> None:
    """Behind a refusal, too, and in whatever pieces all of it comes."""
    stream = b"".join(tcp_reply(9, 3, before, number) for number, before in enumerate(late))
    heard = answered(read_tcp(1, read(3, 2)).exchange(77), stream + reply + behind, piece)
    assert heard is not None
    what, rest = heard
    assert rest == behind
    assert what.code == 6 if isinstance(what, DeviceRefused) else what == b"data"
    rtu = rtu_reply(1, 3, b"data") + behind
    assert answered(read_rtu(1, read(3, 2)).exchange(0), rtu, piece) == (b"data", behind)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 10, 11])
def test_a_refusal_names_its_code(code: int) -> None:
    refusal = bytes([1, 0x83, code])
    with pytest.raises(DeviceRefused) as tcp:
        said(read_tcp(1, read(3, 2)).exchange(7), struct.pack(">HHH", 7, 0, 3) + refusal)
    with pytest.raises(DeviceRefused) as rtu:
        said(read_rtu(1, read(3, 2)).exchange(0), refusal + crc(refusal))
    assert tcp.value.code == rtu.value.code == code


def test_a_refusal_that_is_not_ours_is_not_believed() -> None:
    other = bytes([2, 0x83, 2])
    with pytest.raises(ReplyError, match="unit 2 answered"):
        said(read_rtu(1, read(3, 2)).exchange(0), other + crc(other))
    with pytest.raises(ReplyError):
        said(read_rtu(1, read(3, 2)).exchange(0), bytes([1, 0x83, 2, 0, 0]))  # wrong checksum
    with pytest.raises(ReplyError):
        said(
            read_tcp(1, read(3, 2)).exchange(7),
            struct.pack(">HHH", 7, 0, 4) + bytes([1, 0x83, 2, 0]),
        )


def test_the_example_of_the_standard_for_bits() -> None:
    """MODBUS Application Protocol V1.1b3, section 6.1: coils 20-38 are CD 6B 05."""
    steps = read_tcp(1, read(1, 19, 0x13)).exchange(7)
    assert next(steps)[0][7:] == bytes.fromhex("01 0013 0013")
    reply = struct.pack(">HHHB", 7, 0, 6, 1) + bytes.fromhex("01 03 CD6B05")
    assert said(read_tcp(1, read(1, 19, 0x13)).exchange(7), reply) == bytes.fromhex("CD6B05")


@pytest.mark.parametrize("function", [0, 5, 6, 15, 16, 22, 23, 0x83])
def test_writing_can_not_be_said(function: int) -> None:
    for ask in (read_tcp, read_rtu):
        with pytest.raises(ValueError, match="can't read"):
            ask(1, read(function, 1))


@pytest.mark.parametrize(
    ("function", "count"), [(3, 0), (3, 126), (4, 65536), (1, 0), (1, 2001), (2, 65536)]
)
def test_more_than_a_frame_holds_can_not_be_asked_for(function: int, count: int) -> None:
    for ask in (read_tcp, read_rtu):
        with pytest.raises(ValueError, match="can't read"):
            ask(1, read(function, count))


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (1, FailureKind.NOT_THERE),
        (2, FailureKind.NOT_THERE),
        (3, FailureKind.NOT_THERE),
        (4, FailureKind.REFUSED),
        (5, FailureKind.BUSY),
        (6, FailureKind.BUSY),
        (10, FailureKind.UNREACHABLE),
        (11, FailureKind.UNREACHABLE),
        (99, FailureKind.REFUSED),  # of a manufacturer's own
    ],
)
def test_exceptions_are_told_apart(code: int, meaning: FailureKind) -> None:
    assert {one.failure_kind(DeviceRefused(code)) for one in FRAMINGS.values()} == {meaning}
