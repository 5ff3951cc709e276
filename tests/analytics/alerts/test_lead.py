"""The lead is held by exactly one copy, whichever copy starts, dies, hangs or has a wrong clock."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.lead import TAKEOVER_LOOKS, Claim, Lead

NOW_MS = 1_795_000_000_000
STEP_MS = 10_000
HOUR_MS = 3_600_000


class Copies:
    """Copies of the service around a store; each takes its turn in a round."""

    def __init__(self) -> None:
        self.stored: dict[str, Claim] = {}
        self.leads: dict[str, Lead] = {}
        self.clock_errors_ms: dict[str, int] = {}
        self.now_ms = NOW_MS

    def start(self, copy: str, clock_error_ms: int = 0) -> None:
        self.leads[copy] = Lead(copy)
        self.clock_errors_ms[copy] = clock_error_ms

    def kill(self, copy: str) -> None:
        del self.leads[copy]

    def turn(self, copy: str) -> None:
        lead, now_ms = self.leads[copy], self.now_ms + self.clock_errors_ms[copy]
        lead.look(self.stored, now_ms)
        self.stored[copy] = Claim(now_ms, lead.has_claim)

    def rounds(self, number: int) -> list[str]:
        """Return the holders of each round."""
        holders = []
        for _ in range(number):
            self.now_ms += STEP_MS
            for copy in list(self.leads):
                self.turn(copy)
            holders.append("".join(copy for copy, lead in self.leads.items() if lead.is_holder))
        return holders


def test_a_copy_alone_has_the_lead_from_its_second_round_on() -> None:
    copies = Copies()
    copies.start("a")
    assert copies.rounds(3) == ["", "a", "a"]


def test_the_holder_keeps_the_lead_when_others_start() -> None:
    copies = Copies()
    copies.start("b")
    copies.rounds(2)
    copies.start("a")
    assert copies.rounds(5) == ["b"] * 5


def test_another_copy_takes_over_after_three_rounds_without_the_holder() -> None:
    copies = Copies()
    copies.start("a")
    copies.start("b")
    assert copies.rounds(4)[-1] == "a"
    copies.kill("a")
    assert copies.rounds(6) == ["", "", "", "b", "b", "b"]
    copies.start("a")
    assert copies.rounds(5) == ["b"] * 5


def test_a_holder_that_starts_again_goes_on_at_once() -> None:
    copies = Copies()
    copies.start("a")
    copies.start("b")
    copies.rounds(4)
    copies.kill("a")
    copies.start("a")
    assert copies.rounds(2) == ["a", "a"]


def test_a_clock_that_is_wrong_costs_nobody_the_lead() -> None:
    for error_ms in (-50 * 60_000, 50 * 60_000):
        copies = Copies()
        copies.start("a", error_ms)
        copies.rounds(3)
        copies.start("b")
        assert copies.rounds(10) == ["a"] * 10


def test_a_round_of_yesterday_holds_nobody_up() -> None:
    copies = Copies()
    copies.stored["gone"] = Claim(NOW_MS - 2 * HOUR_MS, is_holder=True)
    copies.start("a")
    assert copies.rounds(3) == ["", "a", "a"]


def test_a_holder_that_hung_yields_to_the_one_that_took_over_or_keeps_it_if_lower() -> None:
    """Whichever: after one round there is one."""
    for hung in "ab":
        copies = Copies()
        copies.start(hung)
        copies.rounds(2)
        other = "b" if hung == "a" else "a"
        copies.start(other)
        copies.rounds(1)
        sleeping = copies.leads.pop(hung)
        copies.rounds(TAKEOVER_LOOKS + 2)
        copies.leads[hung] = sleeping
        copies.rounds(2)
        assert copies.rounds(3) == ["a"] * 3


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("turn"), st.sampled_from("abc")),
            st.tuples(st.sampled_from(["start", "kill"]), st.sampled_from("abc")),
        ),
        max_size=60,
    )
)
def test_after_any_history_one_living_copy_has_the_lead_before_long(
    history: list[tuple[str, str]],
) -> None:
    copies = Copies()
    acts: dict[str, Callable[[str], None]] = {
        "turn": lambda copy: copies.turn(copy) if copy in copies.leads else None,
        "start": copies.start,
        "kill": lambda copy: copies.kill(copy) if copy in copies.leads else None,
    }
    copies.start("a")
    for what, copy in history:
        copies.now_ms += STEP_MS
        acts[what](copy)
    if not copies.leads:
        copies.start("b")
    copies.rounds(TAKEOVER_LOOKS + 4)
    holders = copies.rounds(3)
    assert len(holders[0]) == 1
    assert len(set(holders)) == 1
