"""The system clock jumps, slews and starts in 1970; it is trusted only if it may be right."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.timekeeping.clock_trust import EARLIEST_MS, RUNNING_TIME_EPOCH_MS, ClockTrust

START_MS = 1_795_000_000_000


def test_a_clock_that_runs_is_believed_and_does_not_jump() -> None:
    trust = ClockTrust(START_MS, 100_000)
    assert trust.is_plausible
    # A time service that slews as fast as it may: half a millisecond a second.
    for second in range(1, 600):
        assert trust.update(START_MS + round(1000.5 * second), 100_000 + 1000 * second) is None
    assert trust.jumps == 0


def test_a_jump_is_told_once_with_its_size_in_either_direction() -> None:
    trust = ClockTrust(START_MS, 100_000)
    assert trust.update(START_MS + 3_601_000, 101_000) == 3_600_000
    assert trust.update(START_MS + 3_602_000, 102_000) is None
    assert trust.update(START_MS + 3000, 103_000) == -3_600_000
    assert trust.jumps == 2


def test_a_box_without_a_battery_is_believed_once_its_clock_is_set() -> None:
    trust = ClockTrust(40_000, 40_000)
    assert not trust.is_plausible
    assert trust.update(41_000, 41_000) is None
    assert trust.update(START_MS, 42_000) is not None
    assert trust.is_plausible
    assert trust.offset_ms == START_MS - 42_000


def test_no_clock_of_before_2018_is_believed() -> None:
    assert not ClockTrust(EARLIEST_MS - 1, 5000).is_plausible
    assert ClockTrust(EARLIEST_MS, 5000).is_plausible


@given(
    st.lists(st.tuples(st.integers(500, 2000), st.integers(-1000, 1000)), min_size=1, max_size=50)
)
def test_the_offset_is_always_the_distance_of_the_clocks(steps: list[tuple[int, int]]) -> None:
    now_ms, up_ms = START_MS, 10_000
    trust = ClockTrust(now_ms, up_ms)
    for passed_ms, slew_ms in steps:
        up_ms += passed_ms
        now_ms += passed_ms + slew_ms
        trust.update(now_ms, up_ms)
        assert trust.offset_ms == now_ms - up_ms


@given(
    began_ms=st.integers(0, 40 * 365 * 86_400_000),
    jump_ms=st.one_of(st.integers(10_000, 2 * START_MS), st.integers(-START_MS, -10_000)),
    looked_ms=st.integers(0, 10**9),
    jumped_ms=st.integers(0, 1000),
    read_ms=st.integers(0, 1000),
    lasted_ms=st.integers(0, 5000),
)
def test_a_stamp_of_before_the_clock_is_the_running_time_whenever_the_clock_jumps(
    began_ms: int, jump_ms: int, looked_ms: int, jumped_ms: int, read_ms: int, lasted_ms: int
) -> None:
    """Between two looks it jumps and a meter is read, in this order or the other, and what it said
    is kept up to five seconds later."""

    def shown_ms(up_ms: int) -> int:
        return began_ms + up_ms + (jump_ms if up_ms >= looked_ms + jumped_ms else 0)

    trust = ClockTrust(shown_ms(looked_ms) if jumped_ms else began_ms + looked_ms, looked_ms)
    then_ms = looked_ms + read_ms
    now_ms = then_ms + lasted_ms
    stamp = trust.running_time_stamp(shown_ms(then_ms), shown_ms(now_ms), now_ms)
    assert stamp == RUNNING_TIME_EPOCH_MS + then_ms
    assert stamp < EARLIEST_MS
