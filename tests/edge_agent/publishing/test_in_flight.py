"""Batches in flight: the order of sending, and repetitions."""

import itertools
import math
import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.publishing.in_flight import InFlight
from edge_agent.publishing.trials import TRIALS
from edge_agent.spool.queued_batch import BatchKey, QueueEnds, QueueEntry
from jieneng.metering.reading import Ack

ONE, TWO, THREE = ("aaaaaaaa", 1), ("aaaaaaaa", 2), ("bbbbbbbb", 1)
MANY = 1000


def spool(*keys: BatchKey, in_flight: InFlight | None = None, size_bytes: int = 100) -> QueueEnds:
    """Return both ends of a queue of these batches."""
    entries = [QueueEntry(key, size_bytes) for key in keys]
    size = MANY if in_flight is None else in_flight.size
    gone = [] if in_flight is None else [key for key in in_flight.keys if key not in keys]
    return QueueEnds(entries[:size], entries[::-1][:size], gone)


def ack(*keys: BatchKey) -> Ack:
    """Return the acknowledgement of batches of one boot as stored."""
    return Ack(keys[0][0], tuple((seq, seq) for _, seq in keys))


def sent_at(
    in_flight: InFlight, ends: QueueEnds, until_s: float, step_s: float = 1.0
) -> list[float]:
    """Return the times at which the first batch is sent if it is never acknowledged."""
    found, now_s = [], 0.0
    while now_s <= until_s:
        due = in_flight.due(ends, now_s, MANY)
        if ends.oldest[0].key in due:
            found.append(now_s)
        in_flight.mark_sent(due, now_s)
        now_s += step_s
    return found


def test_new_batches_are_due_at_once_and_only_once() -> None:
    in_flight = InFlight(10.0, 20)
    assert set(in_flight.due(spool(ONE, TWO), 0.0, MANY)) == {ONE, TWO}
    in_flight.mark_sent([ONE, TWO], 0.0)
    assert in_flight.due(spool(ONE, TWO, THREE), 1.0, MANY) == [THREE]


def test_a_batch_without_an_answer_goes_again_ever_later() -> None:
    times = sent_at(InFlight(10.0, 20), spool(ONE), 800.0)
    assert times == [0, 10, 30, 70, 150, 310, 470, 630, 790]


def test_any_answer_sends_again_what_has_waited() -> None:
    """Hours of silence end with the first acknowledgement, not with the longest time-out."""
    in_flight = InFlight(10.0, 20)
    sent_at(in_flight, spool(ONE, TWO), 500.0)
    assert in_flight.due(spool(ONE, TWO), 501.0, MANY) == []
    in_flight.acknowledged([ack(ONE)], 501.0)
    assert in_flight.due(spool(TWO, in_flight=in_flight), 501.0, MANY) == [TWO]


def test_a_batch_that_left_the_spool_is_forgotten() -> None:
    in_flight = InFlight(10.0, 20)
    in_flight.mark_sent(in_flight.due(spool(ONE, TWO), 0.0, MANY), 0.0)
    assert in_flight.due(spool(TWO, in_flight=in_flight), 1.0, MANY) == []
    assert in_flight.due(spool(in_flight=in_flight), 2.0, MANY) == []
    assert in_flight.next_due_s() == math.inf


def test_a_batch_that_could_not_be_read_is_asked_for_again() -> None:
    in_flight = InFlight(10.0, 20)
    assert in_flight.due(spool(ONE), 0.0, MANY) == [ONE]  # and never sent
    assert in_flight.next_due_s() == 10.0
    assert in_flight.due(spool(ONE), 10.0, MANY) == [ONE]


def test_the_next_due_time_is_the_earliest() -> None:
    in_flight = InFlight(10.0, 20)
    assert in_flight.next_due_s() == math.inf
    in_flight.mark_sent(in_flight.due(spool(ONE), 0.0, MANY), 0.0)
    in_flight.mark_sent(in_flight.due(spool(ONE, TWO), 4.0, MANY), 4.0)
    assert in_flight.next_due_s() == 10.0


def test_both_ends_go_in_turn() -> None:
    keys = [(ONE[0], number) for number in range(1, 101)]
    in_flight = InFlight(10.0, 6)
    due = in_flight.due(spool(*keys, in_flight=in_flight), 0.0, MANY)
    assert [seq for _, seq in due] == [100, 1, 99, 2, 98, 3]


def test_newest_first_leaves_the_oldest_for_last() -> None:
    keys = [(ONE[0], number) for number in range(1, 101)]
    in_flight = InFlight(10.0, 6, newest_first=True)
    due = in_flight.due(spool(*keys, in_flight=in_flight), 0.0, MANY)
    assert [seq for _, seq in due] == [100, 99, 98, 97, 96, 95]


def test_bytes_bound_what_is_under_way_but_a_large_batch_goes_alone() -> None:
    keys = [(ONE[0], number) for number in range(1, 101)]
    in_flight = InFlight(10.0, 50)
    assert len(in_flight.due(spool(*keys, in_flight=in_flight, size_bytes=2**20), 0.0, MANY)) == 4
    in_flight = InFlight(10.0, 50)
    assert len(in_flight.due(spool(*keys, in_flight=in_flight, size_bytes=2**30), 0.0, MANY)) == 1


@pytest.mark.parametrize("newest_first", [False, True])
@given(
    backlog=st.integers(0, 60),
    size=st.integers(1, 9),
    most=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_live_batches_are_never_starved_and_the_backlog_always_ends(
    newest_first: bool, backlog: int, size: int, most: int, seed: int
) -> None:
    """A backlog, what is read meanwhile, acknowledgements in any order, and some that are lost.

    Whatever becomes free goes to the newest at least every second time: with one answer a round and
    one new batch a round, at most one of the new ones more waits for each two rounds.
    """
    pending, live = [(ONE[0], number) for number in range(1, backlog + 1)], count(1)
    chance = random.Random(seed)
    in_flight, now_s = InFlight(10.0, size, newest_first=newest_first), 0.0
    last_live: BatchKey | None = None
    waited = 0
    for _ in range(200):
        now_s += 1.0
        due = in_flight.due(spool(*pending, in_flight=in_flight), now_s, most)
        assert len(due) <= most
        assert len(set(due)) == len(due)
        assert len(in_flight.keys) <= size
        assert set(due) <= set(pending)
        in_flight.mark_sent(due, now_s)
        for key in in_flight.take_parked():  # the test below tells what becomes of them
            pending.remove(key)
        if last_live in in_flight.keys or last_live not in pending:
            last_live, waited = (THREE[0], next(live)), 0
            if len(pending) < 80:
                pending.append(last_live)
        else:
            waited += 1
        assert waited <= 2
        if in_flight.keys:
            answered = chance.choice(sorted(in_flight.keys))
            pending.remove(answered)
            in_flight.acknowledged([ack(answered)], now_s)
    for _ in range(500):
        if not pending:
            break
        now_s += 1.0
        in_flight.mark_sent(in_flight.due(spool(*pending, in_flight=in_flight), now_s, most), now_s)
        for key in (*in_flight.take_parked(), *in_flight.keys):
            pending.remove(key)
    assert pending == []


class Queue:
    """A spool with its parked batches, and an ingest that acknowledges all but some.

    Attributes:
        ready: batches that are in the ends of the queue.
        parked: the others, by the row id that they would have.
        sent: each send of a batch: its key and the time.
    """

    def __init__(self, in_flight: InFlight, never: set[BatchKey]) -> None:
        self.in_flight = in_flight
        self.never = never
        self.ready: list[BatchKey] = []
        self.parked: dict[int, BatchKey] = {}
        self.sent: list[tuple[BatchKey, float]] = []
        self._numbers: dict[BatchKey, int] = {}

    def put(self, *keys: BatchKey) -> None:
        self.ready += keys
        for key in keys:
            self._numbers[key] = len(self._numbers) + 1

    def step(self, now_s: float, most: int = 8) -> None:
        """Send what is due, park what is to be parked, and acknowledge at once."""
        flight, due = self.in_flight, None
        while due is None or len(due) == most:
            there = {*self.ready, *self.parked.values()}
            wanted = flight.wanted_parked(now_s)
            parked = None
            if wanted is not None:
                behind = sorted(one for one in self.parked if one - 2**62 > wanted[0])
                parked = [
                    QueueEntry(self.parked[one], 100, one - 2**62) for one in behind[: wanted[1]]
                ]
            ends = spool(*self.ready, in_flight=flight)
            gone = [key for key in flight.keys if key not in there]
            ends = QueueEnds(ends.oldest, ends.newest, gone, parked)
            due = flight.due(ends, now_s, most)
            for key in flight.take_parked():
                self.ready.remove(key)
                self.parked[self._numbers[key]] = key
            assert len(due) <= most
            assert len(set(due)) == len(due)
            flight.mark_sent(due, now_s)
            self.sent += [(key, now_s) for key in due]
            if done := [key for key in due if key not in self.never]:
                for boot in {boot for boot, _ in done}:
                    flight.acknowledged([ack(*(key for key in done if key[0] == boot))], now_s)
                self.ready = [key for key in self.ready if key not in done]
                self.parked = {n: key for n, key in self.parked.items() if key not in done}


@pytest.mark.parametrize("newest_first", [False, True])
@settings(max_examples=30)
@given(data=st.data())
def test_batches_that_are_never_acknowledged_stop_no_other(
    newest_first: bool, data: st.DataObject
) -> None:
    """However many there are: soon each live batch goes in the round in which it was put."""
    size = data.draw(st.integers(1, 20))
    bad = data.draw(st.integers(0, 60))
    queue = Queue(InFlight(1.0, size, newest_first=newest_first), set())
    poison = [(ONE[0], number) for number in range(1, bad + 1)]
    queue.never.update(poison)
    queue.put(*poison)
    live = count(1)
    for now_s in range(1, 300):
        if now_s % 5 == 0:
            queue.put((THREE[0], next(live)))
        queue.step(float(now_s))
        assert len(queue.in_flight.keys) <= size + TRIALS + 1
    assert sorted([*queue.parked.values(), *queue.ready]) == poison
    queue.never.clear()  # the cause is removed
    for now_s in range(300, 6000, 50):
        queue.step(float(now_s))
    assert queue.ready == []
    assert queue.parked == {}


def test_nothing_is_parked_while_nothing_is_acknowledged() -> None:
    queue = Queue(InFlight(10.0, 20), {ONE, TWO, THREE})
    queue.put(ONE, TWO, THREE)
    for now_s in range(0, 10_000, 10):
        queue.step(float(now_s))
    assert queue.parked == {}


def test_a_batch_whose_three_sends_were_passed_over_is_tried_ever_later() -> None:
    queue = Queue(InFlight(10.0, 20), {ONE})
    queue.put(ONE)
    for now_s in range(6000):
        queue.put((THREE[0], now_s + 1))
        queue.step(float(now_s))
        assert queue.ready in ([ONE], [])
    times = [now_s for key, now_s in queue.sent if key == ONE]
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert waits[:2] == [10.0, 10.0]
    assert all(before <= after for before, after in itertools.pairwise(waits[2:]))
    assert 1200.0 <= waits[-1] < 1202.0, "20 minutes, and the steps of this test"
