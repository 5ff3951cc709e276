"""The system's clock jumps, slews and starts in 1970; it is believed only where it may be."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.timekeeper import EARLIEST_MS, Jump, Timekeeper

START_MS = 1_795_000_000_000


def test_a_clock_that_runs_is_believed_and_does_not_jump() -> None:
    keeper = Timekeeper(START_MS, 100.0)
    assert keeper.plausible
    # A time service that slews as fast as it may: half a millisecond a second.
    for second in range(1, 600):
        assert keeper.look(START_MS + round(1000.5 * second), 100.0 + second) is None
    assert keeper.jumps == 0


def test_a_jump_is_told_once_with_its_size_in_either_direction() -> None:
    keeper = Timekeeper(START_MS, 100.0)
    assert keeper.look(START_MS + 3_601_000, 101.0) == Jump(3_600_000, START_MS + 3_601_000)
    assert keeper.look(START_MS + 3_602_000, 102.0) is None
    assert keeper.look(START_MS + 3000, 103.0) == Jump(-3_600_000, START_MS + 3000)
    assert keeper.jumps == 2


def test_a_box_without_a_battery_is_believed_once_its_clock_is_set() -> None:
    keeper = Timekeeper(40_000, 40.0)
    assert not keeper.plausible
    assert keeper.look(41_000, 41.0) is None
    assert keeper.look(START_MS, 42.0) is not None
    assert keeper.plausible
    assert keeper.offset_ms == START_MS - 42_000


def test_no_clock_of_before_2018_is_believed() -> None:
    assert not Timekeeper(EARLIEST_MS - 1, 5.0).plausible
    assert Timekeeper(EARLIEST_MS, 5.0).plausible


@given(st.lists(st.tuples(st.floats(0.5, 2.0), st.integers(-1000, 1000)), min_size=1, max_size=50))
def test_the_offset_is_always_the_distance_of_the_clocks(steps: list[tuple[float, int]]) -> None:
    now_ms, monotonic_s = START_MS, 10.0
    keeper = Timekeeper(now_ms, monotonic_s)
    for seconds, slew_ms in steps:
        monotonic_s += seconds
        now_ms += round(1000 * seconds) + slew_ms
        keeper.look(now_ms, monotonic_s)
        assert keeper.offset_ms == now_ms - round(1000 * monotonic_s)
