"""A serial port is a link: it may disappear and return, is silent between frames, and is locked."""

import asyncio
import gc
import os
import pty
import struct
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import serial_asyncio_fast
from structlog.testing import capture_logs

from edge_agent.links.link import SerialLink, bus_link
from edge_agent.links.serial_timing import Parity, character_s, frame_gap_s
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.protocols.modbus import FRAMINGS, encode
from edge_agent.protocols.request_reply import Ask
from edge_agent.settings import BusOverride
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import LinkDown, LinkError, ReplyError, ReplyTimedOut
from jieneng.metering.reading import Sample
from jieneng.metering.site import Bus
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from tests.edge_agent.agent_setup import (
    Ingest,
    agent,
    append_samples_to,
    folder,
    meter,
    running,
    settings,
    until,
)
from tests.edge_agent.misbehaving import Act, Behaviour, Question
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto

pytestmark = pytest.mark.server

TIMEOUT_S = 0.3


class Line:
    """The other end of a serial line, with devices that are controlled by the test.

    Attributes:
        device: the path of our end.
        asked_s: when each question was whole, on the loop's clock.
        replied_s: when each piece of a reply was sent.
    """

    def __init__(self, behave: Behaviour, link: Path) -> None:
        self.behave = behave
        self.device = link
        self.questions: list[Question] = []
        self.asked_s: list[float] = []
        self.replied_s: list[float] = []
        self._buffer = bytearray()
        self._ends: tuple[int, int] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def plug_in(self) -> None:
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = (ours, theirs)
        self.device.symlink_to(os.ttyname(theirs))
        asyncio.get_running_loop().add_reader(ours, self._read)

    def pull_out(self) -> None:
        """As a USB adapter: the device is gone, and who has it open is hung up on."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        self.device.unlink()
        for end in self._ends:
            os.close(end)
        self._ends = None

    def say(self, data: bytes) -> None:
        assert self._ends is not None
        os.write(self._ends[0], data)

    def _read(self) -> None:
        assert self._ends is not None
        self._buffer += os.read(self._ends[0], 4096)
        while len(self._buffer) >= 8:
            question = Question(bytes(self._buffer[:8]), True, len(self.questions) + 1, 1)
            del self._buffer[:8]
            self.questions.append(question)
            self.asked_s.append(asyncio.get_running_loop().time())
            task = asyncio.create_task(self._act(question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _act(self, question: Question) -> None:
        for act in self.behave(question):
            if isinstance(act, bytes):
                self.replied_s.append(asyncio.get_running_loop().time())
                self.say(act)
            elif isinstance(act, float):
                await asyncio.sleep(act)
            else:
                self.pull_out()

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        self.pull_out()


@asynccontextmanager
async def line(behave: Behaviour, at: Path) -> AsyncIterator[Line]:
    one = Line(behave, at / "ttyS1")
    one.plug_in()
    try:
        yield one
    finally:
        await one.end()


def link(
    device: Path,
    *,
    baud: int = 9600,
    parity: Parity = "N",
    timeout_s: float = TIMEOUT_S,
    delay_s: float = 0.0,
) -> SerialLink:
    return SerialLink(
        str(device),
        baud=baud,
        parity=parity,
        stop_bits=1,
        timeout_s=timeout_s,
        now_ms=lambda: 1_795_000_000_000,
        delay_s=delay_s,
    )


async def value(over: SerialLink, count: int = 2) -> int:
    """The number that all registers of the reply hold."""
    asked = ModbusRead(3, 0, count, (), lambda _: ())
    reply = await over.exchange(Ask(encode("rtu", 1, asked).exchange(0), FRAMINGS["rtu"]))
    words = set(struct.unpack(f">{count}H", reply.data))
    assert len(words) == 1
    return int(words.pop())


async def closed(one: SerialLink) -> None:
    """Close it, and wait until the port is free."""
    one.close()
    if one._previous is not None:
        await one._previous.closed.wait()


def right(question: Question) -> Iterator[Act]:
    yield question.reply(question.nth)


@pytest.mark.parametrize("parity", ["N", "E", "O"])
async def test_many_questions_are_answered(tmp_path: Path, parity: Parity) -> None:
    async with line(right, tmp_path) as other:
        one = link(other.device, parity=parity)
        assert [await value(one) for _ in range(10)] == list(range(1, 11))
        await closed(one)


async def test_a_reply_in_pieces_is_whole(tmp_path: Path) -> None:
    def behave(question: Question) -> Iterator[Act]:
        for byte in question.reply(7):
            yield bytes([byte])

    async with line(behave, tmp_path) as other:
        one = link(other.device, timeout_s=0.5)
        assert await value(one) == 7
        await closed(one)


async def test_a_late_reply_is_never_taken_for_the_next_one(tmp_path: Path) -> None:
    def behave(question: Question) -> Iterator[Act]:
        if question.nth == 1:
            yield TIMEOUT_S * 1.3
        yield question.reply(question.nth)

    async with line(behave, tmp_path) as other:
        one = link(other.device)
        with pytest.raises(ReplyTimedOut):
            await value(one)
        assert await value(one) == 2
        await closed(one)


async def test_a_lost_bit_is_refused(tmp_path: Path) -> None:
    def behave(question: Question) -> Iterator[Act]:
        reply = bytearray(question.reply(question.nth))
        reply[4] ^= question.nth == 1
        yield bytes(reply)

    async with line(behave, tmp_path) as other:
        one = link(other.device)
        with pytest.raises(ReplyError):
            await value(one)
        assert await value(one) == 2
        await closed(one)


async def test_an_adapter_that_was_pulled_out_is_a_link_that_is_down(tmp_path: Path) -> None:
    """And it is used again when it is back, although it is another device by then."""
    async with line(right, tmp_path) as other:
        one = link(other.device)
        assert await value(one) == 1
        other.pull_out()
        with pytest.raises(LinkDown):
            await until_down(one)
        with pytest.raises(LinkDown):
            await value(one)
        other.plug_in()
        assert await value(one) > 1
        await closed(one)


async def until_down(one: SerialLink) -> None:
    """What a poller may see first is that the link broke."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await value(one)
            except LinkDown:
                raise
            except LinkError:
                continue


async def test_an_adapter_that_is_pulled_out_within_a_reply_breaks_the_link(tmp_path: Path) -> None:
    """And is closed once: closing it twice ended in a traceback out of the transport."""
    unheard: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unheard.append(context))

    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(1)[:4]
        yield None

    async with line(behave, tmp_path) as other:
        one = link(other.device, timeout_s=0.5)
        with pytest.raises(LinkError) as broken:
            await value(one)
        assert not isinstance(broken.value, ReplyTimedOut)
        await closed(one)
    await until(lambda: not serial_asyncio_fast._BACKGROUND_TASKS)
    gc.collect()  # a failed task is reported when it is garbage-collected
    assert unheard == []


async def test_a_port_that_another_has_is_a_link_that_is_down(tmp_path: Path) -> None:
    async with line(right, tmp_path) as other:
        first, second = link(other.device), link(other.device)
        assert await value(first) == 1
        with pytest.raises(LinkDown, match="lock"):
            await value(second)
        await closed(first)
        assert await value(second) == 2
        await closed(second)


@pytest.mark.parametrize("path", ["nothing-there", "."])
async def test_what_is_no_serial_port_is_a_link_that_is_down(tmp_path: Path, path: str) -> None:
    with pytest.raises(LinkDown, match=path):
        await value(link(tmp_path / path))


@pytest.mark.parametrize(
    ("parity", "stop_bits", "bits"), [("N", 1, 10), ("E", 1, 11), ("N", 2, 11), ("O", 2, 12)]
)
def test_a_character_has_its_start_parity_and_stop_bits(
    parity: Parity, stop_bits: int, bits: int
) -> None:
    assert character_s(9600, parity, stop_bits) == pytest.approx(bits / 9600)


@pytest.mark.parametrize(
    ("baud", "parity", "stop_bits", "gap_ms"),
    [
        (9600, "N", 1, 3.646),
        (9600, "E", 1, 4.010),
        (1200, "N", 2, 32.083),
        (19200, "N", 1, 1.823),
        (38400, "N", 1, 1.75),
        (115200, "E", 1, 1.75),
    ],
)
def test_the_silence_between_frames_is_that_of_the_standard(
    baud: int, parity: Parity, stop_bits: int, gap_ms: float
) -> None:
    """MODBUS over Serial Line V1.02, section 2.5.1.1: 3.5 characters; 1.75 ms above 19200 baud."""
    assert frame_gap_s(baud, parity, stop_bits) * 1000 == pytest.approx(gap_ms, abs=0.001)


@pytest.mark.parametrize(
    ("baud", "delay_s", "least_s"), [(1200, 0.0, 0.029), (9600, 0.05, 0.045), (300, 0.01, 0.11)]
)
async def test_the_wire_is_silent_between_two_frames(
    tmp_path: Path, baud: int, delay_s: float, least_s: float
) -> None:
    """The larger of the standard's silence and the bus's delay, measured at the other end."""
    async with line(right, tmp_path) as other:
        one = link(other.device, baud=baud, delay_s=delay_s)
        for nth in range(1, 5):
            assert await value(one) == nth
        await closed(one)
    gaps = [
        asked - replied for replied, asked in zip(other.replied_s, other.asked_s[1:], strict=False)
    ]
    assert len(gaps) == 3
    assert min(gaps) >= least_s


async def test_a_slow_wire_is_not_taken_for_a_slow_meter(tmp_path: Path) -> None:
    """125 registers at 2400 baud are a second on the wire, whatever the meter's time-out is."""

    def behave(question: Question) -> Iterator[Act]:
        whole = question.reply(question.nth)
        for first in range(0, len(whole), 16):
            yield whole[first : first + 16]
            yield 16 * character_s(2400, "N", 1)

    async with line(behave, tmp_path) as other:
        one = link(other.device, baud=2400, timeout_s=0.3)
        assert await value(one, count=125) == 1
        await closed(one)


async def test_silence_on_a_slow_wire_is_still_silence(tmp_path: Path) -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield b""

    async with line(behave, tmp_path) as other:
        one = link(other.device, baud=9600)
        with pytest.raises(ReplyTimedOut):
            await value(one)
        await until(lambda: len(other.questions) == 1)
        await closed(one)


async def test_simulated_meters_on_a_serial_port_are_polled_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    """Two meters at 9600 8E1; the adapter is pulled out for a while."""
    wired = Bus(id="line", agent="agent-1", link="rtu", device="?", parity="E", timeout_s=0.2)
    place = folder(
        tmp_path, wired, meters=[meter(f"m{unit}", "line", unit, interval_s=0.5) for unit in (1, 2)]
    )
    simulated, clock, device = (
        site_server.simulate_site(place, SimulatorSettings()),
        SystemClock(),
        tmp_path / "tty",
    )
    kept: list[Sample] = []
    poller = BusPoller(
        "line",
        [
            PolledMeter(one, place.models[one.model or ""], place.site.zone)
            for one in place.site.meter
        ],
        phase_key="agent",
        link=bus_link(msgspec.structs.replace(wired, device=str(device)), clock.now_ms),
        link_kind="rtu",
        clock=clock,
        on_result=append_samples_to(kept),
        log=observe.log("test"),
    )

    def both_since(count: int) -> bool:
        return {one.meter for one in kept[count:]} == {"m1", "m2"}

    with capture_logs() as logs:
        async with running(poller.run()):
            async with site_server.serving(simulated, clock, devices={"line": device}):
                await until(lambda: both_since(0))
                assert not any(one.quality for one in kept)
            await until(lambda: any(one["event"] == "link is down" for one in logs))
            before = len(kept)
            async with site_server.serving(simulated, clock, devices={"line": device}):
                await until(lambda: both_since(before))
    events = [one["event"] for one in logs if one["event"].startswith("link is down")]
    # Before: it may be asked before the port is there.
    assert events[-2:] == ["link is down", "link is down: over"]
    assert len(events) in (2, 4)


async def test_an_agent_polls_a_serial_bus_at_the_device_that_its_settings_name(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """From meter to ingest; site.toml names a device of the machine that it was written on."""
    wired = Bus(id="line", agent="agent-1", link="rtu", device="/dev/ttyS9", timeout_s=0.5)
    place = folder(tmp_path, wired, meters=[meter("m1", "line", 1, interval_s=0.5)])
    simulated, device = site_server.simulate_site(place, SimulatorSettings()), tmp_path / "tty"
    ingest = Ingest(mosquitto.port)
    how = settings(mosquitto.port, bus=(BusOverride(id="line", device=str(device)),))
    async with (
        site_server.serving(simulated, SystemClock(), devices={"line": device}),
        running(ingest.run()),
        running(agent(place, how)),
    ):
        await until(lambda: len(ingest.samples) >= 3)
    assert {one.meter for one in ingest.samples} == {"m1"}
