"""Batches are acknowledged after the store, held once, bounded, and written by size or delay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import ledger
from ingest.admission.message_checker import CheckedMessage
from ingest.backoff import backoff_s
from ingest.metrics import Metrics
from ingest.quarantine.quarantine_entry import QuarantineItem
from ingest.settings import BatchSettings
from ingest.storing.acknowledgement import ranges
from ingest.storing.batcher import Batcher
from ingest.storing.late_days import LateDays
from ingest.storing.point_writer import PointWriter
from jieneng import observe
from jieneng.metering import mqtt_messages, schema
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import Ack, Batch, PollReport, Sample, Status
from jieneng.metering.schema import Point
from jieneng.metering.site import Site, SiteInfo
from jieneng.storage import RejectedPoint
from jieneng.storage.sqlite import SqliteStore
from jieneng.storage.store import UNCLEAR, WriteResult, write_result
from tests.ingest.agent import BOOT, START
from tests.patience import PATIENCE_S
from tests.stepped_clock import SteppedClock


def checked_message(
    seq: int, points: int = 1, *, agent: str = "a", refused: str | None = None
) -> CheckedMessage:
    tags = (("meter", "m"), ("site", "s"))
    aside = QuarantineItem(
        topic="t", reason=refused or "", detail="", payload=b"x" * 10, size=10, acknowledged=True
    )
    return CheckedMessage(
        topic="t",
        agent=agent,
        batch_id=(BOOT, seq),
        rejection=refused,
        samples=0 if refused else points,
        to_quarantine=(aside,) if refused else (),
        points=tuple(
            Point.of(
                "electricity",
                tags,
                (("energy_kwh", 1.0), ("quality", 0.0)),
                START + 1000 * seq + i,
            )
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
        self.quarantine_tried = asyncio.Event()
        self.acks: list[tuple[str, Ack]] = []
        self.seen: dict[tuple[str, str], list[int]] = {}
        self._acknowledged = asyncio.Event()
        self.metrics = Metrics()
        loop = asyncio.get_running_loop()
        late_days = LateDays(Site(site=SiteInfo(id="s", name="s")), SteppedClock(START, 0))
        self.points = PointWriter(
            store, late_days, loop.time, metrics=self.metrics, log=observe.log("test")
        )
        self.batcher = Batcher(
            settings,
            self.points,
            self._write_quarantine,
            self._acknowledge,
            self._record_seen,
            metrics=self.metrics,
        )

    async def _write_quarantine(
        self, batches: Sequence[Sequence[QuarantineItem]], others: Sequence[QuarantineItem]
    ) -> Sequence[bool]:
        self.quarantine_tried.set()
        if not self.disk_full:
            self.quarantined += [*others, *(item for items in batches for item in items)]
        return [not self.disk_full] * len(batches)

    async def _record_seen(self, seen: Mapping[tuple[str, str], Sequence[int]]) -> None:
        for key, numbers in seen.items():
            self.seen.setdefault(key, []).extend(numbers)

    async def _acknowledge(self, agent: str, ack: Ack) -> None:
        self.acks.append((agent, ack))
        self._acknowledged.set()

    async def until_idle(self) -> None:
        """Wait until nothing waits any more."""
        async with asyncio.timeout(PATIENCE_S):
            while self.metrics.registry.get_sample_value("jieneng_ingest_waiting_points"):  # noqa: ASYNC110 - a metric has no event
                await asyncio.sleep(0.005)

    async def until_store_away(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not self.points.is_store_away:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.005)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self._acknowledged.clear()
                await self._acknowledged.wait()


@asynccontextmanager
async def batcher_rig(
    tmp_path: Path, *, store: InterruptibleStore | None = None, **settings: float
) -> AsyncIterator[BatcherRig]:
    store = store or InterruptibleStore(tmp_path / "store.sqlite")
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
        assert rig.seen == {("a", BOOT): [3, 1, 2, 7, 4], ("b", BOOT): [1]}
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


async def test_a_full_quarantine_costs_good_batches_nothing(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path) as rig:
        rig.disk_full = True
        rig.batcher.add(checked_message(1))
        rig.batcher.add(checked_message(2, refused="version"))
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((1, 1),)))]
        await rig.until_idle()
        rig.disk_full = False
        assert rig.batcher.add(checked_message(2, refused="version")) == "postponed"
        rig.batcher.retry_postponed()
        rig.batcher.add(checked_message(2, refused="version"))  # not acknowledged, so sent again
        await rig.until(lambda: len(rig.acks) == 2)
        assert rig.acks[1] == ("a", Ack(BOOT, (), ((2, "version"),)))


def refused(time_ms: int, meter: str = "m") -> Point:
    """A point of a reading that every store rejects."""
    tags = (("meter", meter), ("site", "s\n"))
    return Point.of("electricity", tags, (("energy_kwh", 1.0), ("quality", 0.0)), time_ms)


async def test_samples_that_the_store_refuses_are_kept_and_counted_one_by_one(
    tmp_path: Path,
) -> None:
    async with batcher_rig(tmp_path) as rig:
        good = checked_message(1, points=3)
        mixed = msgspec.structs.replace(
            good, samples=5, points=(refused(START), *good.points, refused(START + 1))
        )
        all_bad = msgspec.structs.replace(
            checked_message(2), samples=2, points=(refused(START + 2), refused(START + 3, "n"))
        )
        for one in (mixed, all_bad, checked_message(3)):
            rig.batcher.add(one)
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [
            ("a", Ack(BOOT, ((1, 1), (3, 3)), ((2, "invalid"),), ((1, "invalid", 2),)))
        ]
        assert [
            (one.seq, one.meter, one.reason, one.samples, one.acknowledged)
            for one in rig.quarantined
        ] == [
            (1, "m", "invalid", 2, True),
            (2, "m", "invalid", 1, True),
            (2, "n", "invalid", 1, True),
        ]
        kept = mqtt_messages.decode_batch(rig.quarantined[0].payload)
        assert kept == Batch(
            "a",
            BOOT,
            1,
            (
                Sample("m", START, 0, ("energy_kwh",), (1.0,)),
                Sample("m", START + 1, 0, ("energy_kwh",), (1.0,)),
            ),
        )
        assert "tag site" in rig.quarantined[0].detail


async def test_polls_that_the_store_refuses_are_kept_and_hold_up_nobody(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path) as rig:
        rig.disk_full = True
        poll = PollReport("m", START, True, 9, 1)
        good = checked_message(1)
        points = (*good.points, schema.poll_point("s\n", poll))
        rig.batcher.add(msgspec.structs.replace(good, points=points))
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((1, 1),)))]
        await rig.until_idle()
        rig.disk_full = False
        rig.batcher.add(msgspec.structs.replace(good, points=points))
        await rig.until(lambda: len(rig.acks) == 2)
        (kept,) = rig.quarantined
        assert (kept.samples, kept.acknowledged) == (0, False)
        assert mqtt_messages.decode_batch(kept.payload) == Batch("a", BOOT, 1, (), (poll,))


async def test_a_status_that_the_store_refuses_is_kept_whole(tmp_path: Path) -> None:
    async with batcher_rig(tmp_path) as rig:
        status = Status(agent="a", boot=BOOT, online=True, time_ms=START, read=3, stored=3)
        points = ledger.status_points("s\n", status, START)
        rig.batcher.add(CheckedMessage(topic="t", agent="a", points=points, status=status))
        await asyncio.wait_for(rig.quarantine_tried.wait(), PATIENCE_S)
        (kept,) = rig.quarantined
        assert mqtt_messages.decode_status(kept.payload) == status


class UnclearStore(InterruptibleStore):
    """A store that refuses the readings of meter `odd` in unknown words."""

    odd = "odd"

    async def write(self, points: Sequence[Point]) -> WriteResult:
        bad = [i for i, one in enumerate(points) if one.tags[0] == ("meter", self.odd)]
        good = [one for i, one in enumerate(points) if i not in bad]
        if not good:
            raise StoreUnavailable("nothing accepted")
        await super().write(good)
        words = [RejectedPoint(i, points[i], UNCLEAR, "the frobnicator says no") for i in bad]
        return write_result(len(points), words)


async def test_a_batch_of_which_a_point_is_undecided_holds_no_place_and_costs_no_writes(
    tmp_path: Path,
) -> None:
    store = UnclearStore(tmp_path / "store.sqlite")
    async with batcher_rig(tmp_path, store=store) as rig:
        good = checked_message(1)
        tags = (("meter", "odd"), ("site", "s"))
        odd = Point.of("electricity", tags, good.points[0].fields, START)
        undecided = msgspec.structs.replace(good, samples=2, points=(*good.points, odd))
        rig.batcher.add(undecided)
        rig.batcher.add(checked_message(2))
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((2, 2),)))]
        assert rig.quarantined == []
        await rig.until_idle()
        assert rig.metrics.registry.get_sample_value("jieneng_ingest_waiting_points") == 0
        writes = len(store.writes)
        assert [rig.batcher.add(undecided) for _ in range(3)] == ["postponed"] * 3
        store.odd = "nobody"
        rig.batcher.retry_postponed()
        rig.batcher.add(checked_message(3))
        await rig.until(lambda: len(rig.acks) == 2)
        assert len(store.writes) == writes + 1
        # The point is held back for half an hour, so its batch stays unacknowledged.
        rig.batcher.add(undecided)
        rig.batcher.add(checked_message(4))
        await rig.until(lambda: len(rig.acks) == 3)
        assert [ack.stored for _, ack in rig.acks] == [((2, 2),), ((3, 3),), ((4, 4),)]


async def test_a_refused_batch_alone_does_not_stop_what_arrives_after_it(tmp_path: Path) -> None:
    """A store that accepts nothing is in trouble; the batch is tried again with the next ones."""
    store = UnclearStore(tmp_path / "store.sqlite")
    async with batcher_rig(tmp_path, store=store) as rig:
        good = checked_message(1)
        tags = (("meter", "odd"), ("site", "s"))
        odd = Point.of("electricity", tags, good.points[0].fields, START)
        rig.batcher.add(msgspec.structs.replace(good, points=(odd,)))
        await rig.until_store_away()
        rig.batcher.add(checked_message(2))
        await rig.until(lambda: bool(rig.acks))
        assert rig.acks == [("a", Ack(BOOT, ((2, 2),)))]


class PoisonedStore(InterruptibleStore):
    """A store with which every write of meter `odd` fails, as if it were in trouble."""

    async def write(self, points: Sequence[Point]) -> WriteResult:
        if any(one.tags[0] == ("meter", "odd") for one in points):
            self.writes.append(0)
            raise StoreUnavailable("panic")
        return await super().write(points)


async def test_a_message_with_which_every_write_fails_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.storing.batcher.backoff_s", lambda _: 0.0)
    store = PoisonedStore(tmp_path / "store.sqlite")
    async with batcher_rig(tmp_path, store=store) as rig:
        good = checked_message(1)
        odd = Point.of("electricity", (("meter", "odd"), ("site", "s")), good.points[0].fields, 1)
        rig.batcher.add(checked_message(40, agent="b"))
        rig.batcher.add(msgspec.structs.replace(good, points=(odd,)))
        for seq in range(2, 40):
            rig.batcher.add(checked_message(seq))
        await rig.until_idle()
        stored = {seq for _, ack in rig.acks for a, b in ack.stored for seq in range(a, b + 1)}
        assert stored == set(range(2, 41))
        assert len(store.writes) < 60
        assert rig.batcher.add(msgspec.structs.replace(good, points=(odd,))) == "postponed"


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
