"""The library of named scenarios: what goes wrong in the field, one file each, with the answer.

A scenario is a small site, its loads, its faults, and the golden answers: what really flowed,
worked out by hand, and what a right pipeline can make of it.
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
from jieneng.metering.errors import ConfigError, UsageError
from jieneng.metering.site import Area, Bus, Id, Meter, Site, SiteInfo
from jieneng.site_folder import SiteFolder, packaged_models
from simulators.faults import AnyFault
from simulators.faults.fault import NotNegative, Positive
from simulators.settings import LoadRow, SimulatorSettings

#: Which file of a site's folder a table of a scenario belongs to.
_FILES: Final[Mapping[str, str]] = MappingProxyType(
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
        title: in Chinese.
        about: in English.
        sources: the threads of those whom it hurt.
        start: when it begins.
        duration_s: how long it lasts [s].
    """

    id: Id
    title: str
    about: str
    sources: Annotated[tuple[str, ...], Meta(min_length=1)]
    start: datetime
    duration_s: Positive

    @property
    def begin_ms(self) -> int:
        """When it begins, UTC ms."""
        return round(self.start.timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        """When it ends, UTC ms."""
        return self.begin_ms + round(1000 * self.duration_s)


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[golden]]` answer for one meter.

    Attributes:
        from_s: seconds after the start.
        to_s: seconds after the start.
        flowed: between them [canonical unit].
        counted: what a right pipeline makes of it, where that is something else.
        tolerance: of what is counted: steps of the register at both edges [canonical unit].
        how: the sum by which `flowed` was worked out.
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
    golden: Annotated[tuple[Golden, ...], Meta(min_length=1)]

    @property
    def id(self) -> str:
        """Its name."""
        return self.scenario.id

    def folder(self, path: Path = Path()) -> SiteFolder:
        """Its site, as if it stood in a folder.

        Raises:
            ConfigError: the site is wrong.
        """
        site = Site(site=self.site, area=self.area, bus=self.bus, meter=self.meter)
        models = packaged_models()
        if problems := site_check.check(site, models):
            raise ConfigError(problems)
        return SiteFolder(path, site, models)

    def settings(self) -> SimulatorSettings:
        """How its meters are simulated."""
        return SimulatorSettings(load=self.load, ports=self.ports)


def names() -> list[str]:
    """All scenarios there are."""
    entries = (resources.files("simulators") / "scenarios").iterdir()
    return sorted(one.name.removesuffix(".toml") for one in entries if one.name.endswith(".toml"))


def read(name: str) -> Scenario:
    """A scenario by its name.

    Raises:
        UsageError: there is none of that name.
    """
    return config_file.decode(config_file.parse(_text(name), f"{name}.toml"), Scenario)


def write(name: str, folder: Path) -> list[Path]:
    """Write a scenario as a site's folder that any simulator and agent can be started on.

    Raises:
        UsageError: there is none of that name, or something stands in the folder already.
    """
    files: dict[str, list[str]] = {}
    file = _FILES["scenario"]
    waiting: list[str] = []  # comments belong to the table that follows them
    for line in _text(name).splitlines(keepends=True):
        if line.startswith("#"):
            waiting.append(line)
            continue
        if header := _HEADER.match(line):
            file = _FILES[header[1]]
        files.setdefault(file, []).extend([*waiting, line])
        waiting.clear()
    taken = [one for one in files if (folder / one).exists()]
    if taken:
        raise UsageError(
            "{folder} already has {files}, which is not overwritten: choose another folder.",
            folder=folder,
            files=", ".join(sorted(taken)),
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, lines in files.items():
        (folder / file_name).write_text("".join(lines), encoding="utf-8")
    return [folder / one for one in sorted(files)]


def _text(name: str) -> str:
    if name not in names():
        raise UsageError(
            "there is no scenario {name}; known are: {known}.", name=name, known=", ".join(names())
        )
    return (resources.files("simulators") / "scenarios" / f"{name}.toml").read_text("utf-8")
