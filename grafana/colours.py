"""Colours that colour-blind people can tell apart (Okabe and Ito, 2008), on any background.

Law: no information is given by colour alone; a word, a sign or a line style gives it, too.
"""

from collections.abc import Iterable
from itertools import cycle
from typing import Final

BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#8A8F94"
#: A lighter blue, for text on a light or a dark background.
BLUE_TEXT: Final = "#2E8FD8"

#: Grafana's colour of text, in light and dark mode.
TEXT: Final = "text"

#: Colours of the first, second, ... series. Colours next to each other differ in brightness, too.
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, GREY)


def by_series(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each series; colours are repeated after the seventh."""
    return dict(zip(names, cycle(SERIES), strict=False))
