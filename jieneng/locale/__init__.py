"""Texts for people: English msgids -> Chinese, by gettext. Logs and names stay English.

The catalogue is `zh/LC_MESSAGES/jieneng.po`; `make locale` compiles it. A test holds that every
sentence for people that the code can say has its Chinese text.
"""

import gettext
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from jieneng.metering.errors import JienengError, Problem

Translate = Callable[[str], str]


@cache
def translator(language: str) -> Translate:
    """A function from a msgid to its text in `zh` or `en`."""
    if language == "en":
        return str
    here = str(Path(__file__).parent)
    return gettext.translation("jieneng", here, [language]).gettext


def teach_click(language: str) -> None:
    """Have click, the command line's library, say its own sentences in that language."""
    gettext.bindtextdomain("click", str(Path(__file__).parent))
    gettext.textdomain("click")
    os.environ["LANGUAGE"] = language


def preferred(default: str = "zh") -> str:
    """The reader's language: what `JIENENG_LANGUAGE` says, else the default."""
    wanted = os.environ.get("JIENENG_LANGUAGE", default)
    return wanted if wanted in ("zh", "en") else default


def say(thing: Problem | JienengError, translate: Translate) -> str:
    """The sentence of a problem or an error, without its place, in the reader's language."""
    text = translate(thing.text).format_map(thing.values)
    if isinstance(thing, JienengError):
        return text
    return f"{text} {translate(thing.fix).format_map(thing.values)}"
