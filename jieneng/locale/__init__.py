"""Translate texts for people from English (msgids) to the reader's language. Logs stay English.

A language is a folder beside this module with a compiled catalogue in `LC_MESSAGES`. To add a
language, add such a folder; no code changes. `make locale` compiles the catalogues. A test checks
that every sentence for people in the code has a Chinese text.
"""

import gettext
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from jieneng.metering.errors import JienengError, Msgid, Problem, UsageError

Translate = Callable[[Msgid], str]

#: Language of the msgids; it has no catalogue.
SOURCE_LANGUAGE: Final = "en"
DEFAULT_LANGUAGE: Final = "zh"
#: Environment variable that selects the language.
VARIABLE: Final = "JIENENG_LANGUAGE"

_FOLDER: Final = Path(__file__).parent


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have texts, in the order of their codes."""
    translated = (file.parts[-3] for file in _FOLDER.glob("*/LC_MESSAGES/jieneng.mo"))
    return tuple(sorted({SOURCE_LANGUAGE, *translated}))


@cache
def translator(language: str) -> Translate:
    """Return the function from a msgid to its text in one of the `languages()`."""
    if language == SOURCE_LANGUAGE:
        return str
    return gettext.translation("jieneng", _FOLDER, [language]).gettext


def teach_click(language: str) -> None:
    """Translate the sentences of click, the library of the command line."""
    gettext.bindtextdomain("click", str(_FOLDER))
    gettext.textdomain("click")
    os.environ["LANGUAGE"] = language


def known_language(tag: str) -> str | None:
    """Return the language of a tag such as `en`, `zh-CN` or `zh_CN.UTF-8`; None if unknown."""
    language = tag.replace("_", "-").split("-")[0].lower()
    return language if language in languages() else None


def preferred(default: str = DEFAULT_LANGUAGE) -> str:
    """Return the language that `JIENENG_LANGUAGE` names; the default if it has no texts."""
    return known_language(os.environ.get(VARIABLE, default)) or default


def check_language() -> None:
    """Check that there are texts in the language that `JIENENG_LANGUAGE` names.

    Raises:
        UsageError: there are none.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted and known_language(wanted) is None:
        raise UsageError(
            "{variable}={language}: there are no texts in this language. Use one of: {known}.",
            variable=VARIABLE,
            language=wanted,
            known=", ".join(languages()),
        )


def say(thing: Problem | JienengError, translate: Translate) -> str:
    """Return the translated sentence of a problem or an error, without file and line."""
    text = translate(thing.text).format_map(thing.values)
    if isinstance(thing, JienengError):
        return text
    fix = translate(thing.fix).format_map(thing.values)
    return translate("{problem} {fix}").format(problem=text, fix=fix)
