"""Batches are acknowledged after the store, held once, bounded, and written by size or delay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import CheckedMessage, QuarantineItem
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


def checked_message(
    seq: int, points: int = 1, *, agent: str = "a", refused: str | None = None
) -> CheckedMessage:
    tags = (("meter", "m"), ("site", "s"))
    aside = QuarantineItem(topic="t", reason=refused or "", detail="", payload=b"x" * 10)
    return CheckedMessage(
        agent=agent,
        batch_id=(BOOT, seq),
        rejection=refused,
        to_quarantine=(aside,) if refused else (),
        points=tuple(
            Point("electricity", tags, (("energy_kwh", 1.0),), START + 1000 * seq + i)
            for i in range(0 if refused else points)
        ),
    )


class InterruptibleStore(SqliteStore):
    """A real store that is unavailable while `away` is set; `gate` holds up its writes."""

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


class BatcherRig:
    """A batcher, and the store, quarantine and acknowledgements that it writes."""

    def __init__(self, store: InterruptibleStore, settings: BatchSettings) -> None:
        self.store = store
        self.disk_full = False
        self.quarantined: list[QuarantineItem] = []
        self.acks: list[tuple[str, Ack]] = []
        self._acknowledged = asyncio.Event()
        self.metrics = Metrics()
        self.batcher = Batcher(
            settings,
            store,
            self._write_quarantine,
            self._acknowledge,
            metrics=self.metrics,
            log=observe.log("test"),
        )

    async def _write_quarantine(self, items: Sequence[QuarantineItem]) -> None:
        if self.disk_full:
            raise OSError(28, "No space left on device")
        self.quarantined += items

    async def _acknowledge(self, agent: str, ack: Ack) -> None:
        self.acks.append((agent, ack))
        self._acknowledged.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self._acknowledged.clear()
                await self._acknowledged.wait()


@asynccontextmanager
async def batcher_rig(tmp_path: Path, **settings: float) -> AsyncIterator[BatcherRig]:
    store = InterruptibleStore(tmp_path / "store.sqlite")
    rig = BatcherRig(store, BatchSettings(**({"max_delay_s": 0.01} | settings)))  # type: ignore[arg-type]
    running = asyncio.create_task(rig.batcher.run())
    try:
        yield rig
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await store.close()


async def test_acknowledgements_are_merged_by_agent_and_boot(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path, max_delay_s=0.05) as rig:
        for seq in (3, 1, 2, 7):
            assert rig.batcher.add(checked_message(seq)) == "stored"
        assert rig.batcher.add(checked_message(1, agent="b")) == "stored"
        assert rig.batcher.add(checked_message(4, refused="version")) == "refused"
        await rig.until(lambda: len(rig.acks) == 2)
        assert dict(rig.acks) == {
            "a": Ack(BOOT, ((1, 3), (7, 7)), ((4, "version"),)),
            "b": Ack(BOOT, ((1, 1),)),
        }
        assert rig.store.writes == [5]
        assert len(rig.quarantined) == 1


async def test_enough_points_do_not_wait_for_the_delay(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path, max_points=10, max_delay_s=60) as rig:
        rig.batcher.add(checked_message(1, points=5))
        rig.batcher.add(checked_message(2, points=5))
        await rig.until(lambda: bool(rig.acks))
        assert rig.store.writes == [10]


async def test_nothing_is_acknowledged_while_the_store_is_away(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path) as rig:
        rig.store.away = True
        rig.batcher.add(checked_message(1))
        await rig.store.tried.wait()
        rig.store.tried.clear()
        await rig.store.tried.wait()  # it is tried again
        assert rig.acks == []
        assert rig.metrics.registry.get_sample_value("jieneng_ingest_waiting_points") == 2
        rig.store.away = False
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((1, 1),)))]


async def test_a_batch_waits_at_most_once_and_memory_is_bounded(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path, max_waiting=20) as rig:
        rig.store.gate.clear()
        assert rig.batcher.add(checked_message(1, points=8)) == "stored"
        assert rig.batcher.add(checked_message(1, points=8)) == "repeated"
        await rig.store.tried.wait()  # it is being written now
        assert rig.batcher.add(checked_message(1, points=8)) == "repeated"
        assert rig.batcher.add(checked_message(2, points=8)) == "stored"
        assert rig.batcher.add(checked_message(3, points=8)) == "overflow"
        assert rig.batcher.add(checked_message(1, points=1, agent="b")) == "stored"
        rig.store.gate.set()
        await rig.until(lambda: sum(len(ack.stored) for _, ack in rig.acks) == 3)
        assert rig.batcher.add(checked_message(3, points=8)) == "stored"
        assert rig.batcher.add(checked_message(1, points=8)) == "stored"  # written again
        await rig.until(lambda: sum(len(ack.stored) for _, ack in rig.acks) == 5)


async def test_a_batch_larger_than_the_memory_is_let_in_alone(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path, max_waiting=5) as rig:
        assert rig.batcher.add(checked_message(1, points=50)) == "stored"
        assert rig.batcher.add(checked_message(2)) == "overflow"
        await rig.until(lambda: bool(rig.acks))
        assert rig.store.writes == [50]


async def test_a_full_quarantine_disk_costs_good_batches_nothing(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path) as rig:
        rig.disk_full = True
        rig.batcher.add(checked_message(1))
        rig.batcher.add(checked_message(2, refused="version"))
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((1, 1),)))]
        rig.disk_full = False
        rig.batcher.add(checked_message(2, refused="version"))  # not acknowledged, so sent again
        await rig.until(lambda: len(rig.acks) == 2)
        assert rig.acks[1] == ("a", Ack(BOOT, (), ((2, "version"),)))


async def test_a_point_that_the_store_refuses_is_kept_and_costs_its_batch_nothing(
    tmp_path: Path,
) -> None:
    bad = Point("electricity", (("meter", "m"),), (("energy_kwh", "text"),), START)
    async with batcher_rig(tmp_path) as rig:
        good = checked_message(1)
        rig.batcher.add(
            CheckedMessage(agent="a", batch_id=good.batch_id, points=(bad, *good.points))
        )
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((1, 1),)))]
        assert [one.reason for one in rig.quarantined] == ["store"]
        assert b"text" in rig.quarantined[0].payload


async def test_what_holds_nothing_is_ignored(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path) as rig:
        assert rig.batcher.add(CheckedMessage(agent="a")) == "ignored"


@given(st.lists(st.integers(1, 60)))
def test_ranges_hold_the_numbers_and_no_others(numbers: list[int]) -> None:
    found = ranges(numbers)
    held = [n for first, last in found for n in range(first, last + 1)]
    assert held == sorted(set(numbers))
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))


@pytest.mark.parametrize("failures", [1, 2, 5, 1000])
def test_the_wait_between_tries_is_bounded(failures: int) -> None:
    assert 0.25 <= backoff_s(failures) <= 15
