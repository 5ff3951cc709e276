"""Every store of the registry keeps every law of `jieneng.storage.store`, on every server."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point, Value
from jieneng.storage import STORES, SeriesColumns, Store, open_store
from tests.storage.conftest import SERVERS, settings_of

pytestmark = pytest.mark.server

START = 1_795_000_000_000
Opener = Callable[[], Store]


@pytest.fixture(params=[*STORES, *SERVERS])
async def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Return a function that opens the same empty store again, as several processes would."""
    settings = settings_of(request, request.param)
    opened: list[Store] = []

    def opener() -> Store:
        opened.append(open_store(settings, tmp_path))
        return opened[-1]

    yield opener
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_again: Opener) -> Store:
    opened = open_again()
    await opened.prepare()
    return opened


def reading(
    time_ms: int = START,
    meter: str = "e-main",
    *,
    measurement: str = "electricity",
    **fields: Value,
) -> Point:
    tags = (("meter", meter), ("site", "s"))
    return Point.of(measurement, tags, tuple((fields or {"energy_kwh": 1.5}).items()), time_ms)


async def rows(
    store: Store, field: str = "energy_kwh", measurement: str = "electricity", **where: str
) -> dict[tuple[str, int], float]:
    """Return the value of every stored point, by meter and time."""
    found = await store.read(
        measurement, field, where=where, start_ms=START - 10**9, end_ms=START + 10**9
    )
    return {
        (series.tags["meter"], int(time_ms)): float(value)
        for series in found
        for time_ms, value in zip(series.times_ms, series.values, strict=True)
    }


async def test_a_point_written_again_is_one_point(store: Store) -> None:
    points = [reading(START + i, energy_kwh=float(i)) for i in range(10)]
    await store.write(points)
    for again in (points[::-1], points[3:5], points):
        result = await store.write(again)
        assert (result.written, result.rejected) == (len(again), ())
    assert await rows(store) == {("e-main", START + i): float(i) for i in range(10)}


async def test_a_later_value_of_the_same_field_replaces(store: Store) -> None:
    await store.write([reading(energy_kwh=1.0)])
    await store.write([reading(energy_kwh=2.0)])
    assert await rows(store) == {("e-main", START): 2.0}
    await store.write([reading(energy_kwh=3.0), reading(energy_kwh=4.0)])
    assert await rows(store) == {("e-main", START): 4.0}


async def test_the_later_replaces_also_where_points_of_one_write_have_different_fields(
    store: Store,
) -> None:
    await store.write(
        [
            reading(energy_kwh=1.0),
            reading(energy_kwh=2.0, power_kw=2.0),
            reading(energy_kwh=3.0),
            reading(power_kw=4.0),
        ]
    )
    assert await rows(store) == {("e-main", START): 3.0}
    assert await rows(store, "power_kw") == {("e-main", START): 4.0}


async def test_fields_of_one_point_merge(store: Store) -> None:
    await store.write([reading(energy_kwh=1.0, power_kw=5.0)])
    await store.write([reading(power_kw=6.0, voltage_v=230.0)])
    assert await rows(store) == {("e-main", START): 1.0}
    assert await rows(store, "power_kw") == {("e-main", START): 6.0}
    assert await rows(store, "voltage_v") == {("e-main", START): 230.0}


BAD = [
    reading(energy_kwh="text in a number's field"),
    reading(measurement="indicator", status=1.0),
    reading(energy_kwh=math.nan),
    reading(energy_kwh=math.inf),
    reading(time=1.0),
    reading(time_ms=2**63),
    reading(meter=""),
    reading(meter="a\nb"),
    reading(meter="ends in a backslash\\"),
    reading(measurement='electri"city'),
    Point.of("electricity", (("meter", "m"),), (), START),
    Point.of("electricity", (("site", "s"), ("meter", "m")), (("energy_kwh", 1.0),), START),
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
async def test_a_refused_point_is_named_with_its_reason_and_costs_no_other(
    store: Store, bad: Point
) -> None:
    good = [reading(START + i) for i in range(1, 8)]
    result = await store.write([*good[:3], bad, *good[3:]])
    assert result.written == 7
    assert [rejected.point for rejected in result.rejected] == [bad]
    assert result.rejected[0].reason
    assert len(await rows(store)) == 7


async def test_text_comes_back_by_series_and_time(store: Store) -> None:
    """Also text with quotes, line breaks and Chinese; bounded in time as numbers are."""
    words = 'pipe "3号楼"\n\\ burst'
    for number, meter in enumerate(("a", "b", "a", "a")):
        text = f"{words} {number}"
        await store.write([reading(START + number, meter, energy_kwh=1.0, reason=text)])
    await store.write([reading(START + 1, "a", energy_kwh=1.0)])
    found = await store.read_text(
        "electricity", "reason", where={"site": "s"}, start_ms=START, end_ms=START + 3
    )
    assert {series.tags["meter"]: dict(series.values) for series in found} == {
        "a": {START: f"{words} 0", START + 2: f"{words} 2"},
        "b": {START + 1: f"{words} 1"},
    }
    assert await store.read_text("gas", "reason", where={}, start_ms=0, end_ms=START) == []


async def test_text_is_stored_beside_numbers(store: Store) -> None:
    point = reading(measurement="indicator", value=1.0, status='a "b" \\ c, 达标\nd')
    assert (await store.write([point, point])).rejected == ()
    assert await rows(store, "value", "indicator") == {("e-main", START): 1.0}


async def test_times_ascend_strictly_and_arrays_have_the_promised_types(store: Store) -> None:
    order = [5, 3, 9, 1, 7, 3]
    await store.write([reading(START + i) for i in order])
    (series,) = await store.read(
        "electricity", "energy_kwh", where={}, start_ms=START, end_ms=START + 100
    )
    assert series.times_ms.dtype == np.int64
    assert series.values.dtype == np.float64
    assert series.times_ms.shape == series.values.shape == (5,)
    assert list(series.times_ms) == [START + i for i in (1, 3, 5, 7, 9)]
    assert series.tags == {"meter": "e-main", "site": "s"}


async def test_the_start_is_inclusive_and_the_end_exclusive(store: Store) -> None:
    await store.write([reading(START + i) for i in range(5)])

    async def times(start: int, end: int) -> list[int]:
        found = await store.read(
            "electricity", "energy_kwh", where={}, start_ms=START + start, end_ms=START + end
        )
        return [int(t) - START for series in found for t in series.times_ms]

    assert await times(1, 3) == [1, 2]
    assert await times(4, 5) == [4]
    assert await times(5, 9) == []
    assert await times(3, 3) == []
    assert await times(-(2**70), 2**70) == [0, 1, 2, 3, 4]


async def test_where_narrows_by_any_tag(store: Store) -> None:
    await store.write([reading(meter="a"), reading(meter="b"), reading(START + 1, meter="b")])
    assert set(await rows(store, meter="b")) == {("b", START), ("b", START + 1)}
    assert len(await rows(store, site="s")) == 3
    assert await rows(store, site="other") == {}
    assert await rows(store, nosuch="b") == {}
    assert await rows(store, meter="a", site="other") == {}


async def test_what_was_never_written_is_empty_and_no_error(store: Store) -> None:
    assert await rows(store) == {}
    assert await store.span("electricity", where={}) is None
    await store.delete("electricity", where={}, start_ms=START, end_ms=START + 1)
    await store.write([reading()])
    assert await rows(store, "power_kw") == {}
    assert await rows(store, measurement="water") == {}


async def test_points_are_counted_by_interval_and_series(store: Store) -> None:
    """Intervals of 10 s from 3 s after START, so they are no multiples of 10 s since 1970."""
    at = [START + 1000 * second for second in (2, 3, 12, 13, 33)]
    await store.write([reading(time_ms) for time_ms in at])
    await store.write([reading(at[1], meter="e-other"), reading(at[1] + 1, power_kw=1.0)])
    found = await store.count(
        "electricity",
        "energy_kwh",
        where={"site": "s"},
        start_ms=START + 3000,
        end_ms=START + 33_000,
        step_ms=10_000,
    )
    by_meter = {one.tags["meter"]: one for one in found}
    counted = by_meter["e-main"]
    assert counted.times_ms.tolist() == [START + 3000, START + 13_000]
    assert counted.values.tolist() == [2.0, 1.0]
    assert by_meter["e-other"].values.tolist() == [1.0]


async def test_the_span_is_of_any_field_and_narrowed_by_tags(store: Store) -> None:
    await store.write(
        [reading(START + 5), reading(START + 9, power_kw=1.0), reading(START + 2, meter="b")]
    )
    assert await store.span("electricity", where={}) == (START + 2, START + 9)
    assert await store.span("electricity", where={"meter": "e-main"}) == (START + 5, START + 9)
    assert await store.span("electricity", where={"meter": "nosuch"}) is None
    assert await store.span("water", where={}) is None


async def test_the_span_of_a_field_is_that_of_its_own_points(store: Store) -> None:
    await store.write([reading(START + 5), reading(START + 9, power_kw=1.0), reading(START + 12)])
    nine = (START + 9, START + 9)
    assert await store.span("electricity", where={}, field="power_kw") == nine
    assert await store.span("electricity", where={}, field="energy_export_kwh") is None
    assert await store.span("water", where={}, field="volume_m3") is None


async def test_one_call_reads_several_fields_of_several_series(store: Store) -> None:
    await store.write(
        [
            reading(START, "a", energy_kwh=1.0, power_kw=5.0),
            reading(START + 1, "a", energy_kwh=2.0),
            reading(START + 2, "a", voltage_a_v=230.0),
            reading(START + 3, "b", power_kw=6.0),
            reading(START + 4, "c", energy_kwh=9.0, power_kw=9.0),
        ]
    )
    found = await store.read_columns(
        "electricity",
        ("power_kw", "energy_kwh", "frequency_hz"),
        where={"meter": ("a", "b", "it's"), "site": "s"},
        start_ms=START,
        end_ms=START + 9,
    )
    a, b = sorted(found, key=lambda series: series.tags["meter"])
    assert (a.tags["meter"], a.times_ms.tolist()) == ("a", [START, START + 1])
    assert list(a.columns) == ["power_kw", "energy_kwh", "frequency_hz"]
    assert a.columns["energy_kwh"].tolist() == [1.0, 2.0]
    assert np.array_equal(a.columns["power_kw"], [5.0, np.nan], equal_nan=True)
    assert np.isnan(a.columns["frequency_hz"]).all()
    assert (b.tags["meter"], b.times_ms.tolist()) == ("b", [START + 3])
    assert np.isnan(b.columns["energy_kwh"]).all()
    for measurement, field in (("electricity", "frequency_hz"), ("water", "volume_m3")):
        nothing = await store.read_columns(
            measurement, (field, "quality"), where={}, start_ms=START, end_ms=START + 9
        )
        assert nothing == []


async def test_columns_are_written_like_points(store: Store) -> None:
    times = START + np.arange(3)
    energy, power = np.array([1.5, 2.5, 3.5]), np.array([7.0, np.nan, 9.0])
    tags = {"site": "s", "meter": "it's"}
    await store.write([reading(START + 1, "it's", energy_kwh=0.0, power_kw=8.0)])
    plain = SeriesColumns({**tags, "meter": "b"}, times, {"energy_kwh": energy})
    gaps = SeriesColumns(tags, times, {"energy_kwh": energy, "power_kw": power})
    for series in ([plain], [plain, gaps]):
        assert (await store.write_columns("electricity", series)).written == 3 * len(series)
    assert await rows(store, meter="b") == {("b", START + i): 1.5 + i for i in range(3)}
    assert list((await rows(store, meter="it's")).values()) == energy.tolist()
    assert list((await rows(store, "power_kw")).values()) == [7.0, 8.0, 9.0]
    wrong = SeriesColumns({**tags, "site": ""}, times, {"energy_kwh": energy})
    result = await store.write_columns("electricity", [plain, wrong])
    assert (result.written, [one.index for one in result.rejected]) == (3, [3, 4, 5])


async def test_one_call_finds_the_spans_of_many_series(store: Store) -> None:
    await store.write(
        [
            reading(START + 5, "a"),
            reading(START + 9, "a", power_kw=1.0),
            reading(START + 2, "b"),
            reading(START + 3, "c"),
        ]
    )

    async def spans(
        field: str | None = None, **where: str | tuple[str, ...]
    ) -> dict[str, tuple[int, int]]:
        found = await store.spans("electricity", where=where, field=field)
        return {one.tags["meter"]: (one.first_ms - START, one.last_ms - START) for one in found}

    assert await spans() == {"a": (5, 9), "b": (2, 2), "c": (3, 3)}
    assert await spans(meter=("a", "c"), site="s") == {"a": (5, 9), "c": (3, 3)}
    assert await spans("energy_kwh", meter="a") == {"a": (5, 5)}
    assert await spans("frequency_hz") == {}
    assert await store.spans("water", where={}) == []


async def test_delete_removes_what_lies_within_and_nothing_else(store: Store) -> None:
    await store.write([reading(START + i, meter) for i in range(5) for meter in ("a", "b")])
    await store.delete("electricity", where={"meter": "a"}, start_ms=START + 1, end_ms=START + 3)
    left = await rows(store)
    assert sorted(t - START for m, t in left if m == "a") == [0, 3, 4]
    assert sorted(t - START for m, t in left if m == "b") == [0, 1, 2, 3, 4]


NASTY = [
    "1号楼·总进线",
    "it's",
    'a "quoted" one',
    "a\\b",
    "\\,x",
    "\\ x",
    "\\=x",
    "a\\\\,b",
    "a,b=c d",
    "x\\'y' OR ''='",
    '"; DROP DATABASE "x',
    "$x",
    "%s",
    "-- c",
    "é😀",
]


async def test_nasty_tags_come_back_as_they_were_and_can_be_asked_for(store: Store) -> None:
    result = await store.write([reading(START + i, name) for i, name in enumerate(NASTY)])
    assert result.rejected == ()
    assert await rows(store) == {(name, START + i): 1.5 for i, name in enumerate(NASTY)}
    for i, name in enumerate(NASTY):
        assert await rows(store, meter=name) == {(name, START + i): 1.5}
        assert await store.span("electricity", where={"meter": name}) == (START + i, START + i)
    await store.delete("electricity", where={"meter": NASTY[1]}, start_ms=0, end_ms=2 * START)
    assert len(await rows(store)) == len(NASTY) - 1


async def test_nasty_names_in_a_question_find_nothing_and_harm_nothing(store: Store) -> None:
    await store.write([reading()])
    for name in NASTY:
        found = await store.read(name, name, where={name: name}, start_ms=0, end_ms=2 * START)
        assert found == []
        assert await store.span(name, where={}) is None
        await store.delete(name, where={}, start_ms=0, end_ms=2 * START)
    assert len(await rows(store)) == 1


async def test_huge_and_small_floats_come_back_exactly(store: Store) -> None:
    random = np.random.default_rng(1)
    values = [
        *(1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 2.2250738585072014e-308),
        *(0.1, 1 / 3, 812345.6, 1e21, 123456789012345680.0, 2.0**53 + 2, 1e-7, 0.0),
        *(random.normal(size=200) * 10.0 ** random.integers(-300, 300, size=200)).tolist(),
    ]
    await store.write([reading(START + i, energy_kwh=v) for i, v in enumerate(values)])
    assert list((await rows(store)).values()) == values


async def test_what_one_wrote_another_reads_at_once(open_again: Opener) -> None:
    first, second = open_again(), open_again()
    await asyncio.gather(first.prepare(), second.prepare())
    await asyncio.gather(
        first.write([reading(START + i, energy_kwh=1.0) for i in range(500)]),
        second.write([reading(START + i, power_kw=1.0) for i in range(500)]),
    )
    for store in (first, second):
        assert len(await rows(store)) == len(await rows(store, "power_kw")) == 500


async def test_the_first_call_may_come_before_prepare(open_again: Opener) -> None:
    assert (await open_again().write([reading()])).written == 1
    assert len(await rows(open_again())) == 1


async def test_prepare_keeps_what_is_there(store: Store) -> None:
    await store.write([reading()])
    await store.prepare()
    assert len(await rows(store)) == 1


async def test_a_new_store_keeps_points_without_end(store: Store) -> None:
    assert await store.retention_s() is None


async def test_a_large_write_is_whole(store: Store) -> None:
    points = [reading(START + i, f"m-{i % 30}", energy_kwh=i * 0.1) for i in range(12_000)]
    points[7000] = reading(START + 7000, energy_kwh=math.nan)
    result = await store.write(points)
    assert (result.written, len(result.rejected)) == (11_999, 1)
    assert len(await rows(store)) == 11_999


async def test_a_long_answer_is_whole_and_in_order(store: Store) -> None:
    await store.write([reading(START + i, energy_kwh=float(i)) for i in range(45_000)])
    (series,) = await store.read(
        "electricity", "energy_kwh", where={}, start_ms=START, end_ms=START + 10**9
    )
    assert np.array_equal(series.times_ms, START + np.arange(45_000))
    assert np.array_equal(series.values, np.arange(45_000.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.prepare(),
        lambda store: store.write([reading()]),
        lambda store: store.read("electricity", "f", where={}, start_ms=0, end_ms=1),
        lambda store: store.span("electricity", where={}),
        lambda store: store.delete("electricity", where={}, start_ms=0, end_ms=1),
    ],
    ids=["prepare", "write", "read", "span", "delete"],
)
@pytest.mark.parametrize("kind", list(STORES))
async def test_a_store_that_is_not_there_is_unavailable(
    kind: str,
    call: Callable[[Store], Awaitable[object]],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    store = open_store(settings_of(request, kind, reachable=False), tmp_path)
    with pytest.raises(StoreUnavailable) as caught:
        await call(store)
    assert str(caught.value)
    await store.close()
