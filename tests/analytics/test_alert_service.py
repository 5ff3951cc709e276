"""The alert service, on real stores and receivers that fail, killed at each step."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from analytics.alert_service import AlertService
from analytics.alerts.alert import AlertMark
from analytics.alerts.delivery.notice_outbox import NoticeOutbox
from analytics.alerts.intake import Intake
from analytics.pipeline.alerting.alert_store import AlertStore
from analytics.settings import AlertSettings
from jieneng.metering import schema
from jieneng.metering.errors import OutboxUnavailable, StoreUnavailable
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import Store, StoreSettings, WriteResult, open_store
from tests.analytics.alerts.delivery.notices import SetClock
from tests.analytics.alerts.delivery.receivers import HttpReceiver, http_receiver
from tests.analytics.sites import folder as site_folder
from tests.storage.conftest import influx_settings  # noqa: F401 - a fixture

pytestmark = pytest.mark.server

STEP_MS = 10_000
MINUTE_MS = 60_000

SITE = """
[[area]]
id = "block"
name = "1号楼"

[[bus]]
id = "plant"
agent = "agent-1"
host = "192.0.2.1"

[[meter]]
id = "e"
name = "总表"
medium = "electricity"
model = "acrel-dtsd1352"
area = "block"
bus = "plant"
rated_max = 400.0
"""

RULES = """
[grouping]
wait_s = 0.0

[hours]
quiet = []

[[rule]]
id = "power"
signal = "quantity"
quantity = "power_kw"
above = 50.0
severity = "critical"

[[receiver]]
id = "hook"
url = "{url}"
"""


class Rig:
    """A site whose meter is polled every 10 s, and the services that watch it."""

    def __init__(self, site: SiteFolder, store: Store, http: HttpReceiver) -> None:
        self.site = site
        self.store = store
        self.http = http
        self.clock = SetClock()
        self.intake = Intake(gap_s=1e9, hold_s=0.0)
        self.write_rules(RULES)

    def write_rules(self, text: str) -> None:
        (self.site.path / "alerts.toml").write_text(text.format(url=self.http.webhook))

    def service(self, path: Path | None = None, store: Store | None = None) -> AlertService:
        """Return a service that has just started."""
        return AlertService(
            self.site if path is None else load(path),
            AlertSettings(),
            self.clock,
            self.store if store is None else store,
            CollectorRegistry(),
            self.intake,
        )

    async def read_meter(self, power_kw: float) -> None:
        tags = (("meter", "e"), ("site", "centre"))
        fields = (("power_kw", power_kw), ("quality", 0.0))
        await self.store.write([Point.of("electricity", tags, fields, self.clock.time_ms - 500)])

    async def rounds(self, services: list[AlertService], *powers_kw: float) -> None:
        """Let each service run a round after each reading, and deliver."""
        for power_kw in powers_kw:
            self.clock.time_ms += STEP_MS
            await self.read_meter(power_kw)
            await self.round(services)

    async def round(self, services: list[AlertService]) -> None:
        for service in services:
            await service.attempt_round()
            await service._dispatch.deliver_due()
            await service._dispatch.idle()

    @property
    def titles(self) -> list[str]:
        """The titles of all notices that arrived, in short."""
        return [body["title"] for _, body in self.http.received]


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as receiver:
        yield receiver


@pytest.fixture(params=["sqlite", "influx"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    settings = StoreSettings()
    if request.param != "sqlite":
        settings = request.getfixturevalue(f"{request.param}_settings")
    opened = open_store(settings, tmp_path)
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
def rig(tmp_path: Path, store: Store, http: HttpReceiver) -> Rig:
    return Rig(site_folder(tmp_path, SITE), store, http)


sqlite_only = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


async def test_fire_and_recovery_are_told_once_though_the_service_is_restarted_each_round(
    rig: Rig,
) -> None:
    service = rig.service()
    await rig.rounds([service], 10, 10)
    for power_kw in (60, 61, 62, 10, 10, *[10] * 8):
        await rig.rounds([rig.service()], power_kw)
    assert len(rig.titles) == 2
    assert "严重" in rig.titles[0]
    assert "总表" in rig.titles[1]
    assert "恢复" in rig.titles[1]


@sqlite_only
async def test_a_notice_that_waits_for_its_group_does_not_wait_for_the_next_round(rig: Rig) -> None:
    rig.write_rules(RULES.replace("wait_s = 0.0", "wait_s = 4.0"))
    service = rig.service()
    await rig.rounds([service], 10)
    assert service._pause_s(0.5) == 9.5
    await rig.rounds([service], 60)
    assert rig.titles == []
    pause_s = service._pause_s(0.5)
    assert 0 < pause_s <= 4.0
    rig.clock.time_ms += round(pause_s * 1000)
    await rig.round([service])
    assert len(rig.titles) == 1
    assert service._pause_s(0.5) == 9.5


async def test_an_episode_that_is_over_is_one_point_at_the_time_at_which_it_fired(
    rig: Rig,
) -> None:
    service = rig.service()
    await rig.rounds([service], 10, 10, 60, 65, 62, 10, 10, *[10] * 8)
    span: dict[str, int] = {"start_ms": 0, "end_ms": rig.clock.time_ms}
    found = {
        field: await rig.store.read(schema.ALERT_EPISODE, field, where={}, **span)
        for field in ("lasted_s", "peak", "ended_ms", "end")
    }
    (series,) = found["lasted_s"]
    assert (series.tags["rule"], series.tags["subject"]) == ("power", "e")
    (lasted_s,) = series.values.tolist()
    assert 0 < lasted_s <= 5 * STEP_MS / 1000
    assert found["peak"][0].values.tolist() == [65.0]
    assert found["ended_ms"][0].values[0] == series.times_ms[0] + 1000 * lasted_s
    assert found["end"][0].values.tolist() == [1.0]


async def test_what_was_read_while_the_service_was_down_is_told(rig: Rig) -> None:
    """Readings keep coming in while the service is away for twenty minutes."""
    await rig.rounds([rig.service()], 10, 10)
    for power_kw in (*[10] * 5, *[70] * 20, *[10] * 140):
        rig.clock.time_ms += STEP_MS
        await rig.read_meter(power_kw)
    await rig.rounds([rig.service()], *[10] * 4)
    assert len(rig.titles) == 1
    (notice,) = [one.queued.notice for one in rig_entries(rig)]
    assert (notice.event, notice.is_late) == ("passed", True)


def rig_entries(rig: Rig) -> list[Any]:
    return NoticeOutbox(rig.site.path / "outbox.sqlite").entries("sent")


async def test_of_two_copies_one_tells_and_the_other_takes_over_without_repeating(
    rig: Rig, tmp_path: Path
) -> None:
    paths = [rig.site.path, tmp_path / "second"]
    shutil.copytree(rig.site.path, paths[1], ignore=shutil.ignore_patterns("*.sqlite*"))
    first, second = (rig.service(path) for path in paths)
    await rig.rounds([first, second], 10, 10, 10)
    await rig.rounds([first, second], 60, 60, 60)
    assert len(rig.titles) == 1
    holder, other = (first, second) if _holds(first) else (second, first)
    assert [_holds(holder), _holds(other)] == [True, False]
    await rig.rounds([other], *[60] * 5)  # the holder is dead
    assert _holds(other)
    await rig.rounds([other, holder], *[10] * 9)
    assert _holds(other) != _holds(holder)
    assert len(rig.titles) == 2
    assert "恢复" in rig.titles[1]


def _holds(service: AlertService) -> bool:
    return service._lead is not None and service._lead.is_holder


class KillingStore:
    """A store in whose process nothing is written after the notices were queued."""

    SCRIPT = """
import asyncio, os, signal, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from analytics.alert_service import AlertService
from analytics.pipeline.alerting.alert_store import AlertStore
from analytics.settings import AlertSettings
from jieneng.site_folder import load
from jieneng.storage import StoreSettings, open_store
from tests.analytics.alerts.delivery.notices import SetClock

async def die(self, alerts, now_ms):
    if any(alert.phase == "firing" for alert in alerts):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    AlertStore.write_states = die
    folder, clock = load(Path(sys.argv[1])), SetClock()
    clock.time_ms = int(sys.argv[2])
    store = open_store(StoreSettings(), folder.path)
    service = AlertService(folder, AlertSettings(), clock, store, CollectorRegistry())
    for _ in range(5):
        await service.attempt_round()
        clock.time_ms += 1000

asyncio.run(main())
"""


@sqlite_only
async def test_a_process_killed_between_outbox_and_store_tells_once(rig: Rig) -> None:
    await rig.rounds([rig.service()], 10, 10)
    rig.clock.time_ms += STEP_MS
    await rig.read_meter(60)
    for _ in range(2):
        done = await asyncio.to_thread(
            subprocess.run,
            [
                sys.executable,
                "-c",
                KillingStore.SCRIPT,
                str(rig.site.path),
                str(rig.clock.time_ms),
            ],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        rig.clock.time_ms += STEP_MS
    outbox = NoticeOutbox(rig.site.path / "outbox.sqlite")
    assert outbox.counts() == {("hook", "waiting"): 1}
    await rig.rounds([rig.service()], 60, 60, 60)
    assert len(rig.titles) == 1


@sqlite_only
async def test_a_store_that_is_down_loses_no_notice_and_is_said_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings go on in the meantime: the agents keep them."""
    service = rig.service()
    await rig.rounds([service], 10, 10)
    with capture_logs() as logs, monkeypatch.context() as patch:

        async def down(*_: object, **__: object) -> Any:
            raise StoreUnavailable("the database can't be reached")

        for call in ("read", "read_text", "span"):
            patch.setattr(rig.store, call, down)
        await rig.rounds([service], 60, 60, 60)
        patch.setattr(rig.store, "write", down)
        for _ in range(3):
            rig.clock.time_ms += STEP_MS
            await rig.round([service])
    assert not rig.titles
    with capture_logs() as more:
        await rig.rounds([service], 60)
    assert len(rig.titles) == 1
    events = [entry["event"] for entry in (*logs, *more)]
    assert events.count("alerts can't be evaluated") == 1
    assert events.count("alerts can't be evaluated: over") == 1


@sqlite_only
async def test_states_that_the_store_did_not_take_are_written_later_and_told_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = rig.service()
    await rig.rounds([service], 10, 10)
    write = rig.store.write

    async def refuse(points: list[Point]) -> WriteResult:
        if any(point.measurement == schema.ALERT for point in points):
            raise StoreUnavailable("the database can't be reached")
        return await write(points)

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "write", refuse)
        await rig.rounds([service], 60, 60)
        assert len(rig.titles) == 1, "the receivers do not wait for the store"
    await rig.rounds([service], 60)
    stored = await AlertStore("centre", rig.store).states(rig.clock.time_ms)
    assert stored["power/e"].told == "critical"
    await rig.rounds([rig.service()], 60, 60)
    assert len(rig.titles) == 1


@sqlite_only
async def test_a_disk_that_takes_no_notice_leaves_the_alert_untold_in_the_store(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a process that is killed now plans the notice again."""
    service = rig.service()
    await rig.rounds([service], 10, 10)

    def full(*_: object) -> Any:
        raise OutboxUnavailable("the disk is full")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(service._outbox, "add", full)
        await rig.rounds([service], 60, 60, 60)
        stored = await AlertStore("centre", rig.store).states(rig.clock.time_ms)
        assert stored.get("power/e") is None or not stored["power/e"].told
        assert [e["event"] for e in logs].count("notices can't be queued") == 1
    await rig.rounds([service], 60)
    assert len(rig.titles) == 1


@sqlite_only
async def test_rules_are_read_again_when_the_file_changes_and_stay_if_it_has_a_mistake(
    rig: Rig,
) -> None:
    service = rig.service()
    await rig.rounds([service], 10, 10, 45)
    assert not rig.titles
    with capture_logs() as logs:
        rig.write_rules(RULES.replace("above = 50.0", "above = forty"))
        await rig.rounds([service], 45, 45)
    assert [entry["event"] for entry in logs] == ["alerts.toml has mistakes, old rules stay"]
    assert not rig.titles
    rig.write_rules(RULES.replace("above = 50.0", "above = 40.0"))
    await rig.rounds([service], 45, 45)
    assert len(rig.titles) == 1


@sqlite_only
async def test_a_silence_holds_the_notice_back(rig: Rig) -> None:
    service = rig.service()
    await rig.rounds([service], 10, 10)
    mark = AlertMark(
        kind="silence",
        rule="power",
        subject="e",
        by="张三",
        at_ms=rig.clock.time_ms,
        until_ms=rig.clock.time_ms + 3 * STEP_MS,
    )
    await AlertStore("centre", rig.store).write_mark(mark)
    await rig.rounds([service], 60, 60)
    assert not rig.titles
    await rig.rounds([service], 60, 60)
    assert len(rig.titles) == 1


AGES = """
[grouping]
wait_s = 0.0

[hours]
quiet = []

[[rule]]
id = "agent-silent"
signal = "agent_age"
above = 180.0

[[rule]]
id = "meter-silent"
signal = "reading_age"
above = 600.0

[[rule]]
id = "spool-waiting"
enabled = false

[[receiver]]
id = "hook"
url = "{url}"
"""


ALL = "receipt agent electricity"


class RigIntake(Intake):
    """The reports of the ingest, judged by the clock of a rig."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self._clock = rig.clock

    def note(self, newest_ms: int | None, now_s: float) -> None:
        super().note(newest_ms, self._clock.monotonic())

    def knows_ages(self, now_s: float) -> bool:
        return super().knows_ages(self._clock.monotonic())


class Intakes:
    """The ingest's reports and the agent's statuses of a rig, minute by minute."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.time_s = 0.0
        rig.write_rules(AGES)
        rig.intake = RigIntake(rig)
        self.service = rig.service()

    async def minutes(self, number: int, *, up: str, spool_age_s: float = 1.0) -> list[str]:
        """Let some minutes pass in which some parts are up; return the new titles."""
        rig, told = self.rig, len(self.rig.titles)
        for _ in range(number):
            rig.clock.time_ms += MINUTE_MS
            now_ms, points = rig.clock.time_ms, list[Point]()
            read_ms = now_ms - 2000 - round((spool_age_s - 1.0) * 1000)
            sent: dict[str, tuple[dict[str, str], dict[str, float], int]] = {
                "receipt": ({"agent": "agent-1", "machine": "m"}, {"held": 0.0}, now_ms - 5000),
                "agent": (
                    {"agent": "agent-1"},
                    {"online": 1.0, "spool_age_s": spool_age_s},
                    now_ms - 3000,
                ),
                "electricity": ({"meter": "e"}, {"power_kw": 10.0, "quality": 0.0}, read_ms),
            }
            for measurement in up.split():
                tags, fields, at_ms = sent[measurement]
                point = schema.point(measurement, {"site": "centre", **tags}, fields, at_ms)
                assert point is not None
                points.append(point)
            await rig.store.write(points)
            await rig.round([self.service])
        return rig.titles[told:]


@sqlite_only
async def test_no_agent_and_no_meter_is_called_silent_while_nothing_at_all_comes_in(
    rig: Rig,
) -> None:
    """The ingest is down for an hour, then the agent sends its backlog, the oldest first.

    Another rule would report that readings wait on its disk.
    """
    site = Intakes(rig)
    assert await site.minutes(5, up=ALL) == []
    (title,) = await site.minutes(60, up="")
    assert "入库中断" in title
    told = []
    for left_s in range(3600, 0, -300):
        told += await site.minutes(1, up=ALL, spool_age_s=left_s)
    told += await site.minutes(5, up=ALL)
    assert len(told) == 1
    assert "恢复" in told[0]


@sqlite_only
async def test_an_agent_and_a_meter_are_called_silent_while_the_ingest_is_up(rig: Rig) -> None:
    site = Intakes(rig)
    await site.minutes(5, up=ALL)
    (title,) = await site.minutes(5, up="receipt")
    assert "agent-1" in title
    assert len(await site.minutes(3, up=ALL)) == 1
    (title,) = await site.minutes(12, up="receipt agent")
    assert "总表" in title


@sqlite_only
async def test_a_silence_that_began_while_the_ingest_was_down_is_told_after_it(rig: Rig) -> None:
    site = Intakes(rig)
    await site.minutes(5, up=ALL)
    await site.minutes(30, up="")
    titles = await site.minutes(8, up="receipt")
    assert ["入库中断" in title for title in titles] == [True, False]
    assert "agent-1" in titles[1]


@sqlite_only
async def test_that_nothing_is_stored_is_told_and_its_end(rig: Rig) -> None:
    """By the packaged rule: 5 min without a report, for 5 min."""
    site = Intakes(rig)
    assert await site.minutes(5, up=ALL) == []
    assert await site.minutes(9, up="") == []
    (title,) = await site.minutes(3, up="")
    assert "入库中断" in title
    (title,) = await site.minutes(4, up=ALL)
    assert "恢复" in title


@sqlite_only
async def test_a_database_that_is_down_is_told_as_nothing_stored(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Intakes(rig)
    await site.minutes(5, up=ALL)

    async def down(*_: object, **__: object) -> Any:
        raise StoreUnavailable("the database can't be reached")

    with monkeypatch.context() as patch:
        for call in ("read", "read_text", "span", "write"):
            patch.setattr(rig.store, call, down)
        for _ in range(20):
            rig.clock.time_ms += MINUTE_MS
            await rig.round([site.service])
        (title,) = rig.titles
        assert "入库中断" in title
    (title,) = await site.minutes(5, up=ALL)
    assert "恢复" in title


@sqlite_only
async def test_metrics_tell_rounds_alerts_and_notices(rig: Rig) -> None:
    registry = CollectorRegistry()
    service = AlertService(rig.site, AlertSettings(), rig.clock, rig.store, registry, rig.intake)
    await rig.rounds([service], 10, 10, 60, 60)
    text = generate_latest(registry).decode()
    for line in (
        'jieneng_alert_rounds_total{outcome="ok"} 4.0',
        'jieneng_alerts_firing{severity="critical"} 1.0',
        'jieneng_notices_total{outcome="sent",receiver="hook"} 1.0',
        'jieneng_notices_waiting{receiver="hook"} 0.0',
        "jieneng_alert_holder 1.0",
    ):
        assert line in text, text
