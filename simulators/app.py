"""`jieneng simulate`: a site's meters, served until stopped."""

import asyncio
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Counter

from jieneng import config_file as toml
from jieneng.clock import Clock
from jieneng.config_file import Document
from jieneng.metering.errors import ConfigError, UsageError
from jieneng.observe import LoggedFault, log, serving_metrics
from jieneng.site_folder import SiteFolder
from simulators.faults import FaultsFile
from simulators.load.simulated_days import unknown_years
from simulators.scoring.truth import Served, TruthWriter
from simulators.scripting.fault_script import Script
from simulators.serving import control_http, site_server
from simulators.serving.control_http import Chronicle, Control
from simulators.serving.modbus_server import Place
from simulators.serving.simulated_bus import Exchange, Seen
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SimulatedSite

#: Beside site.toml while a simulator runs: where it is controlled, and where its buses are.
RUN_FILE: Final = "simulator.json"

_log = log("simulators")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What is special about one run.

    Attributes:
        script: the file of faults; none where None.
        truth: the folder that tells afterwards what was true; none is written where None.
        truth_interval_s: of the consumption in it [s].
        speed: how many times faster than life the clock runs.
    """

    script: Document | None = None
    truth: Path | None = None
    truth_interval_s: int = 900
    speed: float = 1.0


async def run(
    folder: SiteFolder, settings: SimulatorSettings, clock: Clock, how: Run | None = None
) -> None:
    """Serve the meters of a site until cancelled.

    Raises:
        ConfigError: what stands in `simulator.toml` or in the script can't be.
        Unavailable: a port is taken.
        UsageError: the port of `/metrics` or of the control is taken, or there is a truth already.
    """
    how = how or Run()
    # What a careless master sends is counted as an exchange; nobody needs a line for each.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    campus = site_server.campus(folder, settings)
    begin_ms = clock.now_ms()
    script = Script(campus, settings.seed, begin_ms)
    if how.script is not None:
        _place(script, how.script)
    _warn_of_unknown_year(folder, begin_ms)
    chronicle = Chronicle(settings.control.exchanges)
    registry = CollectorRegistry()
    watchers = [chronicle.see, _counting(registry)]
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(folder.path))
        if how.truth is not None:
            watchers.append(stack.enter_context(_telling(how.truth, campus, clock, how)))
        await stack.enter_async_context(serving_metrics(settings.metrics, registry, _log))
        places = await stack.enter_async_context(
            site_server.serving(
                campus,
                clock,
                script=script,
                host=settings.host,
                ports=settings.ports,
                devices={bus: folder.path / path for bus, path in settings.devices.items()},
                seen=_all(watchers),
            )
        )
        script.started()
        steering = Control(campus, script, chronicle, clock)
        url = await stack.enter_async_context(control_http.serving(steering, settings.control))
        stack.enter_context(_announced(folder, settings, places, url))
        await asyncio.Event().wait()


def _place(script: Script, document: Document) -> None:
    """Place the faults of a file; what can't be is told with its line."""
    faults = toml.decode(document, FaultsFile).fault
    try:
        script.place(faults)
    except ConfigError as error:
        raise ConfigError([document.locate(problem) for problem in error.problems]) from error


def _warn_of_unknown_year(folder: SiteFolder, begin_ms: int) -> None:
    year = datetime.fromtimestamp(begin_ms / 1000, folder.site.zone).year
    if unknown_years([year]):
        _log.warning("the holidays of this year are not known: only weekends count", year=year)


# --- who is told of an exchange -----------------------------------------------------------------


def _all(watchers: list[Seen]) -> Seen:
    def see(exchange: Exchange) -> None:
        for watcher in watchers:
            watcher(exchange)

    return see


def _counting(registry: CollectorRegistry) -> Seen:
    requests = Counter(
        "simulator_requests", "Questions to simulated meters", ["bus", "verdict"], registry=registry
    )

    def count(exchange: Exchange) -> None:
        requests.labels(exchange.bus, exchange.verdict).inc()

    return count


@contextmanager
def _telling(folder: Path, campus: SimulatedSite, clock: Clock, how: Run) -> Iterator[Seen]:
    """Write the truth while it happens."""
    writer = TruthWriter(
        folder,
        campus,
        begin_ms=clock.now_ms(),
        speed=how.speed,
        interval_s=how.truth_interval_s,
    )

    fault = LoggedFault(_log, "truth can't be written", folder=str(folder))

    def tell(exchange: Exchange) -> None:
        try:
            write(exchange)
        except OSError as error:  # the meters go on; a truth with a hole is no truth
            fault.happened(error)

    def write(exchange: Exchange) -> None:
        writer.advance(exchange.time_ms)
        if exchange.meter is None or exchange.value is None:
            return
        writer.served(
            Served(
                exchange.time_ms,
                exchange.meter,
                campus.meters[exchange.meter].counts,
                exchange.value,
                exchange.value if exchange.register is None else exchange.register,
                exchange.verdict,
                exchange.faults,
                exchange.peer,
            )
        )

    try:
        yield tell
    finally:
        writer.close(clock.now_ms())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One simulator a folder: they would take each other's files and serial ports.

    Raises:
        UsageError: another one runs.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                "another simulator runs in {folder}: end it first, or choose another folder.",
                folder=folder,
            ) from error
        yield
    finally:
        os.close(handle)


# --- where everything is ------------------------------------------------------------------------


@contextmanager
def _announced(
    folder: SiteFolder, settings: SimulatorSettings, places: Mapping[str, Place], url: str
) -> Iterator[None]:
    """Say where everything is, in the log and in files that last as long as it is true."""
    for bus, place in places.items():
        _log.info("bus is served", bus=bus, **_where(place))
    _log.info("control is served", url=url)
    buses = {bus: place.device or [place.host, place.port] for bus, place in places.items()}
    if settings.ports_file is not None:
        _write_whole(folder.path / settings.ports_file, buses)
    file = folder.path / RUN_FILE
    mine = {"control": url, "pid": os.getpid(), "buses": buses}
    try:
        _write_whole(file, mine)
    except OSError as error:
        _log.warning("the site's folder can't be written: give --url to jieneng simulate fault",
                     file=str(file), reason=error.strerror)  # fmt: skip
        yield
        return
    try:
        yield
    finally:
        if file.exists() and json.loads(file.read_text(encoding="utf-8")) == mine:
            file.unlink()


def _where(place: Place) -> dict[str, object]:
    if place.device is not None:
        return {"device": place.device}
    return {"host": place.host, "port": place.port}


def _write_whole(path: Path, content: object) -> None:
    """JSON that is there whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
