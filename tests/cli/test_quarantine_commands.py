"""`jieneng ingest quarantine` lists, shows, replays and drops quarantined entries."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ingest.quarantine.quarantine_entry import EntryFilter, cut_item, samples_item
from ingest.quarantine.quarantine_file import Quarantine
from ingest.receipts.receipt_file import ReceiptFile
from jieneng.clock import SystemClock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Status
from jieneng.metering.schema import ledger_point
from jieneng.storage import StoreSettings, open_store
from tests.cli.run import jieneng
from tests.ingest.agent import BOOT, SITE, START, batch, sample

pytestmark = pytest.mark.server

TOPIC = mqtt_messages.topic(SITE, "agent-1", "batch")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    assert jieneng("init", folder).returncode == 0
    return folder


@pytest.fixture
def kept(site: Path) -> Iterator[Quarantine]:
    quarantine = Quarantine(site / "quarantine")
    samples = [sample(1), sample(2)]
    good = samples_item(TOPIC, batch(1), samples, "field_type", "400 no such", meter="e-main")
    odd = samples_item(
        TOPIC, batch(2), [sample(3, "nosuch")], "unknown_meter", "meter nosuch", meter="nosuch"
    )
    hostile = cut_item("a/\x1b[31m", "", "topic", "bad [bold] topic", b"\x1b]0;x\x07")
    quarantine.add([[good], [odd]], [hostile], START)
    yield quarantine
    quarantine.close()


def test_the_life_of_what_was_set_aside(site: Path, kept: Quarantine) -> None:
    def run(*arguments: object, language: str = "en") -> tuple[int, str]:
        done = jieneng(
            "ingest", "quarantine", arguments[0], "--site", site, *arguments[1:], language=language
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    code, text = run("list")
    assert code == 0
    assert "field_type" in text
    assert "3 samples in 3 entries" in text
    code, text = run("list", "--meter", "e-main", "--format", "json")
    assert [(row["reason"], row["entries"], row["samples"]) for row in json.loads(text)] == [
        ("field_type", 1, 2)
    ]
    code, text = run("show", 1)
    assert code == 0
    assert "400 no such" in text
    assert "e-main  energy_kwh = 101.0" in text
    code, text = run("show", 3, language="zh")
    assert code == 0
    assert "\x1b" not in text
    assert "\\x1b[31m" in text
    code, text = run("show", 77)
    assert (code, "there is no entry 77" in text) == (2, True)

    code, text = run("replay", 1, 2)
    assert code == 1
    assert "2 entries were sent again; 2 samples of them are stored." in text
    assert "Still refused, unknown_meter nosuch: 1 samples." in text
    assert [entry.id for entry in kept.entries(EntryFilter())] == [2, 3]

    code, text = run("drop")
    assert (code, "name what to drop" in text) == (2, True)
    code, text = run("drop", 2)
    assert code == 130  # nobody answered
    assert len(list(kept.entries(EntryFilter()))) == 2
    code, text = run("drop", 2, "--yes")
    assert (code, "1 samples in 1 entries are gone for good" in text) == (0, True)
    code, text = run("drop", "--all", "--yes")
    assert code == 0
    code, text = run("list")
    assert (code, "No entry" in text) == (0, True)
    account = kept.accounts()["agent-1"]
    assert (account.held, account.replayed, account.dropped) == (0, 2, 1)


def test_a_site_without_a_quarantine_has_an_empty_one(site: Path) -> None:
    done = jieneng("ingest", "quarantine", "list", "--site", site)
    assert (done.returncode, "No entry" in done.stdout) == (0, True)
    assert not (site / "quarantine").exists()


def test_the_ledger_says_what_became_of_what_was_set_aside(site: Path, kept: Quarantine) -> None:
    def run() -> tuple[int, str]:
        done = jieneng("ingest", "ledger", "--site", site, "--hours", 1)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    now_ms = SystemClock().now_ms()
    said = Status(
        agent="agent-1", boot=BOOT, online=True, time_ms=now_ms, read=9, stored=6, quarantined=3
    )
    asyncio.run(write_status(site, said))
    ReceiptFile(site / "quarantine").add({("agent-1", BOOT): [1, 2, 5]}, now_ms)
    code, text = run()
    assert code == 0
    assert "read 9 = stored 6 + set aside 3 + pending 0 + dropped 0: balances" in text
    assert "of the quarantined samples: still held 3, replayed 0, dropped 0" in text
    assert f"run {BOOT}: of the batches 1 to 5, 2 were not received here: 3-4." in text
    kept.drop(EntryFilter(meter="nosuch"), kept.last_id())
    code, text = run()
    assert (code, "held 2, replayed 0, dropped 1" in text) == (0, True)
    # An agent counts more than all quarantines have: an acknowledged sample is lost.
    asyncio.run(write_status(site, msgspec.structs.replace(said, stored=5, quarantined=4)))
    code, text = run()
    assert (code, "does not balance" in text) == (1, True)
    assert "1 samples counted as quarantined are in no quarantine" in text


async def write_status(site: Path, status: Status) -> None:
    store = open_store(StoreSettings(), site)
    try:
        await store.prepare()
        await store.write([ledger_point(SITE, status)])
    finally:
        await store.close()
