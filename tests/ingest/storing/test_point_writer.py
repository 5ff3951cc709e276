"""The store's outcome is returned by the index of each point, whatever else is in the write."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from ingest.metrics import Metrics
from ingest.storing.late_days import LATE_MS, LateDays
from ingest.storing.point_writer import PointWriter
from ingest.storing.suspects import PAUSE_S
from jieneng import observe
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import LATE_DAY, Point
from jieneng.metering.site import Site, SiteInfo
from jieneng.storage import RejectedPoint
from jieneng.storage.store import UNCLEAR, WriteResult, write_result
from tests.ingest.agent import SITE, START
from tests.stepped_clock import SteppedClock


class Store:
    """Keeps points, except for those of meters and measurements to refuse."""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}
        self.written: list[Point] = []
        self.away = False

    async def write(self, points: Sequence[Point]) -> WriteResult:
        if self.away:
            raise StoreUnavailable("away")
        refused = []
        for index, one in enumerate(points):
            code = self.codes.get(one.measurement) or self.codes.get(dict(one.tags)["meter"])
            if code:
                refused.append(RejectedPoint(index, one, code, "words"))
            else:
                self.written.append(one)
        return write_result(len(points), refused)


class Rig:
    def __init__(self) -> None:
        self.store = Store()
        self.now_s = 0.0
        site = Site(site=SiteInfo(id=SITE, name="x"))
        self.writer = PointWriter(
            self.store,  # type: ignore[arg-type]  # only `write` is called
            LateDays(site, SteppedClock(START, 0)),
            lambda: self.now_s,
            metrics=Metrics(),
            log=observe.log("test"),
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


def reading(meter: str, time_ms: int = START, measurement: str = "electricity") -> Point:
    tags = (("meter", meter), ("site", SITE))
    return Point.of(measurement, tags, (("energy_kwh", 1.0), ("quality", 0.0)), time_ms)


async def test_late_readings_mark_their_day_in_the_same_write(rig: Rig) -> None:
    late = START - LATE_MS - 1
    result = await rig.writer.write([reading("a"), reading("b", late), reading("b", late - 1)])
    assert (result.refused, result.undecided) == ((), frozenset())
    assert [one.measurement for one in rig.store.written] == ["electricity"] * 3 + [LATE_DAY]


async def test_a_mark_that_is_refused_costs_no_reading_and_is_said(rig: Rig) -> None:
    rig.store.codes = {LATE_DAY: "field_type", "b": "retention"}
    with capture_logs() as logs:
        for _ in range(2):
            result = await rig.writer.write([reading("a", 5), reading("b", 6)])
    assert [(one.index, one.code) for one in result.refused] == [(1, "retention")]
    assert [line["event"] for line in logs] == ["late days can't be marked"]


async def test_an_unclear_refusal_is_believed_after_three_times_over_an_hour(rig: Rig) -> None:
    rig.store.codes = {"odd": UNCLEAR}
    points = [reading("a"), reading("odd"), reading("c")]
    for _ in range(2):
        result = await rig.writer.write(points)
        assert (result.refused, result.undecided) == ((), frozenset({1}))
        # Held back until it is due, the others are written.
        rig.store.written.clear()
        result = await rig.writer.write([reading("odd"), reading("a")])
        assert (result.refused, result.undecided) == ((), frozenset({0}))
        assert len(rig.store.written) == 1
        rig.now_s += PAUSE_S
    result = await rig.writer.write(points)
    assert [(one.index, one.code) for one in result.refused] == [(1, UNCLEAR)]
    assert result.undecided == frozenset()


async def test_a_refusal_that_was_believed_waits_for_the_others_of_its_batch(rig: Rig) -> None:
    """Two suspects of one batch whose hours began apart would else never be believed together."""
    one, two, good = reading("one"), reading("two"), reading("good")
    rig.store.codes = {"one": UNCLEAR}
    await rig.writer.write([one, two, good])
    rig.now_s += 600
    rig.store.codes = {"one": UNCLEAR, "two": UNCLEAR}
    believed: set[int] = set()
    for _ in range(50):
        result = await rig.writer.write([one, two, good])
        assert believed <= {point.index for point in result.refused}
        believed = {point.index for point in result.refused}
        if not result.undecided:
            break
        rig.now_s += 300
    assert [(point.index, point.code) for point in result.refused] == [(0, UNCLEAR), (1, UNCLEAR)]
    rig.store.away = True
    assert (await rig.writer.write([one, two])).refused == result.refused


async def test_only_points_that_are_held_back_need_no_write(rig: Rig) -> None:
    rig.store.codes = {"odd": UNCLEAR}
    await rig.writer.write([reading("odd"), reading("a")])
    rig.store.away = True
    result = await rig.writer.write([reading("odd")])
    assert result.undecided == frozenset({0})


async def test_what_is_no_reading_is_never_waited_for(rig: Rig) -> None:
    rig.store.codes = {"poll": UNCLEAR}
    result = await rig.writer.write([reading("a"), reading("b", measurement="poll")])
    assert [(one.index, one.code) for one in result.refused] == [(1, UNCLEAR)]
    assert result.undecided == frozenset()


async def test_a_store_that_is_away_is_said_once(rig: Rig) -> None:
    rig.store.away = True
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await rig.writer.write([reading("a")])
        assert rig.writer.is_store_away
        assert len(rig.writer.faults()) == 1  # for `/health`
        rig.store.away = False
        await rig.writer.write([reading("a")])
        assert rig.writer.faults() == []
    assert [line["event"] for line in logs] == ["store unavailable", "store unavailable: over"]
