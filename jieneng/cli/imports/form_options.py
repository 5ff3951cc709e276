"""Options that state the form of a file, for all commands that import a file.

Law: if a question about a file names an option, such as `--decimal`, every command that imports
files has this option.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from jieneng.cli.options import tr
from jieneng.metering.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _delimiter(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    delimiter = "\t" if text.casefold() in {"tab", "\\t"} else text
    if len(delimiter) != 1:
        raise UsageError(
            "--delimiter {text} is not a single character: write one character such as ;, or"
            " the word tab.",
            text=text,
        )
    return delimiter


_OPTIONS: Final = (
    click.option(
        "--sheet",
        "sheets",
        multiple=True,
        help=tr(
            "Sheet of an XLSX file; may be given more than once. If omitted, all sheets with"
            " the same columns are read."
        ),
    ),
    click.option("--header-line", type=click.IntRange(min=1), help=tr("Line of the header.")),
    click.option("--encoding", help=tr("Encoding of a text file: utf-8, gb18030, utf-16.")),
    click.option(
        "--delimiter",
        callback=_delimiter,
        help=tr("Character between the cells of a text file; write tab for a tab."),
    ),
    click.option(
        "--decimal", type=click.Choice([".", ","]), help=tr("Decimal sign of all columns.")
    ),
    click.option(
        "--epoch",
        type=click.Choice(["s", "ms"]),
        help=tr("Unit of times that are numbers since 1970."),
    ),
    click.option(
        "--missing",
        multiple=True,
        metavar=tr("TEXT"),
        help=tr("Text of a cell that means a missing value; may be given more than once."),
    ),
)

#: Order of the dates of records, such as bills.
date_order_option = click.option(
    "--date-order",
    type=click.Choice(["ymd", "mdy", "dmy"]),
    help=tr("Order of year, month and day in dates such as 05/01/2024."),
)


def form_options(command: _Command) -> _Command:
    """Add the options to a command; they have the names of the fields of ImportOptions."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
