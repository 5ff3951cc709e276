"""The command `jieneng`: arguments in, exit codes out. One module for each group of commands.

Laws: exit code 0 means success, 1 that the command found a problem, 2 that the command line or a
file is wrong, 3 that a needed service is not available. An error is one sentence that says how to
fix it; `--debug` shows the traceback. Modules that only one command needs are imported when the
command runs, so that `--help` is quick.
"""

import sys

import click

from jieneng.cli import (
    demo,
    edge_commands,
    import_commands,
    ingest_commands,
    prepare_command,
    site_commands,
    up,
)
from jieneng.cli.alerts import alert_commands
from jieneng.cli.boards import grafana_commands
from jieneng.cli.export import export_command
from jieneng.cli.figures import (
    analytics_commands,
    balance_command,
    carbon_command,
    cost_command,
    indicator_commands,
    profile_command,
    publish_command,
    quality_command,
    quota_command,
)
from jieneng.cli.options import Reader, tr
from jieneng.cli.simulate import simulate_commands
from jieneng.locale import check_language, preferred, say, teach_click
from jieneng.metering.errors import ConfigError, JienengError, Unavailable, UsageError

_EXIT_CODES: dict[type[JienengError], int] = {UsageError: 2, Unavailable: 3}


@click.group(
    help=tr("Meter the consumption of public buildings and report whether it meets the plan."),
    epilog=tr(
        "First steps: jieneng demo, then jieneng init my-site. Language:"
        " JIENENG_LANGUAGE=en. Exit codes: 0 success; 1 the command found a problem; 2 the"
        " command line or a file is wrong; 3 a needed service is not available."
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help=tr("Show the traceback of an error."))
@click.version_option(package_name="jieneng", help=tr("Show the version."))
@click.pass_obj
def jieneng(reader: Reader, debug: bool) -> None:
    reader.debug = debug


for command in (
    demo.demo,
    site_commands.init,
    site_commands.check,
    up.up,
    edge_commands.edge,
    ingest_commands.ingest,
    analytics_commands.analytics,
    simulate_commands.simulate,
    edge_commands.broker,
    import_commands.import_,
    export_command.export,
    indicator_commands.indicators,
    indicator_commands.report,
    quota_command.quotas,
    balance_command.balance,
    carbon_command.carbon,
    quality_command.quality,
    cost_command.cost,
    profile_command.profile,
    alert_commands.alerts,
    publish_command.publish,
    grafana_commands.grafana,
):
    jieneng.add_command(command)


ingest_commands.ingest.add_command(prepare_command.prepare)


def main() -> None:
    """Run the command line, and exit."""
    teach_click(preferred())
    reader = Reader()
    try:
        check_language()
        code = jieneng.main(prog_name="jieneng", obj=reader, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # of `jieneng ... | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if reader.debug:
            raise
        text = tr("{file}: {reason}. Choose another place, or check its permissions.")
        click.echo(text.format(file=error.filename, reason=error.strerror), err=True)
        sys.exit(2)
    except JienengError as error:
        if reader.debug:
            raise
        _print_error(error)
        sys.exit(next((c for kind, c in _EXIT_CODES.items() if isinstance(error, kind)), 1))
    sys.exit(code if isinstance(code, int) else 0)


def _print_error(error: JienengError) -> None:
    if not isinstance(error, ConfigError):
        click.echo(say(error, tr), err=True)
        return
    for problem in error.problems:
        where = f"{problem.where()}: " if problem.file else ""
        click.echo(f"{where}{say(problem, tr)}", err=True)
