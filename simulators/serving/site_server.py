"""Build the simulated site of a site folder, and serve its buses on ports of this machine.

This module also reads the input files: load recipes and presence data of the package, and the
measured files that `simulator.toml` replays.
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
from jieneng.metering.errors import ConfigError, Problem
from jieneng.site_folder import SiteFolder
from simulators import simulated_site
from simulators.load import replayed_load
from simulators.load.load import Load
from simulators.load.load_recipes import LoadRecipes
from simulators.load.measured_csv import CsvTable, parse
from simulators.load.simulated_days import PresenceFile
from simulators.scripting.fault_script import FaultScript
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.serial_port import SerialPort
from simulators.serving.simulated_bus import ExchangeListener, SimulatedBus, ignore_exchange
from simulators.serving.tcp_port import TcpPort
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SETTINGS_FILE, SimulatedSite

_Form = TypeVar("_Form", bound=msgspec.Struct)


def simulate_site(folder: SiteFolder, settings: SimulatorSettings) -> SimulatedSite:
    """Return the simulated site of a folder.

    Raises:
        ConfigError: `simulator.toml` or a replayed file has errors.
    """
    recipes = read_package_data("loads.toml", LoadRecipes)
    if problems := simulated_site.check(folder.site, settings, recipes):
        raise ConfigError(problems)
    presence = read_package_data("presence.toml", PresenceFile)
    return simulated_site.build(
        folder.site, folder.models, settings, presence, recipes, replays(folder, settings)
    )


def replays(folder: SiteFolder, settings: SimulatorSettings) -> dict[str, Load]:
    """Return the loads that replay measured files, by meter. Each file is read once."""
    tables: dict[str, CsvTable] = {}
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


def _table(path: Path, number: int) -> CsvTable:
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


def read_package_data(name: str, form: type[_Form]) -> _Form:
    """Read a TOML file of `simulators/data`."""
    text = (resources.files("simulators") / "data" / name).read_text(encoding="utf-8")
    return toml.decode(toml.parse(text, name), form)


@asynccontextmanager
async def serving(
    simulated: SimulatedSite,
    clock: Clock,
    *,
    script: FaultScript | None = None,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    devices: Mapping[str, Path] | None = None,
    on_exchange: ExchangeListener = ignore_exchange,
) -> AsyncIterator[dict[str, BusEndpoint]]:
    """Serve every bus of a simulated site while the context is open. Yields the endpoints, by bus.

    A bus with link `tcp` or `rtu_tcp` is served on a TCP port. A bus with link `rtu` is served on a
    pseudo-terminal of this machine.

    Args:
        simulated: the simulated site.
        clock: clock of the simulation; an answer holds the values of the moment of its request.
        script: faults; None for none.
        host: address to listen on.
        ports: bus -> port; all other buses use free ports.
        devices: bus -> path of a symbolic link to its serial port.
        on_exchange: called with each exchange.

    Raises:
        Unavailable: a port is taken.
    """
    site = simulated.site
    _warm_up(simulated, clock.now_ms())
    async with AsyncExitStack() as stack:
        endpoints: dict[str, BusEndpoint] = {}
        for row in site.bus:
            meters = [
                (meter.unit if meter.address is None else meter.address, simulated.meters[meter.id])
                for meter in site.meter
                if meter.bus == row.id and meter.id in simulated.meters
            ]
            bus = SimulatedBus(
                row.id, meters, clock, row.link, script=script, timeout_s=row.timeout_s
            )
            if row.link == "rtu":
                serial = SerialPort(bus, on_exchange)
                stack.push_async_callback(serial.stop)
                endpoints[row.id] = await serial.start((devices or {}).get(row.id))
            else:
                port = TcpPort(bus, on_exchange)
                stack.push_async_callback(port.stop)
                endpoints[row.id] = await port.start(host, (ports or {}).get(row.id, 0))
        yield endpoints


def _warm_up(simulated: SimulatedSite, now_ms: int) -> None:
    """Compute every load once, because the first computation is slow and would delay an answer."""
    for load in simulated.loads.values():
        load.consumption(np.asarray([now_ms]))
