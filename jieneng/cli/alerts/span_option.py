"""Parse a length of time that is given as an option: `90s`, `30m`, `4h`, `2d`."""

import re
from typing import Final

import click

from jieneng.cli.options import tr

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])\Z")


def seconds(text: str) -> float:
    """Return the seconds of a text such as `4h`; a callback for click.

    Raises:
        click.BadParameter: the text is no length of time.
    """
    found = _FORM.match(text.strip().lower())
    if found is None or not float(found[1]):
        raise click.BadParameter(
            tr("{value} is no length of time: write for example 30m, 4h or 2d.").format(value=text)
        )
    return float(found[1]) * _UNITS_S[found[2]]
