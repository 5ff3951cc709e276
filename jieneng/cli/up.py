"""The command `jieneng up`: all services of a small site in one process."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jieneng.cli.options import examples, log_options, run_service, site_option, tr
from jieneng.clock import Clock, SystemClock

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from edge_agent.settings import BusOverride
    from jieneng.site_folder import SiteFolder


@click.command(
    help=tr("Run a small site in one process: all its agents, ingest and analytics."),
    epilog=examples(
        "jieneng up --site my-site",
        "jieneng up --site my-site --simulated",
        "jieneng up --site my-site --broker configured",
    ),
)
@site_option
@click.option(
    "--broker",
    "broker_kind",
    type=click.Choice(["embedded", "configured"]),
    default="embedded",
    show_default=True,
    help=tr(
        "The MQTT broker: one inside this process, or the one configured in ingest.toml and"
        " agent.toml."
    ),
)
@click.option(
    "--simulated", is_flag=True, help=tr("Poll simulated meters instead of the site's real ones.")
)
@log_options
def up(
    site_dir: Path, broker_kind: str, simulated: bool, log_level: str, log_json: bool | None
) -> None:
    from jieneng.observe import set_up_logs
    from jieneng.site_folder import load

    folder = load(site_dir)
    set_up_logs(log_level, json=log_json)
    run_service(_run(folder, SystemClock(), broker_kind == "embedded", simulated))


async def _run(folder: "SiteFolder", clock: Clock, embedded: bool, simulated: bool) -> None:
    import analytics.app
    import edge_agent.app
    import ingest.app
    from analytics.settings import AnalyticsSettings
    from edge_agent.settings import AgentHead, AgentSettings
    from ingest.settings import IngestSettings
    from jieneng.mqtt import embedded_broker
    from jieneng.site_folder import read_settings

    path = folder.path
    agent = read_settings(path / "agent.toml", AgentSettings)
    ingestion = read_settings(path / "ingest.toml", IngestSettings)
    figures = read_settings(path / "analytics.toml", AnalyticsSettings)
    if embedded:  # the embedded broker supports neither shared subscriptions nor MQTT 5
        alone = msgspec.structs.replace(ingestion.subscription, share=False)
        inside = msgspec.structs.replace(ingestion.broker, protocol="3.1.1")
        ingestion = msgspec.structs.replace(ingestion, subscription=alone, broker=inside)
        agent = msgspec.structs.replace(agent, broker=inside)
    async with AsyncExitStack() as stack:
        if simulated:
            agent = msgspec.structs.replace(agent, bus=await _simulated(folder, clock, stack))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        if embedded:
            address = ingestion.broker
            group.create_task(embedded_broker.run(address.host, address.port), name="broker")
        group.create_task(ingest.app.run(folder, ingestion, clock), name="ingest")
        group.create_task(analytics.app.run(folder, figures, clock), name="analytics")
        for agent_id in sorted({bus.agent for bus in folder.site.bus}):
            settings = msgspec.structs.replace(agent, agent=AgentHead(id=agent_id))
            group.create_task(edge_agent.app.run(folder, settings, clock), name=agent_id)


async def _simulated(
    folder: "SiteFolder", clock: Clock, stack: AsyncExitStack
) -> "tuple[BusOverride, ...]":
    """Simulate the site's meters on this machine; return the address of each bus."""
    from edge_agent.settings import BusOverride
    from jieneng.site_folder import read_settings
    from simulators.serving import site_server
    from simulators.settings import SimulatorSettings

    settings = read_settings(folder.path / "simulator.toml", SimulatorSettings)
    places = await stack.enter_async_context(
        site_server.serving(site_server.simulate_site(folder, settings), clock)
    )
    return tuple(
        BusOverride(id=bus, host=place.host or None, port=place.port or None, device=place.device)
        for bus, place in places.items()
    )
