"""Run the simulator (`jieneng simulate`): serve a site's meters until cancelled.

Each run offers metrics and an HTTP interface that switches faults. A fault script and a folder for
the true values (`TruthWriter`) are optional.
"""

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
from simulators.load.simulated_days import years_with_unknown_holidays
from simulators.scoring.truth_files import ServedAnswer
from simulators.scoring.truth_writer import TruthWriter
from simulators.scripting.fault_script import FaultScript
from simulators.serving import control_http, site_server
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.control_http import ExchangeLog, SimulatorControl
from simulators.serving.simulated_bus import ExchangeListener, ExchangeRecord
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SimulatedSite

#: File beside site.toml while a simulator runs: URL of its HTTP interface, endpoints of its buses.
ENDPOINTS_FILE: Final = "simulator.json"

_log = log("simulators")


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The command-line options of one run.

    Attributes:
        script: the fault script; None for no faults.
        truth: folder to write the run's true values to; None to write none.
        truth_interval_s: length of the intervals for which the true consumption is written [s].
        speed: speed of the clock that `run` receives, relative to real time. It is only recorded in
            the truth folder.
    """

    script: Document | None = None
    truth: Path | None = None
    truth_interval_s: int = 900
    speed: float = 1.0


async def run(
    folder: SiteFolder,
    settings: SimulatorSettings,
    clock: Clock,
    options: RunOptions | None = None,
) -> None:
    """Serve the meters of a site until cancelled.

    Raises:
        ConfigError: `simulator.toml` or the fault script has errors.
        Unavailable: the port of a bus is taken.
        UsageError: the port of `/metrics` or of the HTTP interface is taken, another simulator runs
            in the folder, or the truth folder is in use.
    """
    options = options or RunOptions()
    # Malformed frames of a master are recorded as exchanges: a log line for each is redundant.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    simulated = site_server.simulate_site(folder, settings)
    begin_ms = clock.now_ms()
    script = FaultScript(simulated, settings.seed, begin_ms)
    if options.script is not None:
        _place_faults(script, options.script)
    _warn_of_unknown_year(folder, begin_ms)
    exchange_log = ExchangeLog(settings.control.exchanges)
    registry = CollectorRegistry()
    listeners = [exchange_log.add, _request_counter(registry)]
    async with AsyncExitStack() as stack:
        stack.enter_context(_locking(folder.path))
        if options.truth is not None:
            listeners.append(
                stack.enter_context(_writing_truth(options.truth, simulated, clock, options))
            )
        await stack.enter_async_context(serving_metrics(settings.metrics, registry, _log))
        endpoints = await stack.enter_async_context(
            site_server.serving(
                simulated,
                clock,
                script=script,
                host=settings.host,
                ports=settings.ports,
                devices={bus: folder.path / path for bus, path in settings.devices.items()},
                on_exchange=_call_all(listeners),
            )
        )
        script.simulation_started()
        control = SimulatorControl(simulated, script, exchange_log, clock)
        url = await stack.enter_async_context(control_http.serving(control, settings.control))
        stack.enter_context(_publishing_endpoints(folder, settings, endpoints, url))
        await asyncio.Event().wait()


def _place_faults(script: FaultScript, document: Document) -> None:
    """Place the faults of a file. Raises ConfigError with the line of each error."""
    faults = toml.decode(document, FaultsFile).fault
    try:
        script.place(faults)
    except ConfigError as error:
        raise ConfigError([document.locate(problem) for problem in error.problems]) from error


def _warn_of_unknown_year(folder: SiteFolder, begin_ms: int) -> None:
    year = datetime.fromtimestamp(begin_ms / 1000, folder.site.zone).year
    if years_with_unknown_holidays([year]):
        _log.warning("the holidays of this year are not known: only weekends count", year=year)


# --- listeners of exchanges ---------------------------------------------------------------------


def _call_all(listeners: list[ExchangeListener]) -> ExchangeListener:
    def call(exchange: ExchangeRecord) -> None:
        for listener in listeners:
            listener(exchange)

    return call


def _request_counter(registry: CollectorRegistry) -> ExchangeListener:
    requests = Counter(
        "simulator_requests", "Requests to simulated meters", ["bus", "verdict"], registry=registry
    )

    def count(exchange: ExchangeRecord) -> None:
        requests.labels(exchange.bus, exchange.verdict).inc()

    return count


@contextmanager
def _writing_truth(
    folder: Path, simulated: SimulatedSite, clock: Clock, options: RunOptions
) -> Iterator[ExchangeListener]:
    """Write a truth folder while the context is open. Yields the listener to exchanges."""
    writer = TruthWriter(
        folder,
        simulated,
        begin_ms=clock.now_ms(),
        speed=options.speed,
        interval_s=options.truth_interval_s,
    )

    fault = LoggedFault(_log, "truth can't be written", folder=str(folder))

    def write_or_log(exchange: ExchangeRecord) -> None:
        try:
            write(exchange)
        except OSError as error:  # keep serving; the log tells that the truth folder has a gap
            fault.report(error)

    def write(exchange: ExchangeRecord) -> None:
        writer.advance(exchange.time_ms)
        if exchange.meter is None or exchange.value is None:
            return
        writer.write_answer(
            ServedAnswer(
                exchange.time_ms,
                exchange.meter,
                simulated.meters[exchange.meter].counter_quantity,
                exchange.value,
                exchange.value if exchange.register is None else exchange.register,
                exchange.verdict,
                exchange.faults,
                exchange.peer,
            )
        )

    try:
        yield write_or_log
    finally:
        writer.close(clock.now_ms())


@contextmanager
def _locking(folder: Path) -> Iterator[None]:
    """Lock the site's folder, because two simulators would use the same files and serial ports.

    Raises:
        UsageError: another simulator runs in the folder.
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


# --- endpoints for masters ----------------------------------------------------------------------


@contextmanager
def _publishing_endpoints(
    folder: SiteFolder,
    settings: SimulatorSettings,
    endpoints: Mapping[str, BusEndpoint],
    url: str,
) -> Iterator[None]:
    """Write the endpoints of the buses and of the HTTP interface to the log and to files.

    `simulator.json` is removed when the context closes. The file named by `ports_file` remains.
    """
    for bus, endpoint in endpoints.items():
        _log.info("bus is served", bus=bus, **_log_fields(endpoint))
    _log.info("control is served", url=url)
    buses = {
        bus: endpoint.device or [endpoint.host, endpoint.port]
        for bus, endpoint in endpoints.items()
    }
    if settings.ports_file is not None:
        _write_atomically(folder.path / settings.ports_file, buses)
    file = folder.path / ENDPOINTS_FILE
    written = {"control": url, "pid": os.getpid(), "buses": buses}
    try:
        _write_atomically(file, written)
    except OSError as error:
        _log.warning("the site's folder can't be written: give --url to jieneng simulate fault",
                     file=str(file), reason=error.strerror)  # fmt: skip
        yield
        return
    try:
        yield
    finally:
        if file.exists() and json.loads(file.read_text(encoding="utf-8")) == written:
            file.unlink()


def _log_fields(endpoint: BusEndpoint) -> dict[str, object]:
    if endpoint.device is not None:
        return {"device": endpoint.device}
    return {"host": endpoint.host, "port": endpoint.port}


def _write_atomically(path: Path, content: object) -> None:
    """Write JSON to a file in one step, so that readers never see half of it."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
