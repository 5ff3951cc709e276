"""Run the demo: prepare its data, start the services, show their figures, and end cleanly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from analytics.alerts.alert_files import load_alert_rules
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.cli.demo import demo_alerts, demo_history
from jieneng.cli.demo import demo_folder as folders
from jieneng.cli.demo.demo_processes import Service, wait_until
from jieneng.cli.demo.live_screen import figures_screen, live_screen, plain_lines
from jieneng.cli.demo.store_watch import StoreWatch
from jieneng.cli.options import tr
from jieneng.cli.progress import bars
from jieneng.clock import SystemClock
from jieneng.site_folder import SiteFolder, load, read_settings
from jieneng.storage import Store, StoreSettings, open_store
from simulators.scripting.fault_check import SCRIPT_FILE
from simulators.serving import site_server
from simulators.settings import SimulatorSettings

#: Interval at which the screen is renewed [s]; without a terminal, interval of the printed lines
#: [s].
_SCREEN_S: Final = 2.0
_LINE_S: Final = 10.0
#: Width of the output where there is no terminal [columns].
_PLAIN_WIDTH: Final = 100
#: Longest time for which the first screen waits for readings [s].
_FIRST_S: Final = 15.0


async def run(path: Path, for_s: float | None) -> None:
    """Run the demo in a folder, until cancelled or for that many seconds."""
    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    loop = asyncio.get_running_loop()
    deadline = None if for_s is None else loop.time() + for_s
    broker_port = folders.free_port()
    folders.copy_example(path)
    folders.write_services(path, broker_port)
    folder = load(path)
    demo_alerts.write_alerts(path, folder.site, SystemClock().now_ms())
    store = open_store(StoreSettings(path=folders.STORE_FILE), path)
    await store.prepare()
    try:
        pipeline = Pipeline(folder, load_rules(path), store)
        await _prepare(folder, store, pipeline, console)
        rules = load_alert_rules(path, folder.site)
        watch = StoreWatch(folder, store, pipeline, rules, SystemClock())
        async with _services(folder, broker_port) as services:
            await _show(watch, services, console, deadline)
    finally:
        await store.close()


async def _prepare(folder: SiteFolder, store: Store, pipeline: Pipeline, console: Console) -> None:
    """Load the history, then compute its consumption, both with progress shown."""
    now_ms = SystemClock().now_ms()
    today = datetime.fromtimestamp(now_ms / 1000, folder.site.zone).date()
    settings = read_settings(folder.path / "simulator.toml", SimulatorSettings)
    simulated = site_server.simulate_site(folder, settings)
    demo_alerts.place_faults(simulated, folder.path, settings.seed, now_ms)
    with bars(console) as progress:
        loading = progress.add_task(tr("Simulated history since 2020"), total=1.0)
        computing = progress.add_task(tr("Consumption by day"), total=1.0)
        first = await demo_history.load(
            store, simulated, today, lambda share: progress.update(loading, completed=share)
        )
        progress.update(loading, completed=1.0)
        if first is not None:
            await pipeline.backfill(
                first - timedelta(days=1),
                today,
                lambda share: progress.update(computing, completed=share),
            )
        progress.update(computing, completed=1.0)


@asynccontextmanager
async def _services(folder: SiteFolder, broker_port: int) -> AsyncIterator[list[Service]]:
    """Run all services as processes, and end them in reverse order when the block is left."""
    path = folder.path
    logs = path / "logs"
    logs.mkdir(exist_ok=True)
    site = ["--site", str(path)]
    services: list[Service] = []
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []

        def start(name: str, *arguments: str) -> Service:
            service = Service(name, arguments, logs / f"{name}.log")
            services.append(service)
            tasks.append(group.create_task(service.run(), name=name))
            return service

        broker = start("broker", "broker", "--port", str(broker_port))
        simulator = start("simulator", "simulate", *site, "--faults", SCRIPT_FILE)
        try:
            # On a busy machine an ingest that starts sooner would warn that there is no broker.
            await wait_until(lambda: folders.is_served(broker_port), broker)
            start("ingest", "ingest", "run", *site)
            await wait_until((path / folders.PORTS_FILE).exists, simulator)
            for agent in folders.write_agents(path, folder.site, broker_port):
                start(agent, "edge", "run", *site, "--config", f"{agent}.toml")
            # Last, so that no meter is silent only because its agent has not started yet.
            start("analytics", "analytics", "run", *site)
            yield services
        finally:
            # Agents before ingest and broker: their last batches are still stored.
            for task in reversed(tasks):
                task.cancel()
                await asyncio.wait([task])


async def _show(
    watch: StoreWatch, services: list[Service], console: Console, deadline: float | None
) -> None:
    """Show readings and counts until the deadline: on a live screen, or in plain lines."""
    loop = asyncio.get_running_loop()
    snapshot = await watch.snapshot(services)
    first_s = loop.time() + _FIRST_S
    while not any(reading.time for reading in snapshot.readings) and loop.time() < min(
        first_s, deadline or first_s
    ):
        await asyncio.sleep(_SCREEN_S / 10)
        snapshot = await watch.snapshot(services)
    console.print(figures_screen(snapshot, tr))
    if not console.is_terminal:
        console.print(live_screen(snapshot, tr), soft_wrap=True)
        while deadline is None or loop.time() < deadline:
            await asyncio.sleep(_pause(_LINE_S, deadline))
            before, snapshot = snapshot, await watch.snapshot(services)
            for line in plain_lines(snapshot, before, tr):
                console.print(line, soft_wrap=True)
        return
    with Live(live_screen(snapshot, tr), console=console, auto_refresh=False) as live:
        while deadline is None or loop.time() < deadline:
            await asyncio.sleep(_pause(_SCREEN_S, deadline))
            live.update(live_screen(await watch.snapshot(services), tr), refresh=True)


def _pause(seconds: float, deadline: float | None) -> float:
    if deadline is None:
        return seconds
    return min(seconds, max(0.0, deadline - asyncio.get_running_loop().time()))
