"""The store on a server: rejections of its own, outages, passwords, and nonsense answers."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession, web

from jieneng.metering.errors import ConfigError, StoreUnavailable
from jieneng.metering.schema import Point
from jieneng.storage.influx import InfluxStore
from jieneng.storage.settings import StoreSettings
from jieneng.storage.write_answers import Verdict
from tests.servers import Influx
from tests.storage.refusing_server import Handler, serving

pytestmark = pytest.mark.server

START = 1_795_000_000_000


def points(count: int, meter: str = "e-main") -> list[Point]:
    tags = (("meter", meter), ("site", "s"))
    return [
        Point.of("electricity", tags, (("energy_kwh", float(i)),), START + i) for i in range(count)
    ]


async def count(store: InfluxStore) -> int:
    found = await store.read("electricity", "energy_kwh", where={}, start_ms=0, end_ms=2 * START)
    return sum(len(series.values) for series in found)


@asynccontextmanager
async def opened(url: str, **chosen: str) -> AsyncIterator[InfluxStore]:
    named = {"database": f"t{uuid4().hex}"} | chosen
    store = InfluxStore(StoreSettings(kind="influx", url=url, timeout_s=5.0, **named))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def own_influx(tmp_path: Path) -> Influx:
    """A server that this test may stop."""
    return Influx(tmp_path / "influx")


async def test_a_stopped_server_is_unavailable_and_the_write_can_be_repeated(
    own_influx: Influx,
) -> None:
    own_influx.start()
    try:
        async with opened(own_influx.url) as store:
            await store.prepare()
            await store.write(points(10))
            own_influx.kill()
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="can't be reached"):
                    await store.write(points(20))
            own_influx.start()
            assert (await store.write(points(20))).written == 20
            assert await count(store) == 20
    finally:
        own_influx.stop()


async def test_points_that_only_the_server_refuses_are_named_one_by_one(influx: Influx) -> None:
    """Two processes of different versions: the field is a number here and was an integer there."""
    async with opened(influx.url) as store:
        await store.prepare()
        old = [
            f"electricity,meter=odd,site=s power_kw=1i {START}",
            f"water,meter=odd,site=s volume_m3=1i {START}",
        ]
        for line in old:
            assert (await store._post(line.encode())).verdict is Verdict.STORED
        wrong = [
            Point.of(
                "electricity", (("meter", "m"), ("site", "s")), (("power_kw", 1.5),), START + i
            )
            for i in range(3)
        ]
        good = points(100)
        result = await store.write([good[0], wrong[0], *good[1:60], *wrong[1:], *good[60:]])
        assert result.written == 100
        assert [one.point for one in result.rejected] == wrong
        assert "field type conflict" in result.rejected[0].reason
        assert await count(store) == 100


async def test_points_older_than_the_retention_policy_are_named(influx: Influx) -> None:
    async with opened(influx.url, database="short") as store:
        await store.prepare()
        policy = 'CREATE RETENTION POLICY "hour" ON "short" DURATION 1h REPLICATION 1 DEFAULT'
        await store._query("POST", policy)
        old = [
            Point.of("electricity", (("meter", "m"),), (("energy_kwh", 1.0),), 10**12 + i)
            for i in range(2000)
        ]
        result = await store.write(old)
        assert result.written == 0
        assert [one.point for one in result.rejected] == old
        assert "retention" in result.rejected[0].reason


async def test_a_database_that_went_missing_is_made_again(influx: Influx) -> None:
    async with opened(influx.url) as store:
        await store.prepare()
        await store._query("POST", f'DROP DATABASE "{store._settings.database}"')
        assert (await store.write(points(3))).written == 3
        assert await count(store) == 3


def answering(status: int, text: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, text=text)

    return answer


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (401, '{"error":"authorization failed"}', "token_file"),
        (403, '{"message":"forbidden"}', "token_file"),
        (429, "slow down", "429 slow down"),
        (503, '{"error":"engine: cache-max-memory-size exceeded"}', "cache-max-memory"),
        (500, "", "500"),
        (200, "<html>a login page</html>", "responded"),
        (400, "<html>400 plain HTTP request sent to HTTPS port</html>", "HTTPS port"),
        (404, "<html>nothing here</html>", "nothing here"),
        (404, '{"message":"no DBRP mapping found"}', "DBRP mapping"),
        (302, "elsewhere", "302"),
        (200, '{"error":"timeout"}', "timeout"),
        (200, '{"results":[{"error":"query interrupted"}]}', "interrupted"),
        (200, "[" * 100_000, "responded"),
        (500, "\udcff\x00", "500"),
    ],
    ids=lambda one: str(one)[:30],
)
async def test_trouble_is_told_with_its_words_and_never_taken_for_refused_or_no_data(
    status: int, text: str, said: str
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, body=text.encode("utf-8", "surrogateescape"))

    async with serving(answer) as url, opened(url) as store:
        with pytest.raises(StoreUnavailable, match=said) as caught:
            await count(store)
        assert len(str(caught.value)) < 600
        with pytest.raises(StoreUnavailable):
            await store.write(points(2))


async def test_an_answer_cut_short_is_unavailable_and_not_less_data() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(
            b'{"results":[{"series":[{"name":"electricity","columns":["time","energy_kwh"],'
            b'"values":[[1,1.5]]}],"partial":true}]}\n'
        )
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(answer) as url, opened(url) as store:
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            await count(store)


async def test_a_silent_server_is_unavailable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://{}:{}".format(*silent.getsockname())
        store = InfluxStore(StoreSettings(kind="influx", url=url, timeout_s=0.1))
        with pytest.raises(StoreUnavailable):
            await count(store)
        with pytest.raises(StoreUnavailable):
            await store.write(points(1))
        await store.close()


async def test_a_bucket_that_is_missing_is_told_with_its_mend() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if "CREATE" in request.query.get("q", ""):
            return web.json_response({"results": [{"error": "not implemented"}]})
        return web.json_response(
            {"code": "not found", "message": 'bucket "b" not found'}, status=404
        )

    async with serving(answer) as url, opened(url) as store:
        for call in (store.write(points(1)), count(store)):
            with pytest.raises(StoreUnavailable, match="has no database"):
                await call


async def test_influxdb_2_says_not_implemented_to_create_database_and_wants_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answers are those of InfluxDB 2.9."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        seen.append(request.headers["Authorization"])
        if request.path == "/write":
            return web.Response(status=204)
        return web.json_response(
            {"results": [{"statement_id": 0, "error": "not implemented: CREATE DATABASE"}]}
        )

    monkeypatch.setenv("JIENENG_STORE_TOKEN", "secret")
    async with serving(answer) as url, opened(url) as store:
        await store.prepare()
        assert (await store.write(points(2))).written == 2
    assert set(seen) == {"Token secret"}


async def test_a_username_travels_with_the_password_of_its_file(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        return web.Response(status=204)

    (tmp_path / "password").write_text("pass\n")
    async with (
        serving(answer) as url,
        opened(url, username="user", password_file=str(tmp_path / "password")) as store,
    ):
        await store.write(points(1))
    assert seen == ["Basic dXNlcjpwYXNz"]


async def test_a_token_that_is_replaced_in_its_file_is_used_without_a_restart(
    tmp_path: Path,
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        is_known = request.headers["Authorization"] == "Token new"
        return web.Response(status=204 if is_known else 401)

    token = tmp_path / "token"
    token.write_text("old\n")
    async with serving(answer) as url, opened(url, token_file=str(token)) as store:
        with pytest.raises(StoreUnavailable, match="token_file"):
            await store.write(points(1))
        token.unlink()  # a person's editor replaces it
        with pytest.raises(StoreUnavailable, match="token_file"):
            await store.write(points(1))
        token.write_text("new\n")
        with pytest.raises(StoreUnavailable, match="token_file"):
            await store.write(points(1))
        assert (await store.write(points(1))).written == 1


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_write_that_is_redirected_to_another_page_is_not_stored(status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        if request.path == "/write":
            return web.Response(status=status, headers={"Location": "/generate_204"})
        return web.Response(status=204)

    async with serving(answer) as url, opened(url) as store:
        with pytest.raises(StoreUnavailable, match="a redirect to http"):
            await store.write(points(1))


async def test_a_missing_password_file_is_the_configuration_s_fault() -> None:
    async with opened("http://127.0.0.1:1", username="u", password_file="/no/such") as store:  # noqa: S106 - a path
        with pytest.raises(ConfigError, match="/no/such"):
            await store.prepare()


async def test_a_database_with_shards_of_another_length_is_used_as_it_is(influx: Influx) -> None:
    """An earlier version created it, or a person."""
    name = f"old{uuid4().hex}"
    async with opened(influx.url, database=name) as store:
        async with ClientSession() as session:
            query = {"q": f'CREATE DATABASE "{name}" WITH SHARD DURATION 7d'}
            async with session.post(f"{influx.url}/query", params=query) as answer:
                assert answer.status == 200
        await store.prepare()
        assert (await store.write(points(3))).written == 3
