"""The edge agent, the simulators, and all of a small site in one process."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jieneng.cli.options import (
    config_option,
    examples,
    log_options,
    run_service,
    serve,
    site_option,
    tr,
)
from jieneng.clock import Clock, FastClock, SystemClock
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from edge_agent.config import AgentSettings


@click.group(help=tr("The edge agent: polls meters, keeps what they say, publishes it."))
def edge() -> None: ...


@edge.command(
    "run",
    help=tr("Poll the meters of one agent of the site until it is stopped."),
    epilog=examples("jieneng edge run --site my-site --agent agent-1"),
)
@site_option
@config_option("agent.toml")
@click.option(
    "--agent", help=tr("Which agent of site.toml this is; may be omitted where there is one.")
)
@log_options
def edge_run(
    site_dir: Path, config_file: Path, agent: str | None, log_level: str, log_json: bool | None
) -> None:
    from edge_agent import app
    from edge_agent.config import AgentSettings
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AgentSettings)
    if agent is not None:
        settings = _with_id(settings, agent)
    serve(app.run, folder, settings, (log_level, log_json))


@click.command(
    help=tr("Serve every meter of the site over Modbus on this machine, with a simulated load."),
    epilog=examples(
        "jieneng simulate --site my-site",
        "jieneng simulate --site my-site --speed 60 --start 2025-06-01T00:00:00+08:00",
    ),
)
@site_option
@config_option("simulator.toml")
@click.option(
    "--speed", type=click.FloatRange(0.01, 100_000), default=1.0, help=tr("Times real speed.")
)
@click.option(
    "--start", metavar="ISO8601", help=tr("The simulated moment to begin at; now by default.")
)
@log_options
def simulate(
    site_dir: Path,
    config_file: Path,
    speed: float,
    start: str | None,
    log_level: str,
    log_json: bool | None,
) -> None:
    from jieneng.site_folder import load, read_settings
    from simulators import app
    from simulators.config import SimulatorSettings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, SimulatorSettings)
    serve(app.run, folder, settings, (log_level, log_json), _clock(speed, start))


@click.command(hidden=True, help=tr("The embedded MQTT broker alone, on loopback."))
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=int, default=1883)
def broker(host: str, port: int) -> None:
    from jieneng.embedded_broker import run

    run_service(run(host, port))


@click.command(
    help=tr("A small site in one process: all its agents, ingest and analytics."),
    epilog=examples("jieneng up --site my-site", "jieneng up --site my-site --broker configured"),
)
@site_option
@click.option(
    "--broker",
    "broker_kind",
    type=click.Choice(["embedded", "configured"]),
    default="embedded",
    show_default=True,
    help=tr(
        "The MQTT broker: inside this process, or the one that ingest.toml and agent.toml name."
    ),
)
@log_options
def up(site_dir: Path, broker_kind: str, log_level: str, log_json: bool | None) -> None:
    from jieneng.observe import set_up_logs

    set_up_logs(log_level, json=log_json)
    run_service(_up(site_dir, embedded=broker_kind == "embedded"))


async def _up(site_dir: Path, *, embedded: bool) -> None:
    import analytics.app
    import edge_agent.app
    import ingest.app
    from analytics.config import AnalyticsSettings
    from edge_agent.config import AgentSettings
    from ingest.config import IngestSettings
    from jieneng import embedded_broker
    from jieneng.site_folder import load, read_settings

    folder, clock = load(site_dir), SystemClock()
    agent = read_settings(site_dir / "agent.toml", AgentSettings)
    ingest_settings = read_settings(site_dir / "ingest.toml", IngestSettings)
    if embedded:  # which knows no shared subscriptions
        alone = msgspec.structs.replace(ingest_settings.subscription, share=False)
        ingest_settings = msgspec.structs.replace(ingest_settings, subscription=alone)
    async with asyncio.TaskGroup() as group:
        if embedded:
            at = ingest_settings.broker
            group.create_task(embedded_broker.run(at.host, at.port), name="broker")
        group.create_task(ingest.app.run(folder, ingest_settings, clock), name="ingest")
        settings = read_settings(site_dir / "analytics.toml", AnalyticsSettings)
        group.create_task(analytics.app.run(folder, settings, clock), name="analytics")
        for agent_id in sorted({bus.agent for bus in folder.site.bus}):
            one = _with_id(agent, agent_id)
            group.create_task(edge_agent.app.run(folder, one, clock), name=agent_id)


def _with_id(settings: "AgentSettings", agent: str) -> "AgentSettings":
    head = msgspec.structs.replace(settings.agent, id=agent)
    return msgspec.structs.replace(settings, agent=head)


def _clock(speed: float, start: str | None) -> Clock:
    if start is None and speed == 1.0:
        return SystemClock()
    now_ms = SystemClock().now_ms()
    if start is None:
        return FastClock(now_ms, speed)
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            "--start {start} is no moment: write it like 2025-06-01T00:00:00+08:00.", start=start
        )
    return FastClock(round(moment.timestamp() * 1000), speed)
