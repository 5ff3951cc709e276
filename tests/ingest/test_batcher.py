"""Between receiver and store: acknowledged after, held once, bounded, and by size or delay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import Delivery, SetAside
from ingest.backoff import backoff_s
from ingest.batcher import Batcher, ranges
from ingest.metrics import Metrics
from ingest.settings import BatchSettings
from jieneng import observe
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import Ack
from jieneng.metering.schema import Point
from jieneng.storage.sqlite import SqliteStore
from jieneng.storage.store import WriteResult
from tests.ingest.agent import BOOT, START
from tests.patience import PATIENCE_S


def delivery(
    seq: int, points: int = 1, *, agent: str = "a", refused: str | None = None
) -> Delivery:
    tags = (("meter", "m"), ("site", "s"))
    aside = SetAside(topic="t", reason=refused or "", detail="", payload=b"x" * 10)
    return Delivery(
        agent=agent,
        number=(BOOT, seq),
        refused=refused,
        aside=(aside,) if refused else (),
        points=tuple(
            Point("electricity", tags, (("energy_kwh", 1.0),), START + 1000 * seq + i)
            for i in range(0 if refused else points)
        ),
    )


class MoodyStore(SqliteStore):
    """A real store that is away while `away` is set, and whose writes can be held up."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.tried = asyncio.Event()
        self.writes: list[int] = []

    async def write(self, points: Sequence[Point]) -> WriteResult:
        self.tried.set()
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("away")
        self.writes.append(len(points))
        return await super().write(points)


class World:
    """A batcher and what it did to the world around it."""

    def __init__(self, store: MoodyStore, settings: BatchSettings) -> None:
        self.store = store
        self.disk_full = False
        self.kept: list[SetAside] = []
        self.acks: list[tuple[str, Ack]] = []
        self._news = asyncio.Event()
        self.metrics = Metrics()
        self.batcher = Batcher(
            settings,
            store,
            self._keep,
            self._acknowledge,
            metrics=self.metrics,
            log=observe.log("test"),
        )

    async def _keep(self, entries: Sequence[SetAside]) -> None:
        if self.disk_full:
            raise OSError(28, "No space left on device")
        self.kept += entries

    async def _acknowledge(self, agent: str, ack: Ack) -> None:
        self.acks.append((agent, ack))
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def world(tmp_path: Path, **settings: float) -> AsyncIterator[World]:
    store = MoodyStore(tmp_path / "store.sqlite")
    one = World(store, BatchSettings(**({"max_delay_s": 0.01} | settings)))  # type: ignore[arg-type]
    running = asyncio.create_task(one.batcher.run())
    try:
        yield one
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await store.close()


async def test_acknowledgements_are_merged_by_agent_and_boot(tmp_path: Path) -> None:
    async with world(tmp_path, max_delay_s=0.05) as w:
        for seq in (3, 1, 2, 7):
            assert w.batcher.offer(delivery(seq)) == "stored"
        assert w.batcher.offer(delivery(1, agent="b")) == "stored"
        assert w.batcher.offer(delivery(4, refused="version")) == "refused"
        await w.until(lambda: len(w.acks) == 2)
        assert dict(w.acks) == {
            "a": Ack(BOOT, ((1, 3), (7, 7)), ((4, "version"),)),
            "b": Ack(BOOT, ((1, 1),)),
        }
        assert w.store.writes == [5]
        assert len(w.kept) == 1


async def test_enough_points_do_not_wait_for_the_delay(tmp_path: Path) -> None:
    async with world(tmp_path, max_points=10, max_delay_s=60) as w:
        w.batcher.offer(delivery(1, points=5))
        w.batcher.offer(delivery(2, points=5))
        await w.until(lambda: bool(w.acks))
        assert w.store.writes == [10]


async def test_nothing_is_acknowledged_while_the_store_is_away(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.store.away = True
        w.batcher.offer(delivery(1))
        await w.store.tried.wait()
        w.store.tried.clear()
        await w.store.tried.wait()  # it is tried again
        assert w.acks == []
        assert w.metrics.registry.get_sample_value("jieneng_ingest_waiting_points") == 2
        w.store.away = False
        await w.until(lambda: bool(w.acks))
        assert w.acks == [("a", Ack(BOOT, ((1, 1),)))]


async def test_a_batch_waits_at_most_once_and_memory_is_bounded(tmp_path: Path) -> None:
    async with world(tmp_path, max_waiting=20) as w:
        w.store.gate.clear()
        assert w.batcher.offer(delivery(1, points=8)) == "stored"
        assert w.batcher.offer(delivery(1, points=8)) == "repeated"
        await w.store.tried.wait()  # it is being written now
        assert w.batcher.offer(delivery(1, points=8)) == "repeated"
        assert w.batcher.offer(delivery(2, points=8)) == "stored"
        assert w.batcher.offer(delivery(3, points=8)) == "overflow"
        assert w.batcher.offer(delivery(1, points=1, agent="b")) == "stored"
        w.store.gate.set()
        await w.until(lambda: sum(len(ack.stored) for _, ack in w.acks) == 3)
        assert w.batcher.offer(delivery(3, points=8)) == "stored"
        assert w.batcher.offer(delivery(1, points=8)) == "stored"  # written again, harmlessly
        await w.until(lambda: sum(len(ack.stored) for _, ack in w.acks) == 5)


async def test_a_batch_larger_than_the_memory_is_let_in_alone(tmp_path: Path) -> None:
    async with world(tmp_path, max_waiting=5) as w:
        assert w.batcher.offer(delivery(1, points=50)) == "stored"
        assert w.batcher.offer(delivery(2)) == "overflow"
        await w.until(lambda: bool(w.acks))
        assert w.store.writes == [50]


async def test_a_full_quarantine_disk_costs_good_batches_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.disk_full = True
        w.batcher.offer(delivery(1))
        w.batcher.offer(delivery(2, refused="version"))
        await w.until(lambda: bool(w.acks))
        assert w.acks == [("a", Ack(BOOT, ((1, 1),)))]
        w.disk_full = False
        w.batcher.offer(delivery(2, refused="version"))  # it was not acknowledged, so it comes
        await w.until(lambda: len(w.acks) == 2)
        assert w.acks[1] == ("a", Ack(BOOT, (), ((2, "version"),)))


async def test_a_point_that_the_store_refuses_is_kept_and_costs_its_batch_nothing(
    tmp_path: Path,
) -> None:
    bad = Point("electricity", (("meter", "m"),), (("energy_kwh", "text"),), START)
    async with world(tmp_path) as w:
        good = delivery(1)
        w.batcher.offer(Delivery(agent="a", number=good.number, points=(bad, *good.points)))
        await w.until(lambda: bool(w.acks))
        assert w.acks == [("a", Ack(BOOT, ((1, 1),)))]
        assert [one.reason for one in w.kept] == ["store"]
        assert b"text" in w.kept[0].payload


async def test_what_holds_nothing_is_ignored(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        assert w.batcher.offer(Delivery(agent="a")) == "ignored"


@given(st.lists(st.integers(1, 60)))
def test_ranges_hold_the_numbers_and_no_others(numbers: list[int]) -> None:
    found = ranges(numbers)
    held = [n for first, last in found for n in range(first, last + 1)]
    assert held == sorted(set(numbers))
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))


@pytest.mark.parametrize("failures", [1, 2, 5, 1000])
def test_the_wait_between_tries_is_bounded(failures: int) -> None:
    assert 0.25 <= backoff_s(failures) <= 15
