"""The bytes that a master receives if there is a fault on the line."""

import asyncio
import struct
import time
from contextlib import suppress

import pytest

from simulators.faults import reply_faults
from simulators.faults.fault import Fault
from tests.simulators.scene import Scene, checksum, scene

pytestmark = pytest.mark.server

# 72 kW through unit 2 for an hour: 7200 steps. The answer to a read of 0x0000, two words.
HOUR_MS = 3_600_000
WORDS = struct.pack(">I", 7200)
TCP = bytes.fromhex("0007 0000 0007 02 03 04") + WORDS
RTU_BODY = bytes.fromhex("02 03 04") + WORDS
RTU = RTU_BODY + checksum(RTU_BODY)


async def _heard(*faults: Fault, link: str = "tcp") -> tuple[bytes, Scene]:
    async with scene(*faults, link=link) as one:
        one.clock.time_ms += HOUR_MS
        master = await one.connect()
        heard = await master.ask(unit=2)
        master.writer.close()
        return heard, one


async def test_without_a_fault_the_answer_is_the_meters() -> None:
    heard, one = await _heard()
    assert heard == TCP
    [exchange] = one.seen
    assert (exchange.verdict, exchange.value, exchange.register) == ("good", 72.0, 72.0)
    assert exchange.sent == TCP
    assert (await _heard(link="rtu_tcp"))[0] == RTU


def _flipped(frame: bytes) -> bytes:
    """The one byte that differs from the right frame is off by one bit."""
    [place] = [at for at in range(len(RTU)) if frame[at] != RTU[at]]
    assert (frame[place] ^ RTU[place]).bit_count() == 1
    return RTU


@pytest.mark.parametrize(
    ("link", "fault", "expected", "verdict"),
    [
        ("tcp", reply_faults.NoAnswer(), b"", "bad"),
        ("tcp", reply_faults.WrongUnit(unit=9), TCP[:6] + b"\x09" + TCP[7:], "bad"),
        ("tcp", reply_faults.WrongTransaction(), b"\x00\x06" + TCP[2:], "bad"),
        ("tcp", reply_faults.Truncated(missing=4), TCP[:-4], "bad"),
        ("tcp", reply_faults.Split(pieces=4, delay_s=0.002), TCP, "good"),
        ("tcp", reply_faults.Glued(), TCP + TCP, "doubtful"),
        ("tcp", reply_faults.ExceptionCode(code=4), TCP[:4] + b"\x00\x03\x02\x83\x04", "bad"),
        ("tcp", reply_faults.Busy(), TCP[:4] + b"\x00\x03\x02\x83\x06", "bad"),
        ("rtu_tcp", reply_faults.Truncated(), RTU[:-3], "bad"),
        ("rtu_tcp", reply_faults.Glued(), RTU + RTU, "doubtful"),
        ("rtu_tcp", reply_faults.Busy(), b"\x02\x83\x06" + checksum(b"\x02\x83\x06"), "bad"),
    ],
    ids=lambda value: value.kind() if isinstance(value, Fault) else None,
)
async def test_the_bytes_are_those_of_the_fault(
    link: str, fault: Fault, expected: bytes, verdict: str
) -> None:
    heard, one = await _heard(fault, link=link)
    assert heard == expected
    assert one.seen[0].verdict == verdict
    assert one.seen[0].faults == (f"{fault.kind()}-1".replace("_", "-"),)


async def test_another_units_answer_has_a_right_checksum() -> None:
    heard, _ = await _heard(reply_faults.WrongUnit(unit=9), link="rtu_tcp")
    assert heard == b"\x09" + RTU[1:-2] + checksum(b"\x09" + RTU[1:-2])


async def test_a_lost_bit_leaves_unit_function_and_length_alone() -> None:
    heard, one = await _heard(reply_faults.BadChecksum(), link="rtu_tcp")
    assert _flipped(heard) == RTU
    assert heard[:3] == RTU[:3]
    assert one.seen[0].verdict == "bad"


async def test_a_checksum_is_no_matter_of_modbus_tcp() -> None:
    """A script may name everything: what has no checksum is left alone."""
    async with scene(link="tcp") as one:
        with pytest.raises(Exception, match="rtu_tcp"):
            one.script.place([reply_faults.BadChecksum()])


async def test_noise_stands_before_after_or_instead_and_is_the_same_every_time() -> None:
    before, _ = await _heard(reply_faults.Noise(count=5), link="rtu_tcp")
    assert (len(before), before[5:]) == (5 + len(RTU), RTU)
    again, _ = await _heard(reply_faults.Noise(count=5), link="rtu_tcp")
    assert before == again
    after, one = await _heard(
        reply_faults.Noise(count=3, place="after", delay_s=0.01), link="rtu_tcp"
    )
    assert after[: len(RTU)] == RTU
    assert len(after) == len(RTU) + 3
    assert one.seen[0].verdict == "doubtful"
    instead, one = await _heard(reply_faults.Noise(count=4, place="instead"), link="rtu_tcp")
    assert (len(instead), one.seen[0].value) == (4, None)


async def test_a_slow_answer_holds_up_the_next_question() -> None:
    async with scene(reply_faults.SlowAnswer(meter="e-2", delay_s=0.15)) as one:
        master = await one.connect()
        began = time.monotonic()
        master.send(unit=2, number=1)
        master.send(unit=1, number=2)
        first = await master.reader.readexactly(13)
        second = await master.reader.readexactly(13)
        assert (first[1], second[1]) == (1, 2)
        assert time.monotonic() - began >= 0.15
        assert [exchange.verdict for exchange in one.seen] == ["good", "good"]
        master.writer.close()


async def test_a_late_answer_does_not_come_between_the_pieces_of_another() -> None:
    """Nothing that speaks Modbus TCP sends a frame within a frame; the truth said "good" of it."""
    late = reply_faults.LateAnswer(meter="e-2", delay_s=0.02)
    pieces = reply_faults.Split(meter="e-1", pieces=4, delay_s=0.02)
    async with scene(late, pieces) as one:
        master = await one.connect()
        master.send(unit=2, number=1)
        master.send(unit=1, number=2)
        heard = await master.reader.readexactly(2 * len(TCP))
        whole = {heard[:13], heard[13:]}
        assert {frame[:7].hex() for frame in whole} == {"00010000000702", "00020000000701"}
        await one.saw(2)
        assert [exchange.verdict for exchange in one.seen] == ["good", "good"]
        master.writer.close()


async def test_nor_does_an_answer_at_once_come_between_the_pieces_of_a_late_one() -> None:
    late = reply_faults.LateAnswer(meter="e-2", delay_s=0.001)
    pieces = reply_faults.Split(meter="e-2", pieces=4, delay_s=0.05)
    async with scene(late, pieces) as one:
        master = await one.connect()
        master.send(unit=2, number=1)
        begun = await master.reader.readexactly(3)
        master.send(unit=1, number=2)
        heard = begun + await master.reader.readexactly(2 * len(TCP) - 3)
        assert [heard[:7].hex(), heard[13:20].hex()] == ["00010000000702", "00020000000701"]
        master.writer.close()


async def test_a_late_answer_crosses_the_next_one() -> None:
    async with scene(reply_faults.LateAnswer(meter="e-2", delay_s=1.3)) as one:
        master = await one.connect()
        master.send(unit=2, number=1)
        master.send(unit=1, number=2)
        first = await master.reader.readexactly(13)
        second = await master.reader.readexactly(13)
        assert (first[1], second[1]) == (2, 1)
        await one.saw(2)
        assert {exchange.meter: exchange.verdict for exchange in one.seen} == {
            "e-1": "good",
            "e-2": "doubtful",
        }
        master.writer.close()


async def test_an_answer_after_the_time_out_is_no_good_one() -> None:
    """The bus's time-out is 1 s: good before 0.7 s, doubtful after it, however late."""
    for delay_s, verdict in ((0.6, "good"), (0.9, "doubtful"), (1.3, "doubtful")):
        async with scene(reply_faults.SlowAnswer(delay_s=delay_s)) as one:
            master = await one.connect()
            master.send()
            await master.reader.readexactly(13)
            assert one.seen[0].verdict == verdict
            master.writer.close()


async def test_what_is_late_but_in_time_or_not_changed_at_all_is_good() -> None:
    """The verdict is of the bytes and their time, not of the fault's name."""
    for fault in (reply_faults.LateAnswer(delay_s=0.02), reply_faults.WrongUnit(unit=2)):
        async with scene(fault) as one:
            one.clock.time_ms += HOUR_MS
            master = await one.connect()
            assert await master.ask(unit=2) == TCP
            assert one.seen[0].verdict == "good"
            master.writer.close()


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (
            (reply_faults.Truncated(missing=4), reply_faults.WrongUnit(unit=9)),
            TCP[:6] + b"\x09" + TCP[7:-4],
        ),
        (
            (reply_faults.WrongUnit(unit=9), reply_faults.WrongTransaction()),
            b"\x00\x06" + TCP[2:6] + b"\x09" + TCP[7:],
        ),
        ((reply_faults.Busy(), reply_faults.WrongUnit(unit=9)), TCP[:4] + b"\x00\x03\x09\x83\x06"),
    ],
)
async def test_several_faults_of_an_answer_add_up(
    faults: tuple[Fault, ...], expected: bytes
) -> None:
    heard, one = await _heard(*faults)
    assert heard == expected
    assert len(one.seen[0].faults) == 2


async def test_a_slow_answer_of_another_unit_is_slow() -> None:
    began = time.monotonic()
    heard, _ = await _heard(reply_faults.SlowAnswer(delay_s=0.1), reply_faults.WrongUnit(unit=9))
    assert heard[6] == 9
    assert time.monotonic() - began >= 0.1


async def test_a_question_that_waited_too_long_has_no_good_answer() -> None:
    """Asked while a slow answer was under way, it is answered after its own time-out."""
    async with scene(reply_faults.SlowAnswer(meter="e-2", delay_s=1.4)) as one:
        master = await one.connect()
        master.send(unit=2, number=1)
        master.send(unit=1, number=2)
        await one.saw(2)
        assert [exchange.verdict for exchange in one.seen] == ["doubtful", "doubtful"]
        master.writer.close()


async def test_questions_wait_on_a_serial_line_too() -> None:
    async with scene(reply_faults.SlowAnswer(meter="e-2", delay_s=0.3), link="rtu_tcp") as one:
        master = await one.connect()
        for unit in (2, 1, 3):
            master.send(unit=unit, address=0 if unit < 3 else 8)
            await asyncio.sleep(0.08)  # more than the pause that ends a frame
        await one.saw(3)
        assert [exchange.request.device for exchange in one.seen] == [2, 1, 3]
        master.writer.close()


async def test_a_master_that_hangs_up_is_in_the_record() -> None:
    async with scene(reply_faults.SlowAnswer(delay_s=30.0)) as one:
        master = await one.connect()
        master.send()
        await master.hear(0.05)
        master.writer.close()
        await one.saw(1)
        assert (one.seen[0].verdict, one.seen[0].sent) == ("bad", b"")


async def test_silence_is_silence_whatever_was_asked() -> None:
    """Neither an address that the meter lacks nor a unit that is not there is answered."""
    async with scene(reply_faults.NoAnswer()) as one:
        master = await one.connect()
        for question in ({"address": 0x4000}, {"function": 6}, {"unit": 77}):
            assert await master.ask(**question) == b""
        master.writer.close()
    async with scene(reply_faults.NoAnswer(meter="e-1")) as one:
        master = await one.connect()
        assert len(await master.ask(unit=77)) == 9  # the gateway says that nobody is there
        master.writer.close()


@pytest.mark.parametrize(
    ("place", "expected"), [("instead", b""), ("within", TCP[:6]), ("after", TCP)]
)
async def test_a_reset_is_one(place: str, expected: bytes) -> None:
    async with scene(reply_faults.Reset(place=place)) as one:  # type: ignore[arg-type]  # a literal
        one.clock.time_ms += HOUR_MS
        master = await one.connect()
        master.send(unit=2)
        if expected:
            assert await master.reader.readexactly(len(expected)) == expected
        with pytest.raises(ConnectionResetError):
            await master.reader.readexactly(1)
        master.writer.close()
        assert one.seen[0].verdict == ("doubtful" if place == "after" else "bad")


async def test_a_half_open_connection_stays_dead_and_a_new_one_lives() -> None:
    fault = reply_faults.HalfOpen(duration_s=10)
    async with scene(fault) as one:
        old = await one.connect()
        assert await old.ask() == b""
        one.clock.time_ms += 20_000
        old.send()
        assert await old.hear() == b""
        assert not old.reader.at_eof()
        new = await one.connect()
        assert len(await new.ask()) == 13
        for master in (old, new):
            master.writer.close()


async def test_a_question_in_pieces_is_answered_once() -> None:
    async with scene(link="rtu_tcp") as one:
        master = await one.connect()
        frame = bytes.fromhex("01 03 0000 0002")
        frame += checksum(frame)
        master.writer.write(frame[:5])
        await asyncio.sleep(0)
        master.writer.write(frame[5:])
        await one.saw(1)
        assert len(await master.hear()) == 9
        master.writer.close()


@pytest.mark.parametrize("link", ["tcp", "rtu_tcp"])
async def test_garbage_from_a_master_is_survived(link: str) -> None:
    async with scene(link=link) as one:
        master = await one.connect()
        master.writer.write(bytes(range(200, 256)) * 20)
        with suppress(ConnectionResetError):
            await master.hear()
        master.writer.close()
        other = await one.connect()
        assert await other.energy() == 0.0
        other.writer.close()
