"""`jieneng simulate`: serve simulated meters, switch their faults, and list scenarios."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

import click

from jieneng.cli.options import config_option, examples, log_options, serve, site_option, tr
from jieneng.cli.simulate.control_requests import control_url, print_rows, request_control
from jieneng.cli.simulate.score_command import score
from jieneng.clock import Clock, FastClock, SystemClock
from jieneng.metering.errors import Msgid, UsageError


@click.group(
    invoke_without_command=True,
    help=tr(
        "Serve every meter of the site over Modbus on this machine, with a simulated load, and "
        "with faults on demand."
    ),
    epilog=examples(
        "jieneng simulate --site my-site",
        "jieneng simulate --site my-site --speed 60 --start 2025-06-01T00:00:00+08:00",
        "jieneng simulate --site my-site --faults faults.toml --truth truth",
        "jieneng simulate fault on late_answer --meter e-main delay_s=1.5",
        "jieneng simulate score --site my-site --truth truth",
        "jieneng simulate scenarios",
    ),
)
@site_option
@config_option("simulator.toml")
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar=tr("FILE"),
    help=tr("A script of [[fault]] tables; docs/simulators.md explains them."),
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, file_okay=False),
    metavar=tr("DIR"),
    help=tr(
        "New folder for the true values: the consumption of every meter, and the answers sent."
    ),
)
@click.option(
    "--truth-interval",
    type=click.IntRange(1, 86_400),
    default=900,
    show_default=True,
    metavar=tr("SECONDS"),
    help=tr("Length of the intervals of true consumption."),
)
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 100_000),
    default=1.0,
    help=tr("Speed of the simulated clock, as a multiple of real time."),
)
@click.option("--start", metavar="ISO8601", help=tr("Simulated time of the start; now by default."))
@log_options
@click.pass_context
def simulate(
    context: click.Context,
    site_dir: Path,
    config_file: Path,
    faults_file: Path | None,
    truth: Path | None,
    truth_interval: int,
    speed: float,
    start: str | None,
    log_level: str,
    log_json: bool | None,
) -> None:
    if context.invoked_subcommand is not None:
        here = {"site_dir": str(site_dir)}
        context.default_map = {
            **dict.fromkeys(("truth", "served", "score"), here),
            "fault": dict.fromkeys(("list", "on", "off"), here),
        }
        return
    from jieneng.config_file import read
    from jieneng.site_folder import load, read_settings
    from simulators import app
    from simulators.settings import SimulatorSettings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, SimulatorSettings)
    script = None if faults_file is None else read(_script_path(site_dir, faults_file))
    options = app.RunOptions(
        script=script, truth=truth, truth_interval_s=truth_interval, speed=speed
    )
    run = partial(app.run, options=options)
    serve(run, folder, settings, (log_level, log_json), _clock(speed, start))


def _script_path(site_dir: Path, file: Path) -> Path:
    """Return the typed path if it exists, otherwise the path relative to the site's folder."""
    return file if file.exists() else site_dir / file


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
            "--start {start} is not a time: write it like 2025-06-01T00:00:00+08:00.", start=start
        )
    return FastClock(round(moment.timestamp() * 1000), speed)


# --- while it runs ------------------------------------------------------------------------------

_url_option = click.option(
    "--url",
    metavar="URL",
    help=tr(
        "URL of the running simulator's control interface; if omitted, the URL in the site's"
        " simulator.json."
    ),
)


@simulate.group(help=tr("Switch faults of a running simulator on and off."))
def fault() -> None: ...


@fault.command(
    "kinds",
    help=tr("List the kinds of faults with their keys."),
    epilog=examples("jieneng simulate fault kinds"),
)
def fault_kinds() -> None:
    from simulators.faults import KINDS
    from simulators.serving.control_http import kind_row

    for kind in KINDS.values():
        row = kind_row(kind)
        keys = cast("dict[str, Any]", row["keys"])
        shown = " ".join(f"{k}={tr('needed') if v is None else v}" for k, v in keys.items())
        click.echo(f"{row['kind']:18} {tr(cast('Msgid', row['about']))}")
        if shown:
            click.echo(f"{'':18} {shown}")


@fault.command(
    "list",
    help=tr("List all faults of the run."),
    epilog=examples("jieneng simulate fault list --site my-site"),
)
@site_option
@_url_option
def fault_list(site_dir: Path, url: str | None) -> None:
    print_rows(request_control(control_url(site_dir, url) + "/faults"))


@fault.command(
    "on",
    help=tr("Switch a fault on, at once or at --start."),
    epilog=examples(
        "jieneng simulate fault on no_answer --meter e-main --duration 60",
        "jieneng simulate fault on exception --bus plant-room --probability 0.2 code=6",
    ),
)
@click.argument("kind", metavar=tr("KIND"))
@click.argument("keys", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--id", "name", help=tr("Id of the fault; generated if omitted."))
@click.option("--meter", help=tr("The affected meter."))
@click.option("--bus", help=tr("All meters of this bus."))
@click.option("--area", help=tr("All meters of this area."))
@click.option("--start", metavar="ISO8601", help=tr("Start of the fault; now by default."))
@click.option("--duration", type=float, metavar=tr("SECONDS"), help=tr("Duration of the fault."))
@click.option(
    "--probability",
    type=float,
    help=tr("Probability with which each answer is affected; 1 by default."),
)
@site_option
@_url_option
def fault_on(
    kind: str,
    keys: tuple[str, ...],
    name: str | None,
    start: str | None,
    duration: float | None,
    probability: float | None,
    site_dir: Path,
    url: str | None,
    **target: str | None,
) -> None:
    row = {
        "kind": kind,
        "id": name,
        "start": start,
        "duration_s": duration,
        "probability": probability,
        **target,
        **dict(_key_and_value(text) for text in keys),
    }
    given = {key: value for key, value in row.items() if value is not None}
    print_rows(request_control(control_url(site_dir, url) + "/faults", "POST", given))


@fault.command(
    "off",
    help=tr("End a fault now, or all of them."),
    epilog=examples("jieneng simulate fault off no-answer-1", "jieneng simulate fault off --all"),
)
@click.argument("name", required=False, metavar="[ID]")
@click.option(
    "--all", "everything", is_flag=True, help=tr("End all faults that have not ended yet.")
)
@site_option
@_url_option
def fault_off(name: str | None, everything: bool, site_dir: Path, url: str | None) -> None:
    if (name is None) is not everything:
        raise UsageError("name the fault to end by its id, or use --all.")
    fault_path = "" if name is None else f"/{quote(name, safe='')}"
    print_rows(request_control(f"{control_url(site_dir, url)}/faults{fault_path}", "DELETE"))


@simulate.command(
    "truth",
    help=tr("Print the true consumption of the meters of a running simulator, and what they show."),
    epilog=examples("jieneng simulate truth", "jieneng simulate truth --meter e-main"),
)
@click.option("--meter", help=tr("Only this meter."))
@click.option("--at", metavar="ISO8601", help=tr("Time of the printed values; now by default."))
@site_option
@_url_option
def truth_now(meter: str | None, at: str | None, site_dir: Path, url: str | None) -> None:
    meter_path = "" if meter is None else f"/{quote(meter, safe='')}"
    query = "" if at is None else "?" + urlencode({"at": at})
    print_rows(request_control(f"{control_url(site_dir, url)}/meters{meter_path}{query}"))


@simulate.command(
    "served",
    help=tr("Print the latest requests to a running simulator and the replies to them."),
    epilog=examples("jieneng simulate served --meter e-main --last 5"),
)
@click.option("--meter", help=tr("Only this meter."))
@click.option("--bus", help=tr("Only this bus."))
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True,
              help=tr("Number of requests to print."))  # fmt: skip
@site_option
@_url_option
def served(meter: str | None, bus: str | None, last: int, site_dir: Path, url: str | None) -> None:
    options = {"meter": meter, "bus": bus, "limit": last}
    query = urlencode({key: value for key, value in options.items() if value is not None})
    print_rows(request_control(f"{control_url(site_dir, url)}/exchanges?{query}"))


def _key_and_value(text: str) -> tuple[str, object]:
    """Split a text like `delay_s=1.5`. The value is read as TOML, or else used as text."""
    import tomllib

    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(
            "{text} is not a key with its value: write it like delay_s=1.5.", text=text
        )
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


simulate.add_command(score)


# --- scenarios ----------------------------------------------------------------------------------


@simulate.command(
    "scenarios",
    help=tr("List the scenarios, or write one of them as a site's folder."),
    epilog=examples(
        "jieneng simulate scenarios",
        "jieneng simulate scenarios crossed-reply --out crossed",
    ),
)
@click.argument("name", required=False, metavar=tr("[NAME]"))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar=tr("DIR"),
    help=tr(
        "Folder to write the scenario to: site.toml, simulator.toml, faults.toml, golden.toml."
    ),
)
def scenarios(name: str | None, out: Path | None) -> None:
    from simulators.scenarios import scenario as library

    if name is None and out is not None:
        raise UsageError("name the scenario to write: its id comes before --out.")
    if name is None:
        for scenario_id in library.scenario_ids():
            head = library.read(scenario_id).scenario
            click.echo(f"{scenario_id:24} {tr(head.about)}")
        return
    head = library.read(name).scenario
    if out is None:
        click.echo(f"{head.id}: {tr(head.about)}\n" + "\n".join(head.sources))
        return
    library.write(name, out)
    click.echo(
        tr("{folder} is ready. Run: jieneng simulate --site {folder} {rest}").format(
            folder=out, rest="--faults faults.toml"
        )
    )
