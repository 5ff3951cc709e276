"""A sum equals its parts, to the last digit, however many of them are evaluated at once."""

from collections.abc import Sequence

import numpy as np
import pytest

from simulators.load.daily_totals import PAGE_DAYS
from simulators.load.load import DAY_MS, HOUR_MS, DayShape, Load, LoadPart, LoadTerm, ShapedLoad
from simulators.load.replayed_load import from_intervals
from simulators.load.seeded_noise import Floats, Ints, noise_key, uniform
from simulators.load.summed_load import SummedLoad

DAYS = 3 * PAGE_DAYS
SHAPES = [DayShape(1.0 + uniform(9, 24 * number + np.arange(24))) for number in range(4)]
EDGE_MS = PAGE_DAYS * DAY_MS
MOMENTS = {
    "a moment": np.asarray([EDGE_MS + 12_345_678]),
    "midnight between two pages": EDGE_MS + 500 * np.arange(-100, 100),
    "a week of minutes": 40 * DAY_MS + 60_000 * np.arange(7 * 1440),
    "its whole life, and before and after": HOUR_MS * np.arange(-50, DAYS * 24 + 50),
    "far apart, and back again": np.asarray([0, 150 * DAY_MS, 3 * DAY_MS, 70 * DAY_MS]),
    "never": np.zeros(0, dtype=np.int64),
}


class Veiled:
    """A load that others may look through, as long as it is not `hidden`."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.hidden = False
        self.asked = 0

    def parts(self) -> Sequence[LoadPart]:
        return () if self.hidden else (LoadPart(1.0, self.load),)

    def consumption(self, t_ms: Ints) -> Floats:
        self.asked += 1
        return self.load.consumption(t_ms) + (1000.0 if self.hidden else 0.0)

    def rate(self, t_ms: Ints) -> Floats:
        self.asked += 1
        return self.load.rate(t_ms)


def leaf(number: int, days: int = DAYS) -> ShapedLoad:
    """A load of one to four terms."""
    terms = [
        LoadTerm(10.0 * uniform(noise_key(number, turn), np.arange(days)), SHAPES[turn])
        for turn in range(1 + number % 4)
    ]
    return ShapedLoad(0, terms, noise_key=noise_key(number))


def sum_of(parts: Sequence[Load], *, factor: float) -> SummedLoad:
    return SummedLoad([LoadPart(factor, part) for part in parts])


def one_by_one(load: Load, what: str, t_ms: Ints) -> Floats:
    """What a sum is, by its definition."""
    if isinstance(load, Veiled):
        return one_by_one(load.load, what, t_ms)
    if not isinstance(load, SummedLoad):
        return load.consumption(t_ms) if what == "consumption" else load.rate(t_ms)
    added = np.zeros(len(t_ms))
    for part in load.parts():
        added = added + part.factor * one_by_one(part.load, what, t_ms)
    return added


@pytest.fixture(scope="module")
def main() -> SummedLoad:
    """A main of 12 buildings with 25 loads each, of a load of its own, and of strange ones."""
    hours = HOUR_MS * np.arange(24 * 100)
    replayed = from_intervals(hours, 7.0 * uniform(4, np.arange(24 * 100)))
    houses = [
        Veiled(
            sum_of([Veiled(leaf(100 * house + one)) for one in range(25)], factor=1.0 + house / 99)
        )
        for house in range(12)
    ]
    return sum_of([*houses, leaf(5000), Veiled(replayed), leaf(6000, days=100)], factor=1.015)


@pytest.mark.parametrize("moments", MOMENTS.values(), ids=MOMENTS)
def test_a_sum_is_its_parts_one_by_one(main: SummedLoad, moments: Ints) -> None:
    """Bit for bit."""
    consumption, rate = main.consumption(moments), main.rate(moments)
    assert (consumption == one_by_one(main, "consumption", moments)).all()
    assert (rate == one_by_one(main, "rate", moments)).all()
    for at in range(0, len(moments), max(len(moments) // 5, 1)):
        assert main.consumption(moments[at : at + 1])[0] == consumption[at]
        assert main.rate(moments[at : at + 1])[0] == rate[at]


def test_a_load_that_others_can_look_through_is_asked_only_while_it_hides() -> None:
    veiled = [Veiled(leaf(number)) for number in range(3)]
    total = sum_of(veiled, factor=2.0)
    now = np.asarray([50 * DAY_MS])
    clear = total.consumption(now)[0]
    assert [one.asked for one in veiled] == [0, 0, 0]
    veiled[1].hidden = True
    assert total.consumption(now)[0] == pytest.approx(clear + 2000.0, rel=1e-12)
    assert [one.asked for one in veiled] == [0, 1, 0]
    veiled[1].hidden = False
    assert total.consumption(now)[0] == clear
    assert [one.asked for one in veiled] == [0, 1, 0]
