"""Halving finds every bad line, stores every other one, and asks a bounded number of times."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.storage.line_writer import LineWriter, NothingAccepted, RefusedLine
from jieneng.storage.store import UNCLEAR, UNTRIED
from jieneng.storage.write_answers import WriteAnswer, read_answer
from tests.storage.refusing_server import RefusingServer

KNOWN = (400, '{"error":"partial write: points beyond retention policy dropped=%d"}')
UNKNOWN = (400, '{"error":"the frobnicator says no"}')


def refuse(bad: Sequence[str], lines: Sequence[str]) -> tuple[int, str]:
    if all("odd" in line for line in bad):
        return UNKNOWN
    return KNOWN[0], KNOWN[1] % len([line for line in bad if "old" in line])


class Rig:
    """A writer on a server that refuses `old` in known words and `odd` in unknown ones."""

    def __init__(self, *, keeps_good_lines: bool = True) -> None:
        self.server = RefusingServer(
            lambda line: "old" in line or "odd" in line, refuse, keeps_good_lines=keeps_good_lines
        )
        self.writer = LineWriter(self.send, random.Random(1))

    async def send(self, body: bytes) -> WriteAnswer:
        status, text = self.server.write(body.decode().split("\n"))
        return read_answer(status, text.encode())

    async def write(self, kinds: Sequence[str]) -> list[RefusedLine]:
        found = await self.writer.write(
            [f"e,m={kind} v={i} {i}".encode() for i, kind in enumerate(kinds)]
        )
        assert not isinstance(found, NothingAccepted)
        return found


@given(
    st.lists(st.sampled_from(["good", "good", "old", "odd"]), max_size=60).filter(
        lambda kinds: "good" in kinds or not kinds
    ),
    st.booleans(),
)
async def test_each_bad_line_stands_alone_and_all_others_are_stored(
    kinds: list[str], keeps_good_lines: bool
) -> None:
    rig = Rig(keeps_good_lines=keeps_good_lines)
    refused = await rig.write(kinds)
    assert [(one.number, one.code) for one in refused] == [
        (i, "retention" if kind == "old" else UNCLEAR)
        for i, kind in enumerate(kinds)
        if kind != "good"
    ]
    assert len(rig.server.stored) == kinds.count("good")


@given(st.lists(st.sampled_from(["good", "odd", "old"]), min_size=2, max_size=30))
async def test_of_two_values_of_a_point_the_later_is_stored_also_after_halving(
    kinds: list[str],
) -> None:
    rig = Rig()
    lines = [f"e,m={kind} v={i} 1".encode() for i, kind in enumerate(kinds)]
    if isinstance(await rig.writer.write(lines), NothingAccepted):
        assert "good" not in kinds
        return
    last = max((i for i, kind in enumerate(kinds) if kind == "good"), default=None)
    expected = {} if last is None else {("e,m=good", "1"): f"v={last}"}
    assert rig.server.stored == expected


async def test_all_of_a_large_write_refused_at_once_costs_one_request_for_each_part() -> None:
    rig = Rig()
    refused = await rig.write(["old"] * 12_000)
    assert len(refused) == 12_000
    assert rig.server.requests == 3


@pytest.mark.parametrize("count", [1, 2, 33, 5000, 12_000])
async def test_a_server_that_refuses_everything_in_unknown_words_is_asked_a_few_times(
    count: int,
) -> None:
    rig = Rig()
    found = await rig.writer.write([f"e,m=odd v={i} {i}".encode() for i in range(count)])
    assert isinstance(found, NothingAccepted)
    assert "frobnicator" in found.words
    assert rig.server.requests <= 34


async def test_a_line_refused_alone_is_suspect_only_if_the_server_takes_what_it_took_before() -> (
    None
):
    rig = Rig()
    assert isinstance(await rig.writer.write([b"e,m=odd v=1 1"]), NothingAccepted)
    assert await rig.write(["good"]) == []
    (refused,) = await rig.write(["odd"])
    assert refused.code == UNCLEAR
    rig.server.is_bad = lambda _: True
    rig.server.refusal = lambda _, __: UNKNOWN
    assert isinstance(await rig.writer.write([b"e,m=odd v=1 1"]), NothingAccepted)


@pytest.mark.parametrize("kinds", [["odd"] * 100 + ["good"] * 900, ["good"] * 900 + ["odd"] * 100])
async def test_bad_lines_side_by_side_do_not_look_like_a_server_in_trouble(
    kinds: list[str],
) -> None:
    rig = Rig(keeps_good_lines=False)
    refused = await rig.write(kinds)
    assert len(refused) == 100
    assert len(rig.server.stored) == 900


async def test_many_unclear_lines_cost_a_bounded_number_of_requests_and_none_is_forgotten() -> None:
    rig = Rig(keeps_good_lines=False)
    kinds = ["good", "odd"] * 6000
    refused = await rig.write(kinds)
    assert rig.server.requests < 1100
    assert {one.code for one in refused} == {UNCLEAR, UNTRIED}
    assert [one.number for one in refused if one.code == UNCLEAR] == list(
        range(1, 2 * len([one for one in refused if one.code == UNCLEAR]), 2)
    )
    listed = {one.number for one in refused}
    stored = {int(time) for _, time in rig.server.stored}
    assert stored | listed == set(range(len(kinds)))
    assert all(kinds[number] == "good" for number in stored)
    again = await rig.write([kinds[one.number] for one in refused if one.code == UNTRIED])
    assert [one for one in again if one.code == UNCLEAR]


async def test_trouble_ends_the_write() -> None:
    rig = Rig()

    class Away(Exception):
        pass

    async def send(body: bytes) -> WriteAnswer:
        if rig.server.requests == 3:
            raise Away
        return await rig.send(body)

    with pytest.raises(Away):
        await LineWriter(send).write([f"e,m=odd v={i} {i}".encode() for i in range(10)])
