"""The commands `jieneng edge`, and `jieneng broker` for the embedded broker alone."""

import signal
from functools import partial
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
from jieneng.cli.probe.probe_command import probe

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from edge_agent.settings import AgentSettings
    from jieneng.site_folder import SiteFolder


@click.group(help=tr("Edge agent: poll meters, keep their readings on disk, publish them."))
def edge() -> None: ...


edge.add_command(probe)


@edge.command(
    "run",
    help=tr("Poll the meters of one agent of the site until it is stopped."),
    epilog=examples("jieneng edge run --site my-site --agent agent-1"),
)
@site_option
@config_option("agent.toml")
@click.option(
    "--agent", help=tr("Id of the agent in site.toml; may be omitted if there is only one.")
)
@log_options
def edge_run(
    site_dir: Path, config_file: Path, agent: str | None, log_level: str, log_json: bool | None
) -> None:
    # Block SIGHUP until the agent can handle it: an early SIGHUP would end the process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from edge_agent import app
    from edge_agent.settings import AgentSettings
    from jieneng.cli.checks.broker_checks import refuse_broker_files
    from jieneng.site_folder import load, read_settings

    def read() -> "tuple[SiteFolder, AgentSettings]":
        settings = read_settings(site_dir / config_file, AgentSettings)
        return load(site_dir), settings if agent is None else _with_id(settings, agent)

    folder, settings = read()
    refuse_broker_files(site_dir / config_file, settings.broker)
    serve(partial(app.run, reload=read), folder, settings, (log_level, log_json))


@click.command(hidden=True, help=tr("Run only the embedded MQTT broker, on the loopback address."))
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=int, default=1883)
def broker(host: str, port: int) -> None:
    from jieneng.mqtt.embedded_broker import run

    run_service(run(host, port))


def _with_id(settings: "AgentSettings", agent: str) -> "AgentSettings":
    head = msgspec.structs.replace(settings.agent, id=agent)
    return msgspec.structs.replace(settings, agent=head)
