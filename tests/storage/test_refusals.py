"""Refusals of a server: every bad point is named with its reason, and every other one is stored."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings
from jieneng.storage.influx import InfluxStore
from tests.servers import Influx, Influx2
from tests.storage.conftest import settings_of
from tests.storage.refusing_server import RefusingServer, serving

pytestmark = pytest.mark.server

START = 1_795_000_000_000


def reading(i: int, meter: str = "m1", value: float | None = None) -> Point:
    tags = (("meter", meter), ("site", "s"))
    return Point.of(
        "electricity", tags, (("energy_kwh", i if value is None else value),), START + i
    )


def of_influx_3(form: str) -> Callable[[Sequence[str], Sequence[str]], tuple[int, str]]:
    def refuse(bad: Sequence[str], lines: Sequence[str]) -> tuple[int, str]:
        told = [
            {
                "error_message": "invalid column type for column 'v', expected i64, got f64",
                "line_number": lines.index(line) + 1,
                "original_line": line[:20],
            }
            for line in bad
        ]
        data = told if form == "list" else told[0]
        return 400, json.dumps({"error": "partial write of line protocol occurred", "data": data})

    return refuse


def saying(status: int, text: str) -> Callable[[Sequence[str], Sequence[str]], tuple[int, str]]:
    return lambda bad, _: (status, text.replace("DROPPED", str(len(bad))))


#: How servers refuse: the code that we give it, the server's answer, and True if it keeps the good
#: lines of the request.
FIELD = [
    (
        "field_type",
        saying(
            400,
            '{"error":"partial write: field type conflict: input field \\"energy_kwh\\" on '
            'measurement \\"electricity\\" is type float, already exists as type integer '
            'dropped=DROPPED"}',
        ),
        True,
    ),
    (
        "retention",
        saying(
            500,
            '{"code":"internal error","message":"unexpected error writing points to database: '
            'partial write: points beyond retention policy dropped=DROPPED"}',
        ),
        True,
    ),
    (
        "retention",
        saying(
            422,
            '{"code":"unprocessable entity","message":"failure writing points to database: partial '
            "write: dropped DROPPED points outside retention policy of duration 1h0m0s - oldest x, "
            'newest y dropped=DROPPED"}',
        ),
        True,
    ),
    ("field_type", of_influx_3("list"), True),
    ("field_type", of_influx_3("object"), False),
    (
        "series_limit",
        saying(
            400,
            '{"error":"partial write: max-values-per-tag limit exceeded (1/1): '
            'measurement=\\"electricity\\" tag=\\"meter\\" value=\\"m2\\" dropped=1"}',
        ),
        True,
    ),
    (
        "series_limit",
        saying(
            400,
            '{"error":"partial write: max-series-per-database limit exceeded: (1) '
            'dropped=DROPPED"}',
        ),
        True,
    ),
    (
        "retention",
        saying(
            400,
            '{"error":"partial write: point time is expired, compared with rp duration '
            'dropped=DROPPED"}',
        ),
        True,
    ),
    ("parse", saying(400, '{"error":"unable to parse \'e v=\': missing field value"}'), False),
    ("unclear", saying(400, '{"error":"the frobnicator says no"}'), False),
    ("unclear", saying(500, "the frobnicator says no"), True),
    (
        "unclear",
        saying(422, '{"error":"partial write: the frobnicator says no dropped=DROPPED"}'),
        True,
    ),
]


@asynccontextmanager
async def opened(url: str, database: str = "d") -> AsyncIterator[InfluxStore]:
    store = InfluxStore(StoreSettings(kind="influx", url=url, timeout_s=10.0, database=database))
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.parametrize("bad", [[0], [9], [4, 5], [0, 3, 6, 9], range(1, 10)], ids=str)
@pytest.mark.parametrize(("code", "refusal", "keeps_good_lines"), FIELD)
async def test_bad_points_are_named_and_all_others_are_stored_in_the_same_call(
    code: str,
    refusal: Callable[[Sequence[str], Sequence[str]], tuple[int, str]],
    keeps_good_lines: bool,
    bad: Sequence[int],
) -> None:
    server = RefusingServer(lambda line: "m2" in line, refusal, keeps_good_lines=keeps_good_lines)
    points = [reading(i, "m2" if i in bad else "m1") for i in range(10)]
    async with serving(server.handle) as url, opened(url) as store:
        result = await store.write(points)
    assert len(server.stored) == result.written == 10 - len(bad)
    named = result.unclear if code == "unclear" else result.rejected
    assert [one.index for one in named] == list(bad)
    assert [one.point for one in named] == [points[i] for i in bad]
    assert {one.code for one in named} == {code}
    assert result.not_stored == named
    assert all(one.reason and len(one.reason) < 400 for one in named)


async def test_points_that_no_server_sees_keep_their_place_among_those_that_it_refuses() -> None:
    server = RefusingServer(lambda line: "m2" in line, FIELD[0][1])
    points = [reading(0, value=float("nan")), reading(1, "m2"), reading(2), reading(3, "")]
    async with serving(server.handle) as url, opened(url) as store:
        result = await store.write(points)
    assert [(one.index, one.code) for one in result.rejected] == [
        (0, "invalid"),
        (1, "field_type"),
        (3, "invalid"),
    ]
    assert result.written == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, '{"error":"engine: error writing WAL entry: write /w: no space left on device"}'),
        (400, '{"error":"partial write: write /i: no space left on device dropped=DROPPED"}'),
        (422, '{"message":"partial write: shard 3 is pending deletion dropped=DROPPED"}'),
        (500, '{"error":"engine: cache-max-memory-size exceeded: (2/1)"}'),
        (400, '{"error":"timeout"}'),
        (400, '{"error":"the frobnicator says no"}'),
        (500, '{"error":"partial write: the frobnicator says no dropped=DROPPED"}'),
        (200, "<html>a login page</html>"),
        (403, '{"error":"disable write!"}'),
    ],
)
@pytest.mark.parametrize("count", [1, 100])
async def test_trouble_names_no_point_and_asks_a_few_times(
    status: int, text: str, count: int
) -> None:
    server = RefusingServer(lambda _: True, saying(status, text))
    async with serving(server.handle) as url, opened(url) as store:
        with pytest.raises(StoreUnavailable) as caught:
            await store.write([reading(i) for i in range(count)])
    assert server.requests <= 33
    assert len(str(caught.value)) < 600
    assert server.stored == {}


@pytest.mark.parametrize("server", ["influx", "influx2"])
async def test_a_field_that_exists_as_another_type_on_a_real_server(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = settings_of(request, server)
    store = InfluxStore(settings)
    await store.prepare()
    await store._post(f"electricity,meter=m2,site=s power_kw=1i {START}".encode())
    bad = Point.of("electricity", (("meter", "m1"), ("site", "s")), (("power_kw", 1.5),), START)
    result = await store.write([reading(1), bad, reading(2)])
    await store.close()
    assert [(one.index, one.code) for one in result.rejected] == [(1, "field_type")]
    assert "already exists as type" in result.rejected[0].reason
    assert result.written == 2


async def test_points_beyond_the_retention_of_influxdb_1(influx: Influx) -> None:
    name = f"t{uuid4().hex}"
    async with opened(influx.url, name) as store:
        await store.prepare()
        await store._query(
            "POST",
            f'CREATE RETENTION POLICY "hour" ON "{name}" DURATION 1h REPLICATION 1 DEFAULT',
        )
        result = await store.write([reading(-START + 10**12), reading(4 * 10**11)])
        assert [(one.index, one.code) for one in result.rejected] == [(0, "retention")]
        assert result.written == 1


async def test_points_beyond_the_retention_of_influxdb_2(
    influx2: Influx2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIENENG_STORE_TOKEN", influx2.token)
    name = f"t{uuid4().hex}"
    influx2.make_bucket(name, retention_s=3600)
    async with opened(influx2.url, name) as store:
        result = await store.write([reading(-START + 10**12), reading(4 * 10**11)])
        assert [(one.index, one.code) for one in result.rejected] == [(0, "retention")]
        assert "outside retention policy" in result.rejected[0].reason
        assert result.written == 1


async def test_a_limit_of_tag_values_on_a_real_server(tmp_path: Path) -> None:
    server = Influx(tmp_path / "influx", data='index-version = "inmem"\nmax-values-per-tag = 1')
    server.start()
    try:
        async with opened(server.url) as store:
            await store.prepare()
            assert (await store.write([reading(0, "m1")])).written == 1
            result = await store.write([reading(0, "m1"), reading(1, "m2"), reading(2, "m1")])
            assert [(one.index, one.code) for one in result.rejected] == [(1, "series_limit")]
            assert result.written == 2
    finally:
        server.stop()


async def test_a_real_server_without_memory_for_points_names_none(tmp_path: Path) -> None:
    server = Influx(tmp_path / "influx", data="cache-max-memory-size = 4096")
    server.start()
    try:
        async with opened(server.url) as store:
            await store.prepare()
            with pytest.raises(StoreUnavailable, match="cache-max-memory-size exceeded"):
                await store.write([reading(i) for i in range(1000)])
    finally:
        server.stop()


async def test_a_limit_of_series_on_a_real_server(tmp_path: Path) -> None:
    server = Influx(
        tmp_path / "influx", data='index-version = "inmem"\nmax-series-per-database = 1'
    )
    server.start()
    try:
        async with opened(server.url) as store:
            await store.prepare()
            assert (await store.write([reading(0, "m1")])).written == 1
            result = await store.write([reading(1, "m2"), reading(2, "m1"), reading(3, "m3")])
            assert [(one.index, one.code) for one in result.rejected] == [
                (0, "series_limit"),
                (2, "series_limit"),
            ]
            assert result.written == 1
    finally:
        server.stop()
