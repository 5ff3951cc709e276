"""A reply on a serial line is found behind an echo and beside noise, and never behind another."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.protocols.crc import crc
from edge_agent.protocols.line_noise import may_be_noise
from edge_agent.protocols.modbus import read_rtu
from edge_agent.protocols.request_reply import Exchange
from jieneng.metering.errors import DeviceRefused, ReplyError, ReplyTimedOut
from tests.edge_agent.protocols.test_modbus import answered, read, rtu_reply, said

DATA = bytes.fromhex("0001 E240")
REPLY = rtu_reply(5, 3, DATA)
REFUSAL = bytes([5, 0x83, 2]) + crc(bytes([5, 0x83, 2]))
pieces = pytest.mark.parametrize("piece", [None, 1, 2, 5])


def asked(address: int = 0, count: int = 2) -> tuple[Exchange, bytes]:
    """An exchange, and the request that it sends."""
    request = read_rtu(5, read(3, count, address))
    sent, _, _ = next(request.exchange(0))
    return request.exchange(0), sent


@pieces
@pytest.mark.parametrize("noise", [b"", b"\x00", b"\xff\xfe\x80"])
def test_an_echo_of_the_request_is_skipped(piece: int | None, noise: bytes) -> None:
    exchange, request = asked()
    assert said(exchange, request + noise + REPLY, piece) == DATA


@pieces
def test_an_echo_that_begins_as_a_reply_does_is_skipped(piece: int | None) -> None:
    exchange, request = asked(address=0x0400)
    assert request[:3] == REPLY[:3]
    assert said(exchange, request + REPLY, piece) == DATA
    exchange, request = asked(address=0x0200, count=1)
    short = rtu_reply(5, 3, b"\x01\x02")
    assert len(short) < len(request)
    assert said(exchange, request + short, piece) == b"\x01\x02"


@pieces
def test_a_refusal_behind_an_echo_is_a_refusal(piece: int | None) -> None:
    exchange, request = asked()
    with pytest.raises(DeviceRefused) as caught:
        said(exchange, request + REFUSAL, piece)
    assert caught.value.code == 2


@given(st.binary(min_size=1, max_size=4), st.sampled_from([1, 2, 300]))
def test_a_few_bytes_before_a_reply_cost_no_reading(noise: bytes, piece: int) -> None:
    """Unless they begin as the reply does, or a checksum is right by one chance in 65,536."""
    stream = noise + REPLY
    for start in range(len(noise)):
        assume(not stream.startswith((REPLY[:3], REFUSAL[:2]), start))
        for end in range(start + 3, len(stream) - 1):
            assume(crc(stream[start:end]) != stream[end : end + 2])
    assert said(asked()[0], stream, piece) == DATA


@given(st.binary(min_size=1, max_size=4))
def test_a_reply_behind_noise_needs_its_checksum(noise: bytes) -> None:
    with pytest.raises(ReplyError):
        said(asked()[0], noise + REPLY[:-1] + bytes([REPLY[-1] ^ 1]))


@given(st.integers(1, 247).filter(lambda unit: unit != 5), st.sampled_from([b"", b"\x01\x02"]))
def test_the_reply_of_another_unit_is_never_skipped(unit: int, data: bytes) -> None:
    """Two frames on the line mean that one of them is late, and nobody knows which."""
    other = rtu_reply(unit, 3, data) if data else bytes([unit, 0x83, 2])
    other += b"" if data else crc(other)
    with pytest.raises(ReplyError):
        said(asked()[0], other + REPLY)


def test_a_meter_that_is_silent_on_a_line_with_echo_has_not_answered() -> None:
    exchange, request = asked()
    next(exchange)
    exchange.send(request)
    with pytest.raises(ReplyTimedOut):
        exchange.throw(ReplyTimedOut("no reply in time"))


units, functions = st.integers(0, 255), st.integers(1, 4)


@given(
    st.binary(max_size=4),
    st.tuples(units, functions, st.booleans(), st.binary(max_size=8)),
    st.tuples(units, functions, st.integers(1, 4), st.integers(0, 0xFFFF)),
    st.sampled_from([1, 2, 300]),
)
def test_a_complete_frame_of_another_question_is_refused_without_waiting(
    noise: bytes,
    answer: tuple[int, int, bool, bytes],
    question: tuple[int, int, int, int],
    piece: int,
) -> None:
    """Bytes in it, or in its checksum, may look like the start of the reply."""
    (other, other_function, is_refusal, data), (unit, function, count, address) = answer, question
    asked_of = read(function, count, address)
    size = asked_of.size if is_refusal else len(data)
    assume((other, other_function, size) != (unit, function, asked_of.size))
    refusal = bytes([other, other_function | 0x80, len(data)])
    frame = refusal + crc(refusal) if is_refusal else rtu_reply(other, other_function, data)
    with pytest.raises(ReplyError):
        said(read_rtu(unit, asked_of).exchange(0), noise + frame, piece)


@pytest.mark.parametrize("piece", [None, 1])
def test_a_checksum_that_looks_like_a_refusal_hides_no_frame(piece: int | None) -> None:
    """Unit 0 answers one register, 00 04 02 00 00 84 F3, where two were asked for."""
    request = read_rtu(0, read(4, 2))
    with pytest.raises(ReplyError, match="has 2 data bytes"):
        said(request.exchange(0), rtu_reply(0, 4, bytes(2)), piece)


def test_a_frame_that_begins_as_the_request_does_is_no_echo() -> None:
    exchange, request = asked(address=0x0200)
    frame = rtu_reply(5, 3, request[3:5])
    with pytest.raises(ReplyError, match="has 2 data bytes"):
        said(exchange, frame, 1)


def test_a_short_foreign_frame_is_named_at_once() -> None:
    with pytest.raises(ReplyError, match="unit 9 answered"):
        said(asked()[0], bytes([9, 0x83, 2]) + crc(bytes([9, 0x83, 2])))


def test_bytes_behind_a_reply_are_noise_if_no_reply_can_begin_so() -> None:
    assert all(map(may_be_noise, [b"\x00", b"\xff\x00"]))
    assert not any(map(may_be_noise, [b"\x00\x00\x00", b"\x05", b"\x00\x05"]))
    assert answered(asked()[0], REPLY + b"\x00") == (DATA, b"\x00")
