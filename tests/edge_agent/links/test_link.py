"""A link discards late replies, and goes on after any fault."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from edge_agent.links.link import TcpLink
from edge_agent.protocols.modbus import FRAMINGS, encode
from edge_agent.protocols.request_reply import Ask, Reply
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import (
    DeviceRefused,
    IdleLinkClosed,
    LinkDown,
    LinkError,
    NewLinkClosed,
    ReplyError,
    ReplyTimedOut,
    Unanswered,
)
from jieneng.metering.site import LinkKind
from tests.edge_agent.misbehaving import Act, Misbehaving, Question, misbehaving
from tests.servers import free_port

pytestmark = pytest.mark.server

TIMEOUT_S = 0.1
kinds = pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])


class Asker:
    """Asks over a link, as a poller does."""

    def __init__(
        self, port: int, kind: LinkKind, timeout_s: float = TIMEOUT_S, delay_s: float = 0.0
    ) -> None:
        self.kind: LinkKind = kind
        self.link = TcpLink(
            "127.0.0.1",
            port,
            timeout_s=timeout_s,
            now_ms=lambda: 1_795_000_000_000,
            delay_s=delay_s,
        )
        self.number = 0

    async def ask(self, unit: int = 1, count: int = 2, address: int = 0) -> Reply:
        self.number += 1
        asked = ModbusRead(3, address, count, (), lambda _: ())
        exchange = encode(self.kind, unit, asked).exchange(self.number)
        return await self.link.exchange(Ask(exchange, FRAMINGS[self.kind]))

    async def value(self, unit: int = 1, count: int = 2) -> int:
        """The number that all registers of the reply hold."""
        data = (await self.ask(unit, count)).data
        words = set(struct.unpack(f">{count}H", data))
        assert len(words) == 1
        return int(words.pop())


def right(question: Question) -> Iterator[Act]:
    yield question.reply(question.nth)


@kinds
async def test_one_connection_serves_many_questions(kind: LinkKind) -> None:
    async with misbehaving(right, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind)
        assert [await asker.value() for _ in range(20)] == list(range(1, 21))
        assert (await asker.ask()).time_ms == 1_795_000_000_000
        assert server.connections == 1
        asker.link.close()


@kinds
async def test_a_reply_in_pieces_is_whole(kind: LinkKind) -> None:
    def behave(question: Question) -> Iterator[Act]:
        for byte in question.reply(7, count=question.count):
            yield bytes([byte])

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind, timeout_s=0.5)
        assert await asker.value() == 7
        asker.link.close()


@kinds
async def test_a_late_reply_is_never_taken_for_the_next_one(kind: LinkKind) -> None:
    """The same unit, function and count: only number or silence can tell them apart."""

    def behave(question: Question) -> Iterator[Act]:
        if question.nth == 1:
            yield TIMEOUT_S * 1.3
        yield question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind)
        with pytest.raises(ReplyTimedOut):
            await asker.ask()
        assert await asker.value() == 2
        assert await asker.value() == 3
        assert server.connections == 1
        asker.link.close()


async def test_a_late_reply_glued_to_the_right_one_is_passed_over() -> None:
    def behave(question: Question) -> Iterator[Act]:
        if question.nth == 2:
            yield question.reply(1, number=question.number - 1) + question.reply(2)
        elif question.nth > 2:
            yield question.reply(question.nth)

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp")
        with pytest.raises(ReplyTimedOut):
            await asker.ask()
        assert [await asker.value(), await asker.value()] == [2, 3]
        assert server.connections == 1
        asker.link.close()


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("waits", [1.5, 2.5, 3.5])
async def test_a_gateway_that_waits_longer_than_we_do_costs_its_other_units_nothing(
    waits: float, says_so: bool
) -> None:
    """The gateway sends requests one after the other, and waits several time-outs of the agent for
    the dead unit 9. Once this is known, the next requests are not sent too early any more.
    """
    loop = asyncio.get_running_loop()
    free_s = 0.0

    def behave(question: Question) -> Iterator[Act]:
        nonlocal free_s
        dead = question.unit == 9
        free_s = max(loop.time(), free_s) + (waits * TIMEOUT_S if dead else 0.002)
        yield free_s - loop.time()
        if not dead:
            yield question.reply(question.unit)
        elif says_so:
            yield question.refusal(0x0B)

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp")

        async def heard(unit: int) -> bool:
            try:
                return await asker.value(unit) == unit
            except (ReplyTimedOut, DeviceRefused):
                return False

        for unit in (1, 9, 1, 2, 3):
            await heard(unit)
        assert [await heard(unit) for unit in (9, 1, 2, 3) * 5] == [False, True, True, True] * 5
        assert server.connections == 1
        asker.link.close()


async def test_two_replies_to_one_question_are_both_refused_without_numbers() -> None:
    """The first of them may be the late one."""

    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(1) + (question.reply(2) if question.nth == 1 else b"")

    async with misbehaving(behave, rtu=True) as server:
        asker = Asker(server.port, "rtu_tcp")
        with pytest.raises(ReplyError):
            await asker.ask()
        assert await asker.value() == 1
        asker.link.close()


async def test_what_comes_unasked_delays_the_next_question_until_it_is_over() -> None:
    async with misbehaving(right, rtu=True) as server:
        asker = Asker(server.port, "rtu_tcp")
        assert await asker.value() == 1
        late = server.questions[0].reply(666)
        asking = asyncio.create_task(chatter(server, late))
        await asyncio.sleep(0.01)
        assert await asker.value() == 2
        assert asking.done()
        asker.link.close()


@pytest.mark.parametrize(
    ("before", "behind", "later"),
    [(b"\xff\xfe", b"", b""), (b"", b"\x00", b""), (b"", b"", b"\xff"), (b"\x00", b"\x00", b"")],
)
async def test_a_line_that_adds_noise_to_each_reply_loses_none_of_them(
    before: bytes, behind: bytes, later: bytes
) -> None:
    def noisy(question: Question) -> Iterator[Act]:
        yield before + question.reply(question.nth) + behind
        if later:
            yield 0.01
            yield later

    async with misbehaving(noisy, rtu=True) as server:
        asker = Asker(server.port, "rtu_tcp")
        assert [await asker.value() for _ in range(4)] == [1, 2, 3, 4]
        assert server.connections == 1
        asker.link.close()


async def test_a_line_that_echoes_requests_is_read() -> None:
    def echoing(question: Question) -> Iterator[Act]:
        yield question.frame
        yield 0.01
        yield question.reply(question.nth)

    async with misbehaving(echoing, rtu=True) as server:
        asker = Asker(server.port, "rtu_tcp")
        assert [await asker.value() for _ in range(3)] == [1, 2, 3]
        asker.link.close()


async def chatter(server: Misbehaving, data: bytes) -> None:
    for _ in range(5):
        await server.say(data)
        await asyncio.sleep(TIMEOUT_S / 2)


async def test_a_link_that_is_never_silent_is_given_up() -> None:
    async with misbehaving(right, rtu=True) as server:
        asker = Asker(server.port, "rtu_tcp", timeout_s=0.02)
        assert await asker.value() == 1
        babbling = asyncio.create_task(babble(server))
        await asyncio.sleep(0.01)
        with pytest.raises(LinkDown):
            await asker.ask()
        babbling.cancel()
        assert await asker.value() == 2
        assert server.connections == 2
        asker.link.close()


async def babble(server: Misbehaving) -> None:
    while True:
        await server.say(b"\x01")  # 0x00 and 0xff would be taken for noise
        await asyncio.sleep(0.005)


WRONG: dict[str, Callable[[Question], bytes]] = {
    "other unit": lambda q: q.reply(9, unit=q.unit + 1),
    "other function": lambda q: q.reply(9, function=4),
    "other count": lambda q: q.reply(9, count=q.count + 1),
    "not Modbus": lambda q: b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@kinds
@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_reply_is_refused_and_the_next_is_right(kind: LinkKind, wrong: str) -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield WRONG[wrong](question) if question.nth == 1 else question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind)
        with pytest.raises(ReplyError):
            await asker.ask()
        assert await asker.value() == 2
        asker.link.close()


@kinds
async def test_half_a_reply_is_silence_and_its_rest_reaches_nobody(kind: LinkKind) -> None:
    def behave(question: Question) -> Iterator[Act]:
        whole = question.reply(question.nth)
        if question.nth == 1:
            yield whole[:10]
            yield TIMEOUT_S * 1.3
            yield whole[10:]
        else:
            yield TIMEOUT_S * 0.6  # behind the rest
            yield whole

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind)
        with pytest.raises(ReplyTimedOut):
            await asker.ask(count=4)
        assert await asker.value(count=4) == 2
        asker.link.close()


async def test_a_late_frame_that_is_whole_costs_no_connection() -> None:
    """It came while another silent unit was waited for, and nothing of it is missing."""
    late: list[bytes] = []

    def behave(question: Question) -> Iterator[Act]:
        if question.nth == 1:
            late.append(question.reply(666))
        elif question.nth == 2:
            yield late[0][:5]
            yield 0.02
            yield late[0][5:]
        else:
            yield question.reply(question.nth)

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp")
        for _ in range(2):
            with pytest.raises(ReplyTimedOut):
                await asker.ask()
        assert await asker.value() == 3
        assert {question.connection for question in server.questions} == {1}
        asker.link.close()


async def test_half_of_a_late_frame_does_not_put_the_stream_out_of_step() -> None:
    """Its first half comes between two questions, its second with the next reply."""
    first: list[bytes] = []

    def behave(question: Question) -> Iterator[Act]:
        whole = question.reply(question.nth)
        if question.nth == 1:
            first.append(whole)
        else:
            yield first[0][5:] + whole

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp")
        with pytest.raises(ReplyTimedOut):
            await asker.ask()
        await server.say(first[0][:5])
        await asyncio.sleep(0.02)
        assert await asker.value() == 2
        asker.link.close()


async def test_a_late_frame_never_fills_up_a_reply_that_lacks_its_end() -> None:
    """It was found by a day of every fault: three bytes of another meter's late reply became the
    last registers of a truncated one, and TCP has no checksum."""
    first: list[bytes] = []

    def behave(question: Question) -> Iterator[Act]:
        whole = question.reply(question.nth)
        if question.nth == 1:
            first.append(whole)
        elif question.nth == 2:
            yield whole[:-3]
            yield first[0]
        else:
            yield whole

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp")
        with pytest.raises(ReplyTimedOut):
            await asker.ask()
        with pytest.raises(ReplyError, match="bytes follow"):
            await asker.ask()
        assert await asker.value() == 3
        assert server.most_open == 1
        asker.link.close()


async def test_a_reply_that_is_sent_twice_is_an_answer_where_replies_have_numbers() -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(question.nth) * 2

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp", timeout_s=1.0)
        assert [await asker.value() for _ in range(4)] == [1, 2, 3, 4]
        assert server.connections == 1
        asker.link.close()


@kinds
async def test_a_refusal_leaves_the_link_as_it_is(kind: LinkKind) -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield question.refusal(2) if question.nth % 2 else question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind)
        for nth in (2, 4):
            with pytest.raises(DeviceRefused):
                await asker.ask()
            assert await asker.value() == nth
        assert server.connections == 1
        asker.link.close()


@kinds
async def test_a_reset_costs_one_question(kind: LinkKind) -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield None if question.nth == 1 else question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind, timeout_s=0.5)
        with pytest.raises(NewLinkClosed, match="closes new connections"):
            await asker.ask()
        assert await asker.value() == 2
        asker.link.close()


@kinds
async def test_a_question_that_closes_every_connection_is_no_link_that_is_down(
    kind: LinkKind,
) -> None:
    """Some gateways close the connection at a request to a unit that they don't know."""

    def behave(question: Question) -> Iterator[Act]:
        yield None if question.unit == 9 else question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind, timeout_s=0.3)
        for nth in (1, 4):
            assert await asker.value() == nth
            with pytest.raises(IdleLinkClosed):
                await asker.ask(unit=9)
            with pytest.raises(LinkError) as broken:
                await asker.ask(unit=9)
            assert isinstance(broken.value, NewLinkClosed)
        asker.link.close()


@kinds
async def test_a_gateway_that_hangs_up_between_two_questions_costs_none(kind: LinkKind) -> None:
    async with misbehaving(right, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind)
        assert await asker.value() == 1
        server.hang_up()
        await asyncio.sleep(0.02)
        assert await asker.value() == 2
        assert server.most_open == 1
        asker.link.close()


@kinds
async def test_a_connection_without_a_word_is_given_up_and_never_doubled(kind: LinkKind) -> None:
    """After a power cut, a gateway has forgotten the connection."""

    def behave(question: Question) -> Iterator[Act]:
        if question.connection > 1:
            yield question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind, timeout_s=0.03)
        for _ in range(3):
            with pytest.raises(ReplyTimedOut):
                await asker.ask()
        assert await asker.value() == 4
        assert server.connections == 2
        assert server.most_open == 1
        asker.link.close()


async def test_a_closed_port_is_a_link_that_is_down() -> None:
    asker = Asker(free_port(), "tcp")
    with pytest.raises(LinkDown):
        await asker.ask()


@kinds
async def test_a_question_that_is_cancelled_leaves_nothing_behind(kind: LinkKind) -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield 0.05
        yield question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind, timeout_s=0.2)
        asking = asyncio.create_task(asker.ask())
        await server.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asker.value() == 2
        assert server.most_open == 1
        asker.link.close()


async def test_a_connection_that_was_closed_while_idle_is_told_from_one_that_breaks() -> None:
    """The gateway closes it, and that is on its way while the next question is sent."""

    def behave(question: Question) -> Iterator[Act]:
        yield None if question.nth == 2 else question.reply(question.nth)

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp", timeout_s=2.0)
        assert await asker.value() == 1
        with pytest.raises(IdleLinkClosed):
            await asker.ask()
        assert await asker.value() == 3
        assert server.most_open == 1
        asker.link.close()


async def test_a_gateway_that_gives_up_on_its_meter_has_not_hung_up_while_idle() -> None:
    """Its meter is silent, and asking again at once would cost another time-out."""

    def behave(question: Question) -> Iterator[Act]:
        if question.nth == 2:
            yield 0.7
            yield None
        yield question.reply(question.nth)

    async with misbehaving(behave) as server:
        asker = Asker(server.port, "tcp", timeout_s=1.0)
        assert await asker.value() == 1
        with pytest.raises(LinkError) as broken:
            await asker.ask()
        assert type(broken.value) is Unanswered
        asker.link.close()


@kinds
async def test_the_bus_rests_between_a_reply_and_the_next_question(kind: LinkKind) -> None:
    """Measured by the server, from before its reply left to after the question came."""
    replied_s: list[float] = []
    asked_s: list[float] = []

    def behave(question: Question) -> Iterator[Act]:
        asked_s.append(asyncio.get_running_loop().time())
        replied_s.append(asked_s[-1])
        yield question.refusal(2) if question.nth == 3 else question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        asker = Asker(server.port, kind, timeout_s=0.5, delay_s=0.05)
        assert [await asker.value(), await asker.value()] == [1, 2]
        with pytest.raises(DeviceRefused):
            await asker.ask()
        assert [await asker.value(), await asker.value()] == [4, 5]
        asker.link.close()
    gaps = [asked - replied for replied, asked in zip(replied_s, asked_s[1:], strict=False)]
    assert len(gaps) == 4
    assert min(gaps) >= 0.045


async def test_a_connection_is_kept_alive_through_firewalls() -> None:
    """One that forgets idle connections would cost the first question of each quarter-hour."""
    async with misbehaving(right) as server:
        asker = Asker(server.port, "tcp")
        await asker.ask()
        wire = asker.link._connection
        assert wire is not None
        end = wire._transport.get_extra_info("socket")
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert 0 < end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60
        asker.link.close()


async def test_a_serial_server_that_closes_new_connections_has_not_just_been_idle() -> None:
    """It does so while it is listened to, before any question."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        asker = Asker(server.sockets[0].getsockname()[1], "rtu_tcp")
        with pytest.raises(NewLinkClosed):
            await asker.ask()
        asker.link.close()
