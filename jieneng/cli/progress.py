"""Show the progress of long work on stderr: a bar on a terminal, plain lines elsewhere."""

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
    """Return a progress display without tasks, with share and elapsed time."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def share_progress(title: str) -> Iterator[Callable[[float], None]]:
    """Yield a function to call with the finished share of the work, 0 to 1."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_share(console, title)
        return
    with bars(console) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda share: progress.update(task, completed=share)


@contextmanager
def rows_progress(title: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the count done, for work of unknown length."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None  # the final report contains the counts
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
    """Return a function that prints a line at each quarter of the work."""
    printed = -1

    def print_quarter(share: float) -> None:
        nonlocal printed
        quarter = int(share * 4)
        if quarter > printed:
            printed = quarter
            console.print(f"{title}: {number_texts.whole_percent(share)}", soft_wrap=True)

    return print_quarter
