"""A site's folder -> its meters, served on ports of this machine.

The only place of the simulators that reads files: the calendar and the recipes of the package,
and the files that are replayed.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import resources
from typing import TypeVar

import msgspec

from jieneng import settings as toml
from jieneng.clock import Clock
from jieneng.site_folder import SiteFolder
from simulators import campus as campuses
from simulators.campus import Campus
from simulators.config import SimulatorSettings
from simulators.days import Holidays
from simulators.modbus_server import Framing, ModbusServer, nobody_counts
from simulators.recipes import Book

Address = tuple[str, int]
_Form = TypeVar("_Form", bound=msgspec.Struct)


def campus(folder: SiteFolder, settings: SimulatorSettings) -> Campus:
    """The simulated site of a folder.

    Raises:
        ConfigError: what is wrong in `simulator.toml` or in a replayed file.
    """
    return campuses.build(
        folder.site,
        folder.models,
        settings,
        packaged("holidays.toml", Holidays),
        packaged("loads.toml", Book),
        {},
    )


def packaged(name: str, form: type[_Form]) -> _Form:
    """A data file of the simulators."""
    text = (resources.files("simulators") / "data" / name).read_text(encoding="utf-8")
    return toml.decode(toml.parse(text, name), form)


@asynccontextmanager
async def serving(
    simulated: Campus,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    count: Callable[[str, int, bool], None] = nobody_counts,
) -> AsyncIterator[dict[str, Address]]:
    """Serve every bus of a campus; gives where each listens, by bus.

    Args:
        simulated: the campus.
        clock: tells the moment of each request.
        host: where to listen.
        ports: bus -> port; a bus that is not here takes a free one.
        count: called for each request with its bus and unit, and whether it was answered.

    Raises:
        Unavailable: a port is taken.
    """
    site = simulated.site
    async with AsyncExitStack() as stack:
        addresses: dict[str, Address] = {}
        for bus in site.bus:
            meters = {
                one.unit: simulated.meters[one.id]
                for one in site.meter
                if one.bus == bus.id and one.id in simulated.meters
            }
            framing: Framing = "tcp" if bus.link == "tcp" else "rtu_tcp"
            server = ModbusServer(meters, clock, framing, partial(count, bus.id))
            port = await server.start(host, (ports or {}).get(bus.id, 0))
            stack.push_async_callback(server.stop)
            addresses[bus.id] = (host, port)
        yield addresses
