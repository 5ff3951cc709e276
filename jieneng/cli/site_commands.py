"""`jieneng init` and `jieneng check`: a site's folder, made and validated."""

import shutil
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jieneng.cli.agent_files import agent_files
from jieneng.cli.options import examples, site_option, tr
from jieneng.locale import say
from jieneng.metering.errors import ConfigError, Problem, UsageError
from jieneng.metering.quantities import MEDIA

if TYPE_CHECKING:
    from edge_agent.settings import AgentSettings
    from jieneng.site_folder import SiteFolder


@click.command(
    help=tr("Make a new site's folder from the example centre."),
    epilog=examples("jieneng init my-site", "jieneng check --site my-site"),
)
@click.argument("folder", type=click.Path(path_type=Path), metavar=tr("DIR"))
def init(folder: Path) -> None:
    if (folder / "site.toml").exists():
        raise UsageError(
            "{folder} already has a site.toml, which is not overwritten: choose another folder.",
            folder=folder,
        )
    example = resources.files("jieneng") / "sites" / "example"
    folder.mkdir(parents=True, exist_ok=True)
    for entry in example.iterdir():
        with resources.as_file(entry) as source:
            shutil.copyfile(source, folder / entry.name)
    click.echo(
        tr(
            "{folder} is ready. Edit {folder}/site.toml, then run: jieneng check --site {folder}"
        ).format(folder=folder)
    )


@click.command(
    help=tr("Validate a site: every problem at once, with file, line and mend."),
    epilog=examples("jieneng check", "jieneng check --site my-site"),
)
@site_option
def check(site_dir: Path) -> None:
    from analytics.report import figure_texts
    from jieneng.site_folder import load

    problems = list[Problem]()
    try:
        folder = load(site_dir)
    except ConfigError as error:
        problems += error.problems
    else:
        problems += _duty_problems(folder)
        problems += _bus_problems(folder)
    problems += _service_problems(site_dir)
    if problems:
        raise ConfigError(problems)
    _tell_of_buses(folder)
    unrated = [meter.id for meter in folder.site.meter if meter.rated_max is None]
    if unrated:
        click.echo(
            tr(
                "Without rated_max a misread register can't be told from consumption: {meters}."
            ).format(meters=", ".join(unrated))
        )
    media = [meter.medium for meter in folder.site.meter]
    counts = ", ".join(
        f"{figure_texts.indicator(medium, tr)} {media.count(medium)}" for medium in MEDIA
    )
    click.echo(
        tr(
            "{name}: {areas} areas, {buses} buses, {meters} meters ({counts}). No problem found."
        ).format(
            name=folder.site.site.name,
            areas=len(folder.site.area),
            buses=len(folder.site.bus),
            meters=len(folder.site.meter),
            counts=counts,
        )
    )


def _bus_problems(folder: "SiteFolder") -> list[Problem]:
    """Buses that can't be polled as often as their meters ask for."""
    from edge_agent.commissioning import bus_time_budget
    from jieneng import config_file
    from jieneng.site_folder import SITE_FILE

    document = config_file.read(folder.path / SITE_FILE)
    return [document.locate(one) for one in bus_time_budget.problems(folder.site, folder.models)]


def _tell_of_buses(folder: "SiteFolder") -> None:
    """What each bus's round takes, and which of them a fault would overrun."""
    from edge_agent.commissioning import bus_time_budget
    from jieneng import config_file
    from jieneng.site_folder import SITE_FILE

    for one in bus_time_budget.bus_budgets(folder.site, folder.models):
        click.echo(
            tr(
                "bus {bus}: {meters} meters, {questions} questions a round; by calculation "
                "{cycle:.2f} s, {load:.0%} of its time."
            ).format(
                bus=one.bus,
                meters=one.meters,
                questions=one.requests,
                cycle=one.cycle_s,
                load=one.load,
            )
        )
    document = config_file.read(folder.path / SITE_FILE)
    for problem in bus_time_budget.warnings(folder.site, folder.models):
        located = document.locate(problem)
        click.echo(f"{located.where()}: {say(located, tr)}")


def _service_problems(site_dir: Path) -> list[Problem]:
    """The problems of the services' own files, where they are there, and of the rules."""
    from analytics.app import load_rules
    from analytics.settings import AnalyticsSettings
    from edge_agent.settings import AgentSettings
    from ingest.settings import IngestSettings
    from jieneng.site_folder import read_settings
    from simulators.faults import FaultsFile
    from simulators.settings import SimulatorSettings

    problems = list[Problem]()
    reads: list[tuple[Path, type[msgspec.Struct]]] = [
        *((file, AgentSettings) for file in agent_files(site_dir)),
        (site_dir / "ingest.toml", IngestSettings),
        (site_dir / "analytics.toml", AnalyticsSettings),
        (site_dir / "simulator.toml", SimulatorSettings),
        (site_dir / "faults.toml", FaultsFile),
    ]
    for file, form in reads:
        try:
            read_settings(file, form)
        except ConfigError as error:
            problems += error.problems
    try:
        load_rules(site_dir)
    except ConfigError as error:
        problems += error.problems
    return problems


def _duty_problems(folder: "SiteFolder") -> list[Problem]:
    """What `edge run` would refuse, for every agent, and what agents would take from each other."""
    from edge_agent.links import endpoints
    from edge_agent.settings import assignment
    from jieneng import config_file
    from jieneng.site_folder import SITE_FILE

    known = _agents(folder)
    problems = list[Problem]()
    for one in known.values():
        try:
            assignment(folder.site, one)
        except ConfigError as error:
            problems += error.problems
    own_ways = {(agent, way.id) for agent, one in known.items() for way in one.bus}
    problems += endpoints.contested(
        folder.site, {bus.id for bus in folder.site.bus if (bus.agent, bus.id) in own_ways}
    )
    site = config_file.read(folder.path / SITE_FILE)
    return [site.locate(one) if one.file == SITE_FILE else one for one in problems]


def _agents(folder: "SiteFolder") -> dict[str, "AgentSettings"]:
    """Every agent of the site, with its settings where they are here."""
    from edge_agent.settings import AgentHead, AgentSettings
    from jieneng.site_folder import read_settings

    agents = sorted({bus.agent for bus in folder.site.bus})
    sole = agents[0] if len(agents) == 1 else None
    known = {agent: AgentSettings(agent=AgentHead(id=agent)) for agent in agents}
    for file in agent_files(folder.path):
        with suppress(ConfigError):  # told with the services' own files
            one = read_settings(file, AgentSettings)
            if agent := one.agent.id or sole:
                known[agent] = one
    return known
