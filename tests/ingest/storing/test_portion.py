"""A message that fails is soon written alone, and a backlog is soon written after an outage."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.storing.portion import Portion


def writes_until_done(count: int, poison: set[int], limit: int = 10_000) -> tuple[int, set[int]]:
    """Write messages of which some always fail. Return the writes, and who was blamed."""
    portion, waiting, blamed = Portion(), list(range(count)), set[int]()
    for number in range(limit):
        if not waiting:
            return number, blamed
        size = portion.size(len(waiting))
        batch, waiting = waiting[:size], waiting[size:]
        if not poison.isdisjoint(batch):
            if portion.failed(len(batch)):
                blamed.update(batch)
            else:
                waiting += batch
        else:
            portion.succeeded(is_all=not waiting)
    raise AssertionError("it never ends")


@given(st.integers(1, 300), st.sets(st.integers(0, 299), max_size=3))
def test_everything_else_passes_and_only_the_guilty_are_blamed(
    count: int, poison: set[int]
) -> None:
    poison = {number % count for number in poison}
    if len(poison) < count:
        writes, blamed = writes_until_done(count, poison)
        assert blamed == poison
        assert writes <= 12 * 10 * (len(poison) + 1)


def test_a_store_that_takes_nothing_blames_nobody_and_is_caught_up_with() -> None:
    portion = Portion()
    assert portion.size(1000) == 1000
    for _ in range(100):
        assert not portion.failed(portion.size(1000))
    assert portion.size(1000) == 1
    left, writes = 1000, 0
    while left:
        left -= portion.size(left)
        portion.succeeded(is_all=not left)
        writes += 1
    assert writes <= 10
    assert portion.size(1000) == 1000
