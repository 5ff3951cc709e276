"""The agent reports every poll, itself and its clock; on SIGHUP it reads the site's file again."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from edge_agent import app
from edge_agent.settings import (
    AgentHead,
    AgentSettings,
    BusOverride,
    PublishSettings,
    SpoolSettings,
)
from jieneng.clock import SystemClock
from jieneng.metering.errors import ConfigError, Problem
from jieneng.metering.reading import PollReport
from jieneng.metering.site import SiteInfo
from jieneng.site_folder import SiteFolder
from tests.edge_agent.agent_setup import (
    AGENT,
    Dtsd1352,
    Ingest,
    bus,
    folder,
    gateway,
    meter,
    running,
    settings,
    until,
)
from tests.edge_agent.misbehaving import Act, Question, misbehaving
from tests.servers import Mosquitto, free_port

START_MS = 1_795_000_000_000


def _polls(ingest: Ingest, of: str) -> list[PollReport]:
    return [poll for one in ingest.batches.values() for poll in one.polls if poll.meter == of]


async def test_every_poll_reports_itself_also_of_a_meter_that_is_silent(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """e-1 answers its three questions; unit 9 is not there."""
    ingest = Ingest(mosquitto.port)
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(
            tmp_path, bus("b", port), meters=[meter("e-1", "b", 1), meter("e-9", "b", 9)]
        )
        async with running(app.run(where, settings(mosquitto.port), SystemClock())):
            await until(lambda: len(_polls(ingest, "e-1")) > 3 and _polls(ingest, "e-9"))
    for poll in _polls(ingest, "e-1"):
        assert (poll.ok, poll.attempts) == (True, 3)
        assert 0 <= poll.duration_ms < 5000
    assert {poll.ok for poll in _polls(ingest, "e-9")} == {False}
    samples = {one.time_ms for b in ingest.batches.values() for one in b.samples}
    assert samples == {poll.time_ms for poll in _polls(ingest, "e-1")}


async def test_how_long_a_poll_took_and_how_often_it_asked_are_told(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """A meter thinks for 30 ms a question, and is busy with another at the first."""

    def behave(question: Question) -> Iterator[Act]:
        yield 0.03
        yield question.refusal(6) if question.nth == 1 else question.reply(1)

    ingest = Ingest(mosquitto.port)
    async with misbehaving(behave) as server, running(ingest.run()):
        where = folder(
            tmp_path, bus("b", server.port), meters=[meter("e-1", "b", 1, interval_s=1.0)]
        )
        async with running(app.run(where, settings(mosquitto.port), SystemClock())):
            await until(lambda: len(_polls(ingest, "e-1")) > 1)
    first, second, *_ = sorted(_polls(ingest, "e-1"), key=lambda poll: poll.time_ms)
    assert (first.ok, first.attempts, second.ok, second.attempts) == (True, 4, True, 3)
    assert first.duration_ms >= 4 * 30 + 100 - 1, "with the pause that a busy meter is given"
    assert second.duration_ms >= 3 * 30 - 1


async def test_an_agent_of_which_no_meter_answers_still_tells_of_its_polls(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """No sample is read and none is pending; the ingest gets the poll reports all the same."""
    ingest = Ingest(mosquitto.port)
    async with running(ingest.run()):
        where = folder(tmp_path, bus("b", free_port()), meters=[meter("e-1", "b", 1)])
        async with running(app.run(where, settings(mosquitto.port), SystemClock())):
            await until(lambda: _polls(ingest, "e-1"))
    assert not _polls(ingest, "e-1")[0].ok


async def test_the_status_tells_how_the_agent_is(mosquitto: Mosquitto, tmp_path: Path) -> None:
    ingest = Ingest(mosquitto.port)
    ingest.deaf = True
    async with gateway(Dtsd1352(1)) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(app.run(where, settings(mosquitto.port), SystemClock())):
            await until(lambda: ingest.status and ingest.status.spool_age_s > 0.2)
            await until(lambda: ingest.status and 0 < ingest.status.bus_load.get("b", 0) <= 1)
            status = ingest.status
            assert status is not None
            assert status.clock_ok
            assert status.uptime_s > 0.2
            assert status.spool_bytes > 100


class _Site:
    """A site's file that changes, and an agent that reloads it."""

    def __init__(self, where: SiteFolder, how: AgentSettings) -> None:
        self.now: SiteFolder | ConfigError = where
        self.how = how
        self.read = 0

    def __call__(self) -> tuple[SiteFolder, AgentSettings]:
        self.read += 1
        if isinstance(self.now, ConfigError):
            raise self.now
        return self.now, self.how

    async def change(
        self, to: "SiteFolder | ConfigError", how: AgentSettings | None = None
    ) -> None:
        self.now = to
        self.how = how or self.how
        before = self.read
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: self.read > before)


async def test_a_new_site_file_touches_only_the_buses_that_it_changes(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Bus a stays, b gets another meter, c is new: a's connection is never let go of."""
    ingest = Ingest(mosquitto.port)
    sources = [Dtsd1352(1), Dtsd1352(1), Dtsd1352(2), Dtsd1352(1)]
    async with (
        gateway(sources[0]) as a,
        gateway(sources[1], sources[2]) as b,
        gateway(sources[3]) as c,
        running(ingest.run()),
    ):
        first = folder(
            tmp_path, bus("a", a), bus("b", b), meters=[meter("e-a", "a", 1), meter("e-b", "b", 1)]
        )
        second = folder(
            tmp_path,
            bus("a", a),
            bus("b", b),
            bus("c", c),
            meters=[
                meter("e-a", "a", 1),
                meter("e-b", "b", 1),
                meter("e-b2", "b", 2),
                meter("e-c", "c", 1),
            ],
        )
        site = _Site(first, settings(mosquitto.port))
        with structlog.testing.capture_logs() as logs:
            async with running(app.run(first, site.how, SystemClock(), reload=site)):
                await until(lambda: ingest.has("e-a", 2) and ingest.has("e-b", 2))
                wrong = ConfigError([Problem(text="it is wrong.", fix="Mend it.")])
                await site.change(wrong)
                asked = sources[0].asked
                await until(lambda: sources[0].asked > asked + 2)
                await site.change(second)
                await until(lambda: ingest.has("e-b2", 2) and ingest.has("e-c", 2))
                await site.change(first)
                silent = sources[3].asked
                asked = sources[0].asked
                await until(lambda: sources[0].asked > asked + 2)
                assert sources[3].asked <= silent + 1
    changes = [one for one in logs if one["event"] == "the site's file was read again"]
    assert [(one["ended"], one["begun"], one["untouched"]) for one in changes] == [
        (("b",), ("b", "c"), ("a",)),
        (("b", "c"), ("b",), ("a",)),
    ]
    refused = [one for one in logs if "refused" in one["event"]]
    assert [one["problems"] for one in refused] == [["it is wrong. Mend it."]]
    energies = ingest.energies("e-a")
    assert energies == sorted(energies)


async def test_a_reload_says_no_fault_again_and_ends_those_of_what_is_gone(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Meters e-8 and e-9 and the gateway of bus c are dead; the reload removes e-8 and c."""
    async with gateway(Dtsd1352(1), Dtsd1352(2)) as port:
        b, c = bus("b", port, timeout_s=0.05), bus("c", free_port())
        alive, new = meter("e-1", "b", 1), meter("e-2", "b", 2)
        dead, gone, far = meter("e-9", "b", 9), meter("e-8", "b", 8), meter("e-c", "c", 1)
        first = folder(tmp_path, b, c, meters=[alive, dead, gone, far])
        second = folder(tmp_path, b, meters=[alive, dead, new])
        site = _Site(first, settings(mosquitto.port))
        ingest = Ingest(mosquitto.port)
        with structlog.testing.capture_logs() as logs:
            async with (
                running(ingest.run()),
                running(app.run(first, site.how, SystemClock(), reload=site)),
            ):
                await until(lambda: len(_said(logs, "warning")) == 3)
                await site.change(second)
                await until(lambda: ingest.has("e-2", 2))
                polls = len(_polls(ingest, "e-9"))
                await until(lambda: len(_polls(ingest, "e-9")) > polls)
    silent, down = "meter does not answer as it should", "link is down"
    assert sorted(_said(logs, "warning")) == [(down, "c"), (silent, "e-8"), (silent, "e-9")]
    assert sorted(_said(logs, "info")) == [(f"{down}: over", "c"), (f"{silent}: over", "e-8")]


def _said(logs: Sequence[Mapping[str, Any]], level: str) -> list[tuple[str, str]]:
    """Return the log events about meters and buses."""
    about = [one for one in logs if one["log_level"] == level and "bus" in one]
    return [(one["event"], one.get("meter", one["bus"])) for one in about]


async def test_a_reload_that_makes_the_agent_another_is_refused(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Earlier, the pollers took the new files, and their samples were sent under the old ids."""
    source, other = Dtsd1352(1), Dtsd1352(1)
    async with gateway(source) as port, gateway(other) as far:
        meters = [meter("e-1", "b", 1), meter("e-2", "c", 1)]
        theirs = msgspec.structs.replace(bus("c", far), agent="agent-2")
        where = folder(tmp_path, bus("b", port), theirs, meters=meters)
        mine = AgentHead(id=AGENT)
        how = settings(mosquitto.port, agent=mine)
        site = _Site(where, how)
        elsewhere = msgspec.structs.replace(where.site, site=SiteInfo(id="new", name="new"))
        with structlog.testing.capture_logs() as logs:
            async with running(app.run(where, how, SystemClock(), reload=site)):
                await until(lambda: source.asked > 2)
                another = settings(mosquitto.port, agent=AgentHead(id="agent-2"))
                await site.change(where, another)
                await site.change(SiteFolder(tmp_path, elsewhere, where.models), how)
                asked = source.asked
                await until(lambda: source.asked > asked + 2)
        assert not other.asked
    said = [one for one in logs if "refused" in one["event"]]
    (agent,), (of_site,) = (one["problems"] for one in said)
    assert agent == (
        "this agent runs as agent-1, but the files now name it agent-2."
        " Restart the agent, or restore the files."
    )
    assert of_site == (
        "site.toml: this agent runs for the site test-site, whose id is now new."
        " Restart the agent, or restore the id of the site."
    )
    assert not [one for one in logs if "read again" in one["event"]]


async def test_a_reload_says_which_tables_wait_for_the_next_start(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Changes of these tables used to be ignored silently."""
    source = Dtsd1352(1)
    async with gateway(source) as port:
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        how = settings(mosquitto.port)
        site = _Site(where, how)
        with structlog.testing.capture_logs() as logs:
            async with running(app.run(where, how, SystemClock(), reload=site)):
                await until(lambda: source.asked)
                await site.change(where)
                changed = settings(
                    mosquitto.port,
                    publish=PublishSettings(window=7),
                    spool=SpoolSettings(max_bytes=10**6),
                    bus=(BusOverride(id="b", host="localhost"),),
                )
                await site.change(where, changed)
                await until(lambda: len([one for one in logs if "read again" in one["event"]]) == 2)
    reloads = [one for one in logs if "read again" in one["event"]]
    assert [one["ended"] for one in reloads] == [(), ("b",)], "where a bus is reached is read again"
    waiting = [one for one in logs if "next start" in one["event"]]
    assert [one["tables"] for one in waiting] == [["spool", "publish"]]


# --- the clock ----------------------------------------------------------------------------------


class _Jumping(SystemClock):
    """Shows 1970 until somebody tells it the time."""

    def __init__(self) -> None:
        self.told_ms = 0
        self._began_ms = super().now_ms()

    def now_ms(self) -> int:
        return super().now_ms() - self._began_ms + 40_000 + self.told_ms


async def test_an_agent_without_the_time_polls_and_stamps_when_it_hears_it(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    ingest, clock, source = Ingest(mosquitto.port), _Jumping(), Dtsd1352(1)
    async with gateway(source) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        with structlog.testing.capture_logs() as logs:
            async with running(app.run(where, settings(mosquitto.port), clock)):
                await until(lambda: ingest.status and not ingest.status.clock_ok)
                await until(lambda: source.asked > 5)
                assert not ingest.batches
                clock.told_ms = START_MS
                await until(lambda: ingest.has("e-1", source.asked - 1) and ingest.batches)
                await until(lambda: ingest.status and ingest.status.clock_ok)
                assert ingest.status is not None
                assert ingest.status.clock_jumps == 1
    first = min(one.time_ms for batch in ingest.batches.values() for one in batch.samples)
    assert START_MS + 40_000 <= first < START_MS + 60_000
    energies = ingest.energies("e-1")
    assert min(energies) <= 0.02, "what was read before the clock was told is there"
    assert sum("has jumped" in one["event"] for one in logs) == 1


@pytest.mark.parametrize("by_ms", [3_600_000, -3_600_000])
async def test_a_jump_of_an_hour_neither_stops_nor_doubles_polls(
    mosquitto: Mosquitto, tmp_path: Path, by_ms: int
) -> None:
    ingest, clock, source = Ingest(mosquitto.port), _Jumping(), Dtsd1352(1)
    clock.told_ms = START_MS
    async with gateway(source) as port, running(ingest.run()):
        where = folder(tmp_path, bus("b", port), meters=[meter("e-1", "b", 1)])
        async with running(app.run(where, settings(mosquitto.port), clock)):
            await until(lambda: source.asked > 3)
            clock.told_ms += by_ms
            asked = source.asked
            await until(lambda: source.asked > asked + 5)
            await until(lambda: ingest.status and ingest.status.clock_jumps == 1)
    energies = ingest.energies("e-1")
    assert len(energies) == len(set(energies)), "no reading twice"
