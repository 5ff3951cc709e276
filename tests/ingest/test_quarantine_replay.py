"""A replay checks samples like messages, stores each once, and keeps refused ones."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from ingest import quarantine_replay
from ingest.admission.message_checker import MessageChecker
from ingest.quarantine.quarantine_entry import (
    AgentAccount,
    EntryFilter,
    cut_item,
    polls_item,
    samples_item,
)
from ingest.quarantine.quarantine_file import Quarantine
from ingest.quarantine_replay import ReplayReport, replay
from ingest.storing.late_days import LateDays
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import PollReport, Status
from jieneng.metering.site import Site, SiteInfo
from jieneng.site_folder import SiteFolder
from jieneng.storage.influx import InfluxStore
from jieneng.storage.settings import StoreSettings
from tests.ingest.agent import BOOT, SITE, START, batch, sample
from tests.ingest.conflicting_server import ConflictingServer, conflicting_server
from tests.stepped_clock import SteppedClock

pytestmark = pytest.mark.server

TOPIC = mqtt_messages.topic(SITE, "agent-1", "batch")
NOW = START + 10**6


class Rig:
    """A quarantine, the checks of a site, and a store with a list of meters to refuse."""

    def __init__(self, folder: SiteFolder, path: Path, server: ConflictingServer) -> None:
        self.server = server
        self.quarantine = Quarantine(path / "q")
        self.store = InfluxStore(StoreSettings(kind="influx", url=server.url))
        self.site = folder.site
        self.checker = MessageChecker(folder.site, folder.models)
        self.seen: list[int] = []
        self.late_ms = 0

    async def replay(self, **chosen: object) -> ReplayReport:
        return await replay(
            self.quarantine,
            EntryFilter(**chosen),  # type: ignore[arg-type]
            self.checker,
            self.store,
            LateDays(self.site, SteppedClock(NOW + self.late_ms, 0)),
            NOW,
            self.seen.append,
        )

    def hold(self, seq: int, *numbers: int, meter: str = "e-main", reason: str = "r") -> None:
        samples = [sample(number, meter) for number in numbers]
        item = samples_item(TOPIC, batch(seq), samples, reason, "words", meter=meter)
        self.quarantine.add([[item]], [], START)


@pytest.fixture
async def rig(example: SiteFolder, tmp_path: Path) -> AsyncIterator[Rig]:
    async with conflicting_server() as server:
        rig = Rig(example, tmp_path, server)
        yield rig
        rig.quarantine.close()
        await rig.store.close()


async def test_what_fits_now_is_stored_once_and_leaves_the_quarantine(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_replay, "_ENTRIES_PER_WRITE", 2)
    for seq in range(1, 6):
        rig.hold(seq, seq, 10 + seq)
    rig.hold(6, 6, meter="nosuch")
    report = await rig.replay()
    assert (report.entries, report.stored) == (6, 10)
    (refused,) = report.refused
    assert (refused.reason, refused.meter, refused.samples) == ("unknown_meter", "nosuch", 1)
    assert rig.seen == [2, 4, 6]
    numbers = [*range(1, 6), *range(11, 16)]
    assert rig.server.times_ms("electricity") == [START + 1000 * i for i in numbers]
    (left,) = rig.quarantine.entries(EntryFilter())
    assert (left.replays, left.item.reason, left.item.seq) == (1, "unknown_meter", 6)
    assert rig.quarantine.accounts() == {"agent-1": AgentAccount(held=1, replayed=10)}


async def test_the_days_of_what_is_stored_after_all_are_computed_anew(rig: Rig) -> None:
    rig.late_ms = 10**9
    rig.hold(1, 1)
    await rig.replay()
    assert len(rig.server.times_ms("late_day")) == 1


async def test_of_an_entry_only_what_is_still_refused_stays(rig: Rig) -> None:
    rig.server.conflicts = {("electricity", "power_kw")}
    samples = [sample(1), sample(2, quantity="power_kw"), sample(3)]
    item = samples_item(TOPIC, batch(1), samples, "r", "words", meter="e-main")
    rig.quarantine.add([[item]], [], START)
    report = await rig.replay()
    assert (report.stored, len(report.refused)) == (2, 1)
    assert report.refused[0].reason == "field_type"
    assert "already exists as type integer" in report.refused[0].detail
    (left,) = rig.quarantine.entries(EntryFilter())
    assert mqtt_messages.decode_batch(left.item.payload).samples == (samples[1],)
    assert left.item.acknowledged
    rig.server.conflicts.clear()
    assert (await rig.replay()).refused == ()
    assert list(rig.quarantine.entries(EntryFilter())) == []
    assert rig.quarantine.accounts() == {"agent-1": AgentAccount(replayed=3)}


async def test_only_what_was_chosen_is_sent(rig: Rig) -> None:
    rig.hold(1, 1)
    rig.hold(2, 2, reason="other")
    assert (await rig.replay(reason="other")).stored == 1
    assert rig.server.times_ms("electricity") == [START + 2000]


async def test_a_store_that_fails_takes_nothing_out_of_the_quarantine(rig: Rig) -> None:
    rig.hold(1, 1)
    rig.store = InfluxStore(StoreSettings(kind="influx", url="http://127.0.0.1:1"))
    with pytest.raises(StoreUnavailable):
        await rig.replay()
    (left,) = rig.quarantine.entries(EntryFilter())
    assert (left.replays, left.item.samples) == (0, 1)


async def test_polls_and_states_are_sent_again_as_of_their_time(rig: Rig) -> None:
    poll = PollReport("e-main", START + 5, True, 9, 1)
    will = Status(agent="agent-1", boot=BOOT, online=False, time_ms=START, read=1, stored=1)
    payload = mqtt_messages.encode_status(will)
    status = msgspec.structs.replace(
        cut_item(TOPIC, "agent-1", "r", "", payload),
        topic=mqtt_messages.topic(SITE, "agent-1", "status"),
    )
    rig.quarantine.add([], [polls_item(TOPIC, batch(1), [poll], "r", ""), status], START + 7)
    report = await rig.replay()
    assert (report.entries, report.stored, report.refused) == (2, 0, ())
    assert rig.server.times_ms("poll") == [START + 5]
    assert rig.server.times_ms("agent") == [START + 7]
    assert list(rig.quarantine.entries(EntryFilter())) == []


async def test_what_can_t_be_read_stays_as_it_is(rig: Rig) -> None:
    cut = cut_item(TOPIC, "agent-1", "too_large", "large", b"[" * 10**5)
    strange = cut_item("jieneng/1/other/a/batch", "", "not_json", "no", b"{")
    rig.quarantine.add([], [cut, strange], START)
    report = await rig.replay()
    assert [one.reason for one in report.refused] == ["too_large", "other_site"]
    left = list(rig.quarantine.entries(EntryFilter()))
    assert [(one.replays, one.item.payload) for one in left] == [
        (1, cut.payload),
        (1, strange.payload),
    ]
    assert not any(one.item.acknowledged for one in left)


async def test_a_sender_that_was_unknown_is_stored_once_the_site_knows_it(rig: Rig) -> None:
    empty = Site(site=SiteInfo(id=SITE, name="x"))
    payload = mqtt_messages.encode_batch(batch(1))
    checked = MessageChecker(empty, {}).check(TOPIC, payload, START)
    (item,) = checked.to_quarantine
    assert (item.reason, item.acknowledged) == ("unknown_agent", False)
    rig.quarantine.add([], [item], START)
    assert (await rig.replay()).refused == ()
    assert rig.server.times_ms("electricity") == [START + 1000]
    assert rig.quarantine.accounts() == {}
