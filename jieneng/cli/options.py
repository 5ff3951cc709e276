"""Options that several commands have, and functions that run a service until a signal."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from jieneng.clock import Clock, SystemClock
from jieneng.locale import Translate, preferred, translator
from jieneng.site_folder import SiteFolder

#: Function that translates a sentence into the language of `JIENENG_LANGUAGE`: zh (default) or en.
tr: Final[Translate] = translator(preferred())

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Result = TypeVar("_Result")
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class Reader:
    """Options for every command."""

    debug: bool = False


def site_option(command: _Command) -> _Command:
    """Add `--site DIR`: the site's folder, by default the current one."""
    return click.option(
        "--site",
        "site_dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        metavar=tr("DIR"),
        help=tr("The site's folder; the current folder if omitted."),
    )(command)


def config_option(default: str) -> Callable[[_Command], _Command]:
    """Add `--config FILE`: a service's settings; relative paths start at the site's folder."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path(default),
        show_default=True,
        metavar=tr("FILE"),
        help=tr("The service's settings, relative to the site's folder."),
    )


def scope_option(command: _Command) -> _Command:
    """Add `--scope`: one area, one institution or the site."""
    return click.option(
        "--scope", help=tr("One area, one institution or the site; all of them if omitted.")
    )(command)


def format_option(*forms: str) -> Callable[[_Command], _Command]:
    """Add `--format`: the form of the output, by default the first of `forms`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=tr("Format of the output."),
    )


def log_options(command: _Command) -> _Command:
    """Add `--log-level` and `--log-json`."""
    levels = click.Choice(["debug", "info", "warning", "error"])
    for option in (
        click.option(
            "--log-level",
            type=levels,
            default="info",
            show_default=True,
            help=tr("Lowest level of logged messages."),
        ),
        click.option("--log-json/--log-text", default=None, help=tr("Form of the logs.")),
    ):
        command = option(command)
    return command


def examples(*lines: str) -> str:
    """Return the text with examples at the end of a command's help."""
    # \b prevents click from joining the lines into a paragraph.
    return "\b\n" + tr("Examples:") + "\n" + "\n".join(f"  {line}" for line in lines)


def run_service(service: Coroutine[Any, Any, None]) -> None:
    """Run a service until SIGINT or SIGTERM and wait until it has closed; use uvloop if present."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop

    async def until_signal() -> None:
        task = asyncio.ensure_future(service)
        loop = asyncio.get_running_loop()
        is_ending = False

        def end() -> None:
            nonlocal is_ending
            is_ending = True
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        watcher = asyncio.ensure_future(_until_orphaned(end))
        try:
            await task
        except asyncio.CancelledError:
            if not is_ending:
                raise
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            watcher.cancel()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(until_signal())


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a task group; the group's other tasks ended because of it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_orphaned(then: Callable[[], None]) -> None:
    """Call `then` when the parent process has ended, if an environment variable requests it.

    In this way, the services of a demo end when the demo is killed.
    """
    parent = os.getppid()
    while os.environ.get("JIENENG_END_WITH_PARENT") == "1":
        await asyncio.sleep(1.0)
        if os.getppid() != parent:
            then()
            return


def serve(
    run: Callable[[SiteFolder, _Settings, Clock], Coroutine[Any, Any, None]],
    folder: SiteFolder,
    settings: _Settings,
    logs: tuple[str, bool | None],
    clock: Clock | None = None,
) -> None:
    """Run a service of a site until a signal ends it.

    Args:
        run: function `run` of the service's `app`.
        folder: the site.
        settings: settings of the service.
        logs: values of `--log-level` and `--log-json`.
        clock: clock of the service; the system's if None.
    """
    from jieneng.observe import set_up_logs

    level, as_json = logs
    set_up_logs(level, json=as_json)
    run_service(run(folder, settings, clock or SystemClock()))


def run_once(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, and return its result.

    Warnings are logged to standard error, because a program may read the command's output.
    """
    from jieneng.observe import set_up_logs

    set_up_logs("warning", json=False)
    return asyncio.run(work)
