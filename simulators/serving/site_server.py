"""A site's folder -> its meters, served on ports of this machine.

It reads what a campus is made of: presence and the recipes of the package, and the files that are
replayed.
"""

import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np

from jieneng import config_file as toml
from jieneng.clock import Clock
from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.errors import ConfigError, Problem
from jieneng.site_folder import SiteFolder
from simulators import simulated_site as campuses
from simulators.load import replayed_load
from simulators.load.load import Load
from simulators.load.load_recipes import Book
from simulators.load.measured_csv import Table, parse
from simulators.load.simulated_days import Presence
from simulators.scripting.fault_script import Script
from simulators.serving.modbus_server import Place, SerialPort, TcpPort
from simulators.serving.simulated_bus import Bus, Seen, nobody_sees
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SETTINGS_FILE, SimulatedSite

_Form = TypeVar("_Form", bound=msgspec.Struct)


def campus(folder: SiteFolder, settings: SimulatorSettings) -> SimulatedSite:
    """The simulated site of a folder.

    Raises:
        ConfigError: what is wrong in `simulator.toml` or in a replayed file.
    """
    book = packaged("loads.toml", Book)
    if problems := campuses.check(folder.site, settings, book):
        raise ConfigError(problems)
    presence = packaged("presence.toml", Presence)
    models = modbus_models(folder.models)
    return campuses.build(folder.site, models, settings, presence, book, replays(folder, settings))


def replays(folder: SiteFolder, settings: SimulatorSettings) -> dict[str, Load]:
    """The loads that follow measured files, by meter; each file is read once."""
    tables: dict[str, Table] = {}
    loads: dict[str, Load] = {}
    for number, row in enumerate(settings.replay):
        if row.file not in tables:
            tables[row.file] = _table(folder.path / row.file, number)
        try:
            zone = ZoneInfo(row.timezone) if row.timezone else folder.site.zone
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError([_problem(number, "timezone", str(error), row.file)]) from error
        times = tables[row.file].times(row.time_column, zone)
        values = row.scale * tables[row.file].values(row.column, row.missing)
        try:
            if row.kind == "register":
                loads[row.meter] = replayed_load.from_registers(times, values, row.rest)
            else:
                length = round(row.interval_s * 1000) if row.interval_s else None
                loads[row.meter] = replayed_load.from_intervals(times, values, length, row.rest)
        except ValueError as error:
            raise ConfigError([_problem(number, row.column, str(error), row.file)]) from error
    return loads


def _table(path: Path, number: int) -> Table:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            return parse(lines, path.name)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError([_problem(number, "file", str(error), str(path))]) from error


def _problem(number: int, key: str, reason: str, file: str) -> Problem:
    return Problem(
        text="{file} can't be replayed: {reason}.",
        fix="Check the [[replay]] and the file.",
        values={"file": file, "reason": reason},
        path=("replay", number, key),
        file=SETTINGS_FILE,
    )


def packaged(name: str, form: type[_Form]) -> _Form:
    """A data file of the simulators."""
    text = (resources.files("simulators") / "data" / name).read_text(encoding="utf-8")
    return toml.decode(toml.parse(text, name), form)


@asynccontextmanager
async def serving(
    simulated: SimulatedSite,
    clock: Clock,
    *,
    script: Script | None = None,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    devices: Mapping[str, Path] | None = None,
    seen: Seen = nobody_sees,
) -> AsyncIterator[dict[str, Place]]:
    """Serve every bus of a campus; gives where each is to be found, by bus.

    A bus of link `tcp` speaks Modbus TCP; one of `rtu_tcp` RTU frames over TCP; one of `rtu` is a
    serial port of this machine, a pseudo-terminal.

    Args:
        simulated: the campus.
        clock: tells the moment of each request.
        script: what is wrong with it; nothing where None.
        host: where to listen.
        ports: bus -> port; a bus that is not here takes a free one.
        devices: bus -> the path under which its serial port is to be found besides.
        seen: told of each exchange.

    Raises:
        Unavailable: a port is taken.
    """
    site = simulated.site
    _warm_up(simulated, clock.now_ms())
    async with AsyncExitStack() as stack:
        places: dict[str, Place] = {}
        for row in site.bus:
            meters = {
                one.unit: simulated.meters[one.id]
                for one in site.meter
                if one.bus == row.id and one.id in simulated.meters
            }
            bus = Bus(row.id, meters, clock, row.link, script=script, timeout_s=row.timeout_s)
            if row.link == "rtu":
                serial = SerialPort(bus, seen)
                stack.push_async_callback(serial.stop)
                places[row.id] = await serial.start((devices or {}).get(row.id))
            else:
                port = TcpPort(bus, seen)
                stack.push_async_callback(port.stop)
                places[row.id] = await port.start(host, (ports or {}).get(row.id, 0))
        yield places


def _warm_up(simulated: SimulatedSite, now_ms: int) -> None:
    """Ask every load once, so that no master waits for what is worked out at the first question."""
    for load in simulated.flows.values():
        load.consumption(np.asarray([now_ms]))
