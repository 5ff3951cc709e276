"""Read the library of named scenarios: faults known from the field, one file each.

A scenario is a small site with its loads, its faults and the golden answers. These are the true
consumption, worked out by hand, and the consumption that a right pipeline can find.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from jieneng import config_file
from jieneng.metering import site_check
from jieneng.metering.errors import ConfigError, Msgid, UsageError
from jieneng.metering.site import Area, Bus, Id, Meter, Site, SiteInfo
from jieneng.site_folder import SiteFolder, packaged_models
from simulators.faults import AnyFault
from simulators.faults.fault import NotNegative, Positive
from simulators.settings import LoadRow, SimulatorSettings

#: File of a site folder that each table of a scenario is written to.
_FILE_OF_TABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "site": "site.toml",
        "area": "site.toml",
        "bus": "site.toml",
        "meter": "site.toml",
        "load": "simulator.toml",
        "ports": "simulator.toml",
        "fault": "faults.toml",
        "scenario": "golden.toml",
        "golden": "golden.toml",
    }
)
_HEADER: Final = re.compile(r"^\[\[?(\w+)")


class ScenarioHead(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[scenario]`.

    Attributes:
        id: name of the scenario and of its file.
        title: title, in Chinese.
        about: description, in English.
        sources: issues and forum threads of users who had this fault.
        start: start of the scenario.
        duration_s: length of the scenario [s].
    """

    id: Id
    title: str
    about: Msgid
    sources: Annotated[tuple[str, ...], Meta(min_length=1)]
    start: datetime
    duration_s: Positive

    @property
    def begin_ms(self) -> int:
        """Start of the scenario, UTC ms."""
        return round(self.start.timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        """End of the scenario, UTC ms."""
        return self.begin_ms + round(1000 * self.duration_s)


class GoldenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[golden]]` table: the right consumption of one meter in one span.

    Attributes:
        meter: the meter's id.
        from_s: start of the span, after the scenario's start [s].
        to_s: end of the span, after the scenario's start [s].
        flowed: true consumption in the span [canonical unit].
        counted: consumption that a right pipeline finds [canonical unit], if that differs.
        tolerance: allowed error of what a pipeline finds: the register's steps at both ends
            [canonical unit].
        how: the calculation of `flowed`.
    """

    meter: Id
    from_s: NotNegative
    to_s: Positive
    flowed: NotNegative
    counted: NotNegative | None = None
    tolerance: Positive
    how: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A file of `simulators/scenarios`."""

    scenario: ScenarioHead
    site: SiteInfo
    area: tuple[Area, ...]
    bus: tuple[Bus, ...]
    meter: tuple[Meter, ...]
    load: tuple[LoadRow, ...]
    ports: dict[str, int]
    fault: tuple[AnyFault, ...] = ()
    golden: Annotated[tuple[GoldenAnswer, ...], Meta(min_length=1)]

    @property
    def id(self) -> str:
        """The scenario's id."""
        return self.scenario.id

    def folder(self, path: Path = Path()) -> SiteFolder:
        """Return the scenario's site as a site folder; nothing is written.

        Raises:
            ConfigError: the site has errors.
        """
        site = Site(site=self.site, area=self.area, bus=self.bus, meter=self.meter)
        models = packaged_models()
        if problems := site_check.check(site, models):
            raise ConfigError(problems)
        return SiteFolder(path, site, models)

    def settings(self) -> SimulatorSettings:
        """Return the simulator's settings of the scenario."""
        return SimulatorSettings(load=self.load, ports=self.ports)


def scenario_ids() -> list[str]:
    """Return the ids of all scenarios, sorted."""
    entries = (resources.files("simulators") / "scenarios").iterdir()
    return sorted(
        entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")
    )


def read(name: str) -> Scenario:
    """Read a scenario by its id.

    Raises:
        UsageError: there is no scenario of that id.
    """
    return config_file.decode(config_file.parse(_text(name), f"{name}.toml"), Scenario)


def write(name: str, folder: Path) -> list[Path]:
    """Write a scenario as a site's folder that any simulator and agent can be started on.

    Raises:
        UsageError: there is no scenario of that id, or the folder has one of the files already.
    """
    files: dict[str, list[str]] = {}
    file = _FILE_OF_TABLE["scenario"]
    comments: list[str] = []  # they belong to the table that follows them
    for line in _text(name).splitlines(keepends=True):
        if line.startswith("#"):
            comments.append(line)
            continue
        if header := _HEADER.match(line):
            file = _FILE_OF_TABLE[header[1]]
        files.setdefault(file, []).extend([*comments, line])
        comments.clear()
    taken = [file_name for file_name in files if (folder / file_name).exists()]
    if taken:
        raise UsageError(
            "{folder} already has {files}, which is not overwritten: choose another folder.",
            folder=folder,
            files=", ".join(sorted(taken)),
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, lines in files.items():
        (folder / file_name).write_text("".join(lines), encoding="utf-8")
    return [folder / file_name for file_name in sorted(files)]


def _text(name: str) -> str:
    if name not in scenario_ids():
        raise UsageError(
            "there is no scenario {name}; known are: {known}.",
            name=name,
            known=", ".join(scenario_ids()),
        )
    return (resources.files("simulators") / "scenarios" / f"{name}.toml").read_text("utf-8")
