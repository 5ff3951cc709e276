"""A reload of broken files leaves the agent polling as before, and logs the reason once."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from edge_agent import app
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.settings import AgentSettings
from jieneng.clock import SystemClock
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.site import Meter
from jieneng.site_folder import SiteFolder, load, read_settings
from tests.edge_agent.agent_setup import Dtsd1352, gateway, running, until

pytestmark = pytest.mark.server

NESTED = f"a = {5000 * '['}{5000 * ']'}"
METER = """[[bus]]
id = "b-{name}"
agent = "agent-1"
host = "127.0.0.1"
port = {port}
[[meter]]
id = "e-{name}"
name = "e"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "b-{name}"
area = "block"
interval_s = 0.1
"""


class Files:
    """A site's folder, written by somebody in a hurry."""

    def __init__(self, path: Path, one: int, two: int) -> None:
        self.path = path
        self.text = '[site]\nid = "s"\nname = "s"\n[[area]]\nid = "block"\nname = "block"\n'
        self.text += METER.format(name="one", port=one) + METER.format(name="two", port=two)
        self.write("site.toml", self.text)
        (path / "models").mkdir()

    def write(self, name: str, text: str | bytes) -> None:
        (self.path / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def replace(self, old: str, new: str) -> None:
        assert old in self.text
        self.write("site.toml", self.text.replace(old, new, 1))

    def fix(self) -> None:
        site = self.path / "site.toml"
        if site.is_dir():
            site.rmdir()
        self.write("site.toml", self.text)
        for own in (self.path / "agent.toml", self.path / "models" / "own.toml"):
            own.unlink(missing_ok=True)

    def read(self) -> tuple[SiteFolder, AgentSettings]:
        return load(self.path), read_settings(self.path / "agent.toml", AgentSettings)

    def is_a_folder(self) -> None:
        (self.path / "site.toml").unlink()
        (self.path / "site.toml").mkdir()

    def leads_to_itself(self) -> None:
        (self.path / "models" / "own.toml").symlink_to("own.toml")


NAME = 'name = "s"\n'
INTERVAL = "interval_s = 0.1\n"
BROKEN: dict[str, Callable[[Files], None]] = {
    "no TOML": lambda files: files.write("site.toml", "[site"),
    "empty": lambda files: files.write("site.toml", ""),
    "no text": lambda files: files.write("site.toml", b"\xff\xfe[site]"),
    "a null": lambda files: files.write("site.toml", "\0"),
    "no site": lambda files: (files.path / "site.toml").unlink(),
    "a folder": Files.is_a_folder,
    "nested site": lambda files: files.write("site.toml", NESTED),
    "nested agent": lambda files: files.write("agent.toml", NESTED),
    "nested model": lambda files: files.write("models/own.toml", NESTED),
    "nested key": lambda files: files.replace(INTERVAL, f"every.{'.'.join(3000 * 'a')} = 1\n"),
    "a model that leads to itself": Files.leads_to_itself,
    "zone of a folder": lambda files: files.replace(NAME, NAME + 'timezone = "Asia"\n'),
    "endless zone": lambda files: files.replace(NAME, NAME + f'timezone = "{300 * "x"}"\n'),
    "year 1": lambda files: files.replace(INTERVAL, "ct = [{from = 0001-01-01, value = 4.0}]\n"),
    "endless ct": lambda files: files.replace(INTERVAL, "ct = [{from=2020-01-01, value=1e400}]\n"),
    "no such agent": lambda files: files.write("agent.toml", '[agent]\nid = "agent-2"\n'),
}  # fmt: skip


async def test_whatever_stands_in_the_files_a_reload_leaves_both_buses_polled(
    tmp_path: Path,
) -> None:
    one, two = Dtsd1352(1), Dtsd1352(1)
    async with gateway(one) as a, gateway(two) as b:
        files = Files(tmp_path, a, b)
        with capture_logs() as logs:
            async with running(app.run(*files.read(), SystemClock(), reload=files.read)) as agent:
                await until(lambda: one.asked and two.asked)
                for number, (name, spoil) in enumerate(BROKEN.items(), 1):
                    files.fix()
                    spoil(files)
                    os.kill(os.getpid(), signal.SIGHUP)
                    await until(lambda number=number: agent.done() or len(refusals(logs)) == number)  # type: ignore[misc]  # mypy infers no lambda with a default
                    assert not agent.done(), name
                    before = one.asked, two.asked
                    await until(lambda before=before: one.asked > before[0] + 2)  # type: ignore[misc]
                    await until(lambda before=before: two.asked > before[1] + 2)  # type: ignore[misc]
    said = refusals(logs)
    assert len(said) == len(BROKEN)
    assert all(one["problems"] for one in said)
    assert not [one for one in said if "exc_info" in one], "each of these is known to `check`"


@pytest.mark.parametrize("error", [RecursionError("deep"), OSError("gone"), ZeroDivisionError()])
async def test_what_nobody_thought_of_is_refused_before_any_bus_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Bus one can be created again, bus two can't: neither is ended."""
    one, two = Dtsd1352(1), Dtsd1352(1)

    def spoilt(meter: Meter, model: Model, zone: ZoneInfo) -> PolledMeter:
        if meter.id == "e-two":
            raise error
        return PolledMeter(meter, model, zone)

    async with gateway(one) as a, gateway(two) as b:
        files = Files(tmp_path, a, b)
        with capture_logs() as logs:
            async with running(app.run(*files.read(), SystemClock(), reload=files.read)) as agent:
                await until(lambda: one.asked and two.asked)
                monkeypatch.setattr("edge_agent.app.PolledMeter", spoilt)
                files.write("site.toml", files.text.replace(INTERVAL, "interval_s = 0.2\n"))
                os.kill(os.getpid(), signal.SIGHUP)
                await until(lambda: agent.done() or refusals(logs))
                assert not agent.done()
                before = one.asked, two.asked
                await until(lambda: one.asked > before[0] + 2 and two.asked > before[1] + 2)
                monkeypatch.undo()
                os.kill(os.getpid(), signal.SIGHUP)
                await until(lambda: [one for one in logs if "read again" in one["event"]])
    (said,) = refusals(logs)
    assert said["problems"] == [repr(error)]
    reload = next(one for one in logs if "read again" in one["event"])
    assert reload["ended"] == ("b-one", "b-two"), "those that ran all the time"


def refusals(logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in logs if "refused" in one["event"]]
