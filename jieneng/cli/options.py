"""What the commands share: the reader's language, the site's folder, how a service is run."""

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
from jieneng.locale import preferred, translator
from jieneng.site_folder import SiteFolder

#: Texts of the command line, in the language of `JIENENG_LANGUAGE`: zh (default) or en.
tr: Final = translator(preferred())

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Result = TypeVar("_Result")
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class Reader:
    """What the command line knows of who reads it."""

    debug: bool = False


def site_option(command: _Command) -> _Command:
    """`--site DIR`: the site's folder; the current one by default."""
    return click.option(
        "--site",
        "site_dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        metavar=tr("DIR"),
        help=tr("The site's folder; the current one where omitted."),
    )(command)


def config_option(default: str) -> Callable[[_Command], _Command]:
    """`--config FILE`: a service's own settings, beside site.toml where the path is relative."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path(default),
        show_default=True,
        metavar=tr("FILE"),
        help=tr("The service's settings, relative to the site's folder."),
    )


def log_options(command: _Command) -> _Command:
    """`--log-level` and `--log-json`."""
    levels = click.Choice(["debug", "info", "warning", "error"])
    for option in (
        click.option(
            "--log-level",
            type=levels,
            default="info",
            show_default=True,
            help=tr("How much is logged."),
        ),
        click.option("--log-json/--log-text", default=None, help=tr("Form of the logs.")),
    ):
        command = option(command)
    return command


def examples(*lines: str) -> str:
    """The end of a command's help: how it is typed."""
    # \b keeps click from filling the lines into a paragraph.
    return "\b\n" + tr("Examples:") + "\n" + "\n".join(f"  {line}" for line in lines)


def run_service(service: Coroutine[Any, Any, None]) -> None:
    """Run until SIGINT or SIGTERM, then let it close cleanly. uvloop where it is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop

    async def until_signal() -> None:
        task = asyncio.ensure_future(service)
        loop = asyncio.get_running_loop()
        asked = False

        def ask() -> None:
            nonlocal asked
            asked = True
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask)
        watcher = asyncio.ensure_future(_until_orphaned(ask))
        try:
            await task
        except asyncio.CancelledError:
            if not asked:
                raise
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            watcher.cancel()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(until_signal())


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first: the rest of a task group ended because of it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_orphaned(then: Callable[[], None]) -> None:
    """Where the environment asks for it: a demo that is killed takes its services with it."""
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
    """Run a service of a site until it is told to end.

    Args:
        run: the service's `app.run`.
        folder: the site.
        settings: the service's own.
        logs: `--log-level` and `--log-json`.
        clock: the real one where None.
    """
    from jieneng.observe import set_up_logs

    level, as_json = logs
    set_up_logs(level, json=as_json)
    run_service(run(folder, settings, clock or SystemClock()))


def run_once(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run something that ends by itself."""
    return asyncio.run(work)
