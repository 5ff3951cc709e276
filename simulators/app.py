"""`jieneng simulate`: a site's meters, served until stopped."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from jieneng.clock import Clock
from jieneng.observe import log, serving_metrics
from jieneng.site_folder import SiteFolder
from simulators import fleet
from simulators.config import SimulatorSettings
from simulators.days import unknown_years

_log = log("simulators")


async def run(folder: SiteFolder, settings: SimulatorSettings, clock: Clock) -> None:
    """Serve the meters of a site until cancelled.

    Raises:
        ConfigError: what stands in `simulator.toml` can't be.
        Unavailable: a port is taken.
    """
    registry = CollectorRegistry()
    requests = Counter(
        "simulator_requests", "Requests to simulated meters", ["bus", "answered"], registry=registry
    )
    simulated = fleet.campus(folder, settings)
    year = datetime.fromtimestamp(clock.now_ms() / 1000, folder.site.zone).year
    if unknown_years(simulated.holidays, [year]):
        _log.warning("the holidays of this year are not known: only weekends count", year=year)

    def count(bus: str, _: int, answered: bool) -> None:
        requests.labels(bus, str(answered).lower()).inc()

    async with (
        serving_metrics(settings.metrics, registry, _log),
        fleet.serving(
            simulated, clock, host=settings.host, ports=settings.ports, count=count
        ) as addresses,
    ):
        for bus, (host, port) in addresses.items():
            _log.info("bus is served", bus=bus, host=host, port=port)
        if settings.ports_file is not None:
            write_ports(folder.path / settings.ports_file, addresses)
        await asyncio.Event().wait()


def write_ports(path: Path, addresses: dict[str, fleet.Address]) -> None:
    """Write bus -> [host, port] as JSON: the file is there whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(json.dumps(addresses, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
