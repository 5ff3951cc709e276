"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere. On stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from jieneng.locale import number_texts


def bars(console: Console) -> Progress:
    """Bars with their share and time; add the tasks."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def share_progress(title: str) -> Iterator[Callable[[float], None]]:
    """Of work whose end is known: give it the share done, 0 to 1."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_share(console, title)
        return
    with bars(console) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda share: progress.update(task, completed=share)


@contextmanager
def rows_progress(title: str) -> Iterator[Callable[[int], None]]:
    """Of work whose end is not known: give it the count done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None  # the report that follows says it all
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda count: progress.update(task, completed=count)


def _plain_share(console: Console, title: str) -> Callable[[float], None]:
    """A line each quarter."""
    told = -1

    def tell(share: float) -> None:
        nonlocal told
        quarter = int(share * 4)
        if quarter > told:
            told = quarter
            console.print(f"{title}: {number_texts.percent(share)}", soft_wrap=True)

    return tell
