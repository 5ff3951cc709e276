"""A message that can't be acknowledged yet is not tried before it is due, and memory is limited."""

import pytest

from ingest.storing.postponed import Postponed


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


KEY = ("agent-1", "6f1c2a9e", 1)


def test_the_wait_doubles_up_to_a_limit() -> None:
    clock = Clock()
    postponed = Postponed(clock, 5.0)
    waits = []
    for _ in range(9):
        assert postponed.is_due(KEY)
        postponed.postpone(KEY)
        begin_s = clock.now_s
        while not postponed.is_due(KEY):
            clock.now_s += 5.0
        waits.append(clock.now_s - begin_s)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    postponed.forget(KEY)
    assert len(postponed) == 0


@pytest.mark.parametrize("count", [10, 1000])
def test_the_longest_known_are_forgotten_first(count: int) -> None:
    postponed = Postponed(Clock(), 5.0, most=10)
    for seq in range(count):
        postponed.postpone(("a", "b", seq))
    assert len(postponed) == 10
    assert not postponed.is_due(("a", "b", count - 1))
    assert postponed.is_due(("a", "b", count - 11))
    postponed.clear()
    assert postponed.is_due(("a", "b", count - 1))
