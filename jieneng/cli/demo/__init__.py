"""The command `jieneng demo`: a simulated centre, end to end, with embedded broker and store.

In: a folder; a temporary one if none is given. Out: a live screen, and the page of the plan's last
year. Law: each service runs unchanged in its own process, so that a person can kill it and watch
what happens.
"""

import shutil
import tempfile
from pathlib import Path

import click

from jieneng.cli.options import examples, run_service, tr


@click.command(
    help=tr("Run a simulated administrative centre, end to end. Ctrl-C ends it."),
    epilog=examples("jieneng demo", "jieneng demo --for 60", "jieneng demo --dir my-demo"),
)
@click.option(
    "--for",
    "for_s",
    type=click.FloatRange(min=1),
    metavar="S",
    help=tr("End by itself after S seconds."),
)
@click.option(
    "--dir",
    "kept_dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar=tr("DIR"),
    help=tr("Folder for the data, which a later run continues; if omitted, only the page is kept."),
)
def demo(for_s: float | None, kept_dir: Path | None) -> None:
    from jieneng.cli.demo import demo_folder as folders
    from jieneng.cli.demo.run_demo import run

    folder = kept_dir or Path(tempfile.mkdtemp(prefix="jieneng-demo-"))
    try:
        run_service(run(folder.resolve(), for_s))
    finally:
        if kept_dir is None:
            _keep_only(folder, folders.PAGE_FILE)
    page = folder.resolve() / folders.PAGE_FILE
    if page.exists():
        click.echo(tr("The demo has ended. Page: {page}").format(page=page))
    elif kept_dir is None:
        folder.rmdir()


def _keep_only(folder: Path, name: str) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != name:
            entry.unlink()
