"""The commands `jieneng init` and `jieneng check`: create a site's folder, and validate one."""

import shutil
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jieneng.cli.agent_files import AgentFiles, read_agent_files
from jieneng.cli.options import examples, site_option, tr
from jieneng.locale import number_texts, say
from jieneng.metering.errors import ConfigError, Problem, UsageError
from jieneng.metering.quantities import MEDIA

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from edge_agent.commissioning.bus_time_budget import BusBudget
    from jieneng.metering.site import Site
    from jieneng.site_folder import Examination


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
    help=tr(
        "Report all errors of a site at once, each with its file, its line and a way to fix it."
    ),
    epilog=examples("jieneng check", "jieneng check --site my-site"),
)
@site_option
def check(site_dir: Path) -> None:
    from jieneng.cli.checks.alert_checks import check_alerts
    from jieneng.cli.checks.store_checks import store_warnings
    from jieneng.clock import SystemClock
    from jieneng.site_folder import examine

    now_ms = SystemClock().now_ms()
    agent_files = read_agent_files(site_dir)
    of_services = [
        *agent_files.problems,
        *_agent_broker_problems(site_dir, agent_files),
        *_service_problems(site_dir),
    ]
    try:
        found = examine(site_dir)
    except ConfigError as error:
        of_services += _rule_problems(site_dir, None)
        of_alerts = check_alerts(site_dir, None, now_ms).problems
        raise ConfigError([*error.problems, *of_services, *of_alerts]) from error
    of_services += _rule_problems(site_dir, None if found.problems else found.site)
    alerts = check_alerts(site_dir, found, now_ms)
    problems = [*found.problems, *_assignment_problems(found, agent_files), *_bus_problems(found)]
    problems += [*of_services, *alerts.problems, *_mapping_problems(site_dir, found)]
    warnings = [*found.warnings, *alerts.warnings, *store_warnings(site_dir)]
    if problems:
        _print_warnings(warnings)
        raise ConfigError(_by_place([*problems, *found.omissions]))
    _print_bus_budgets(found)
    _print_warnings([*warnings, *_bus_warnings(found)])
    if found.omissions:
        raise ConfigError(found.omissions)
    _print_unrated(found.site)
    _print_summary(found.site)


def _by_place(problems: list[Problem]) -> list[Problem]:
    """Return problems by file, in the order in which files come up, and by line."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return sorted(problems, key=lambda problem: (files.index(problem.file), problem.line or 0))


# --- texts --------------------------------------------------------------------------------------


def _print_bus_budgets(found: "Examination") -> None:
    """Print how long a round of each bus takes."""
    from edge_agent.commissioning import bus_time_budget

    for budget in bus_time_budget.bus_budgets(found.site, found.models):
        click.echo(_budget_text(budget))


def _budget_text(budget: "BusBudget") -> str:
    meters = tr("{count} meter" if budget.meters == 1 else "{count} meters")
    requests = tr("{count} request" if budget.requests == 1 else "{count} requests")
    return tr(
        "bus {bus}: {meters}, {requests} per round of polling, which takes {cycle:.2f} s by"
        " calculation; busy {load} of the time."
    ).format(
        bus=budget.bus,
        meters=meters.format(count=budget.meters),
        requests=requests.format(count=budget.requests),
        cycle=budget.cycle_s,
        load=number_texts.whole_percent(budget.load),
    )


def _print_warnings(warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        text = tr("{place}: warning: {text}")
        click.echo(text.format(place=warning.where(), text=say(warning, tr)))


def _print_unrated(site: "Site") -> None:
    unrated = [meter.id for meter in site.read_meters.values() if meter.rated_max is None]
    if unrated:
        click.echo(
            tr(
                "Meters without rated_max, for which a misread register can't be"
                " distinguished from consumption: {meters}."
            ).format(meters=", ".join(unrated))
        )


def _print_summary(site: "Site") -> None:
    from analytics.report import figure_texts

    media = [meter.medium for meter in site.meter]
    by_medium = ", ".join(
        f"{figure_texts.medium_name(medium, tr)} {media.count(medium)}" for medium in MEDIA
    )
    areas = tr("{count} area" if len(site.area) == 1 else "{count} areas")
    buses = tr("{count} bus" if len(site.bus) == 1 else "{count} buses")
    meters = tr("{count} meter" if len(site.meter) == 1 else "{count} meters")
    click.echo(
        tr("{name}: {areas}, {buses}, {meters} ({by_medium}). No problem found.").format(
            name=site.site.name,
            areas=areas.format(count=len(site.area)),
            buses=buses.format(count=len(site.bus)),
            meters=meters.format(count=len(site.meter)),
            by_medium=by_medium,
        )
    )


# --- rules of the services ----------------------------------------------------------------------


def _bus_problems(found: "Examination") -> list[Problem]:
    """Return a problem for each bus that can't be polled at the intervals of its meters.

    Buses and meters with a mistake are left out, because their polling time is not known.
    """
    from edge_agent.commissioning import bus_time_budget

    sound_buses = {bus.id for n, bus in enumerate(found.site.bus) if found.is_sound("bus", n)}
    meters = tuple(
        meter
        for n, meter in enumerate(found.site.meter)
        if meter.bus in sound_buses and found.is_sound("meter", n)
    )
    site = msgspec.structs.replace(found.site, meter=meters)
    return [
        found.document.locate(problem) for problem in bus_time_budget.problems(site, found.models)
    ]


def _bus_warnings(found: "Examination") -> list[Problem]:
    """Return a warning for each bus that has no time left to repeat failed requests."""
    from edge_agent.commissioning import bus_time_budget

    warnings = bus_time_budget.warnings(found.site, found.models)
    return [found.document.locate(warning) for warning in warnings]


def _agent_broker_problems(site_dir: Path, agent_files: AgentFiles) -> list[Problem]:
    """Return the problems of the files that the agents need for their connection to the broker."""
    from jieneng.cli.checks.broker_checks import broker_problems

    return [
        problem
        for file, settings in agent_files.settings.items()
        for problem in broker_problems(site_dir / file, settings.broker)
    ]


def _mapping_problems(site_dir: Path, found: "Examination") -> list[Problem]:
    """Return the problems of the mapping of imported files, if the site's meters are known."""
    from ingest.importing.mapping.mapping_file import MAPPING_FILE, read_mapping

    mapping = site_dir / MAPPING_FILE
    if found.problems or not mapping.exists():
        return []
    try:
        read_mapping(mapping, found.site)
    except ConfigError as error:
        return list(error.problems)
    return []


def _service_problems(site_dir: Path) -> list[Problem]:
    """Return the problems of the other services' own files, where they exist."""
    from analytics.settings import AnalyticsSettings
    from ingest.settings import IngestSettings
    from jieneng.cli.checks.broker_checks import broker_problems
    from jieneng.site_folder import read_settings
    from simulators.faults import FaultsFile
    from simulators.settings import SimulatorSettings

    problems = list[Problem]()
    reads: list[tuple[Path, type[msgspec.Struct]]] = [
        (site_dir / "ingest.toml", IngestSettings),
        (site_dir / "analytics.toml", AnalyticsSettings),
        (site_dir / "simulator.toml", SimulatorSettings),
        (site_dir / "faults.toml", FaultsFile),
    ]
    for file, form in reads:
        try:
            settings = read_settings(file, form)
            if isinstance(settings, IngestSettings):
                problems += broker_problems(file, settings.broker)
        except ConfigError as error:
            problems += error.problems
    return problems


def _rule_problems(site_dir: Path, site: "Site | None") -> list[Problem]:
    """Return the problems of factors, plans, quotas and tariffs.

    What they refer to in `site.toml` is checked only with a sound site.
    """
    from analytics.site_analytics import load_rules
    from analytics.tariffs.tariff_files import load_tariffs

    problems = list[Problem]()
    loads: tuple[Callable[[], object], ...] = (
        lambda: load_rules(site_dir, site=site),
        lambda: load_tariffs(site_dir, site),
    )
    for load in loads:
        try:
            load()
        except ConfigError as error:
            problems += error.problems
    return problems


def _assignment_problems(found: "Examination", agent_files: AgentFiles) -> list[Problem]:
    """Return the problems for which `edge run` refuses to start, and gateways of two agents.

    If a bus has a mistake, nothing is checked, because the agent or the address of the bus may be
    wrong. If a settings file has a mistake, only agents named in other files are checked.
    """
    from edge_agent.links import endpoints
    from edge_agent.settings import assignment
    from jieneng.site_folder import SITE_FILE

    if not found.is_sound("bus"):
        return []
    agents = agent_files.by_agent(found.site)
    problems = list[Problem]()
    for agent, settings in agents.items():
        if not agent_files.is_known(agent):
            continue
        try:
            assignment(found.site, settings)
        except ConfigError as error:  # agents that share a file share its mistakes
            problems += [problem for problem in error.problems if problem not in problems]
    if not agent_files.problems:
        overridden = {(agent, bus.id) for agent, one in agents.items() for bus in one.bus}
        own_addresses = {bus.id for bus in found.site.bus if (bus.agent, bus.id) in overridden}
        problems += endpoints.contested_gateways(found.site, own_addresses)
    return [
        found.document.locate(problem) if problem.file == SITE_FILE else problem
        for problem in problems
    ]
