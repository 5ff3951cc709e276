"""Points that the store refuses are quarantined, counted, never lost, and can be sent again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from ingest import app
from ingest.admission.message_checker import MessageChecker
from ingest.quarantine.quarantine_entry import EntryFilter
from ingest.quarantine_replay import ReplayReport, replay
from ingest.settings import IngestSettings, QuarantineSettings
from ingest.storing.late_days import LateDays
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch
from jieneng.observe import MetricsSettings
from jieneng.site_folder import SiteFolder
from jieneng.storage import StoreSettings, open_store
from tests.ingest.agent import START, FakeAgent, batch, connected, sample
from tests.ingest.conflicting_server import ConflictingServer, conflicting_server
from tests.ingest.test_app import metric, quarantined, reading, running, settings_for, stored
from tests.patience import PATIENCE_S
from tests.servers import Influx, Mosquitto, free_port

POSTPONED = 'jieneng_ingest_messages_total{outcome="postponed"}'

#: Space for about a third of the samples that are refused below.
SMALL = QuarantineSettings(max_bytes=65536)


@pytest.fixture
def folder(example: SiteFolder, tmp_path: Path) -> SiteFolder:
    return msgspec.structs.replace(example, path=tmp_path)


@pytest.fixture
async def server() -> AsyncIterator[ConflictingServer]:
    async with conflicting_server() as running_server:
        running_server.conflicts = {("electricity", "energy_kwh")}
        yield running_server


def hundreds(*seqs: int) -> list[Batch]:
    """Batches of 100 samples."""
    return [batch(seq, [sample(100 * seq + i) for i in range(100)]) for seq in seqs]


async def send_until_settled(agent: FakeAgent, batches: Sequence[Batch], rounds: int = 4) -> None:
    """Send batches again and again, until no more of them are acknowledged."""
    calm, heard = 0, -1
    async with asyncio.timeout(PATIENCE_S):
        while calm < rounds:
            done = agent.stored | agent.quarantined.keys()
            calm, heard = (calm + 1 if len(done) == heard > 0 else 0), len(done)
            for one in batches:
                if one.seq not in done:
                    await agent.send(one)
            await asyncio.sleep(0.2)


async def test_a_full_quarantine_is_said_and_what_does_not_fit_stays_with_the_agent(
    folder: SiteFolder, mosquitto: Mosquitto, server: ConflictingServer
) -> None:
    """10 batches of 100 readings, all refused: 200 were kept and 800 were gone."""
    settings = settings_for(
        mosquitto,
        store=StoreSettings(kind="influx", url=server.url),
        quarantine=SMALL,
        metrics=MetricsSettings(port=free_port()),
    )
    batches = hundreds(*range(1, 41))
    with capture_logs() as logs:
        async with running(folder, settings), connected(mosquitto.port) as agent:
            await send_until_settled(agent, batches)
            assert agent.stored == set()
            assert set(agent.quarantined.values()) == {"field_type"}
            kept = Counter(one.seq for one in quarantined(folder) for _ in range(one.samples))
            # Quarantined and still with the agent: together, all; and nothing acknowledged is gone.
            assert kept == dict.fromkeys(agent.quarantined, 100)
            assert 5 < len(kept) < 35
            assert await health(settings) == {"ok": False, "faults": ["the quarantine is full"]}
            # A repetition costs nothing: it is dropped before anything is written.
            assert await metric(settings, POSTPONED) > 0
            # The cause is removed: a replay stores the quarantined samples, the others are stored
            # on arrival.
            server.conflicts.clear()
            report = await replay_all(folder, settings)
            assert (report.stored, report.refused) == (100 * len(kept), ())
            assert server.times_ms("electricity") == numbers_ms(kept)
            rest = [one for one in batches if one.seq not in kept]
            await agent.resend_until_stored(*rest)
            assert agent.stored == {one.seq for one in rest}
            assert await health(settings) == {"ok": True}
    assert server.times_ms("electricity") == numbers_ms(range(1, 41))
    assert quarantined(folder) == []
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [line["event"] for line in errors] == ["samples are quarantined", "quarantine is full"]
    assert "already exists as type integer" in errors[0]["detail"]
    assert errors[0]["meters"] == ["e-main"]
    assert "quarantine list --reason field_type" in errors[0]["show"]


def hundred(seq: int) -> range:
    return range(100 * seq, 100 * seq + 100)


def numbers_ms(seqs: Iterable[int]) -> list[int]:
    """The times of all samples of `hundreds`."""
    return [START + 1000 * (100 * seq + i) for seq in sorted(seqs) for i in range(100)]


async def replay_all(folder: SiteFolder, settings: IngestSettings) -> ReplayReport:
    store = open_store(settings.store, folder.path)
    kept = app.open_quarantine(folder, settings.quarantine)
    checker = MessageChecker(folder.site, folder.models)
    try:
        now_ms = SystemClock().now_ms()
        late_days = LateDays(folder.site, SystemClock())
        return await replay(kept, EntryFilter(), checker, store, late_days, now_ms, lambda _: None)
    finally:
        await store.close()
        kept.close()


async def health(settings: IngestSettings) -> object:
    url = f"http://127.0.0.1:{settings.metrics.port}/health"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()


async def test_one_refused_sample_of_a_batch_is_set_aside_and_the_others_are_stored(
    folder: SiteFolder, mosquitto: Mosquitto, server: ConflictingServer
) -> None:
    server.conflicts = {("electricity", "power_kw")}
    settings = settings_for(mosquitto, store=StoreSettings(kind="influx", url=server.url))
    mixed = batch(1, [sample(1), sample(2), sample(3, quantity="power_kw"), sample(4)])
    async with running(folder, settings), connected(mosquitto.port) as agent:
        await agent.resend_until_stored(mixed)
        (ack,) = [ack for ack in agent.acks if ack.stored][:1]
    assert ack.partly == ((1, "field_type", 1),)
    assert server.times_ms("electricity") == [START + 1000 * i for i in (1, 2, 4)]
    (item,) = quarantined(folder)
    assert mqtt_messages.decode_batch(item.payload).samples == mixed.samples[2:3]


async def test_a_real_server_s_conflict_is_set_aside_with_its_words(
    folder: SiteFolder, mosquitto: Mosquitto, influx: Influx
) -> None:
    store = StoreSettings(kind="influx", url=influx.url, database=f"t{uuid4().hex}")
    await write_integer(influx, store.database)
    async with (
        running(folder, settings_for(mosquitto, store=store)),
        connected(mosquitto.port) as agent,
    ):
        with suppress(TimeoutError):
            await send_until_settled(agent, hundreds(1, 2, 3))
        assert agent.quarantined == dict.fromkeys((1, 2, 3), "field_type")
        odd = batch(4, [sample(1), sample(2, "w-main", "volume_m3")])
        await agent.resend_until_stored(odd)
        assert agent.acks[-1].partly == ((4, "field_type", 1),)
        async with reading(folder, settings_for(mosquitto, store=store)) as opened:
            assert await stored(opened, "water", "volume_m3") == [2]
    assert sum(one.samples for one in quarantined(folder)) == 301
    # Still refused, and then the other program's points are removed.
    settings = settings_for(mosquitto, store=store)
    report = await replay_all(folder, settings)
    assert (report.stored, [one.samples for one in report.refused]) == (0, [301])
    await post(influx, store.database, 'DROP MEASUREMENT "electricity"')
    report = await replay_all(folder, settings)
    assert (report.stored, report.refused) == (301, ())
    async with reading(folder, settings) as opened:
        assert await stored(opened) == [1, *(n for seq in (1, 2, 3) for n in hundred(seq))]
    assert quarantined(folder) == []


async def post(influx: Influx, database: str, query: str) -> None:
    """Run a statement."""
    parameters = {"db": database, "q": query}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{influx.url}/query", params=parameters) as response,
    ):
        response.raise_for_status()
        await response.read()  # before its end, the statement may still run


async def write_integer(influx: Influx, database: str) -> None:
    """Make the field an integer, as another program that writes to the database may."""
    await post(influx, database, f'CREATE DATABASE "{database}"')
    line = f"electricity,meter=e-main,site=other energy_kwh=1i {START * 1_000_000}"
    await write_line(influx, database, line)


async def write_line(influx: Influx, database: str, line: str) -> None:
    """Write a line of another program."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{influx.url}/write?db={database}", data=line) as response,
    ):
        response.raise_for_status()
