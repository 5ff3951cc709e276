"""Quarantined samples are logged once for each reason and meter; quarantine faults are known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ingest.metrics import Metrics
from ingest.quarantine import quarantine_writer
from ingest.quarantine.quarantine_entry import EntryFilter
from ingest.quarantine.quarantine_file import FILE_NAME, Quarantine
from ingest.quarantine.quarantine_writer import QuarantineWriter
from jieneng import observe
from tests.ingest.agent import START
from tests.ingest.quarantine.test_quarantine_file import item, stray
from tests.patience import PATIENCE_S
from tests.stepped_clock import SteppedClock


class Rig:
    def __init__(self, path: Path, max_bytes: int = 2**40) -> None:
        self.quarantine = Quarantine(path, max_bytes)
        self.metrics = Metrics()
        self.writer = QuarantineWriter(
            self.quarantine,
            metrics=self.metrics,
            clock=SteppedClock(START, 0),
            log=observe.log("test"),
        )
        self.rooms = 0

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"jieneng_ingest_{name}", labels)

    def count_room(self) -> None:
        self.rooms += 1

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.writer.watch(self.count_room))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.quarantine.close()


async def test_each_reason_and_meter_is_said_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with capture_logs() as logs:
        for seq in range(1, 50):
            both = [item(2 * seq), item(2 * seq, meter="e-2")]
            other = [item(2 * seq + 1, reason="retention")]
            assert list(await rig.writer.write([both, other], [stray(seq)])) == [True, True]
    assert [(one["log_level"], one["reason"], one["meters"]) for one in logs] == [
        ("error", "field_type", ["e-2", "e-main"]),
        ("error", "retention", ["e-main"]),
        ("warning", "unknown_agent", []),
    ]
    assert logs[0]["show"] == "jieneng ingest quarantine list --reason field_type"
    assert rig.metric("set_aside_total", reason="field_type") == 98
    rig.quarantine.close()


async def test_a_thousand_invented_meters_do_not_fill_the_log(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with capture_logs() as logs:
        for seq in range(1, 60):
            names = [f"m-{seq}-{i}" for i in range(50)]
            await rig.writer.write([[item(seq, i, meter=one) for i, one in enumerate(names)]], [])
    assert len(logs) == 20
    assert all(len(line["meters"]) <= 20 for line in logs)
    rig.quarantine.close()


async def test_full_is_known_until_a_person_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_writer, "_LOOK_S", 0.01)
    rig = Rig(tmp_path, max_bytes=2000)
    with capture_logs() as logs:
        async with rig.watching():
            taken = [(await rig.writer.write([[item(seq)]], []))[0] for seq in range(1, 9)]
            assert taken == sorted(taken, reverse=True)
            assert not taken[-1]
            assert rig.writer.faults() == ["the quarantine is full"]
            assert rig.metric("quarantine_full") == 1
            person = Quarantine(tmp_path)
            person.drop(EntryFilter(ids=(1,)), 1)
            person.close()
            async with asyncio.timeout(PATIENCE_S):
                while not rig.rooms:  # noqa: ASYNC110 - a file has no event
                    await asyncio.sleep(0.005)
            assert rig.writer.faults() == []
            assert rig.metric("quarantine_full") == 0
            assert rig.metric("quarantine_samples", kind="acknowledged") == taken.count(True) - 1
            assert list(await rig.writer.write([[item(8)]], [])) == [True]
    events = [line["event"] for line in logs if "quarantine is full" in line["event"]]
    assert events == ["quarantine is full", "quarantine is full: over"]
    assert "replay" in next(line["fix"] for line in logs if line["event"] == events[0])


async def test_a_file_that_can_t_be_used_takes_nothing_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_writer, "_LOOK_S", 0.01)
    (tmp_path / FILE_NAME).write_bytes(b"x" * 9999)
    rig = Rig(tmp_path)
    with capture_logs() as logs:
        async with rig.watching():
            for _ in range(3):
                assert list(await rig.writer.write([[item(1)]], [stray(1)])) == [False]
            async with asyncio.timeout(PATIENCE_S):
                while len(rig.writer.faults()) < 2:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.005)
            assert rig.metric("quarantine_lost_total") == 3
            (tmp_path / FILE_NAME).unlink()
            assert list(await rig.writer.write([[item(1)]], [])) == [True]
            async with asyncio.timeout(PATIENCE_S):
                while rig.writer.faults():  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.005)
    said = [line["event"] for line in logs if line["log_level"] == "error"]
    assert sorted(said) == [
        "quarantine can't be read",
        "quarantine can't be written",
        "samples are quarantined",
    ]
