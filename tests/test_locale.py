"""Every sentence that the code can say to people has its Chinese text."""

import gettext
import re

import pytest

from jieneng.locale import collect, preferred, translator

_PLACEHOLDER = re.compile(r"\{(\w*)[^}]*\}")


def texts() -> dict[str, str]:
    return {
        message.id: message.string
        for message in collect.read()
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id
    }


def test_every_sentence_has_its_chinese_text() -> None:
    known = texts()
    silent = [text for text in collect.sentences() if not known.get(text)]
    assert not silent, f"run make locale, then fill the msgstr of: {silent}"


def test_the_chinese_text_has_the_same_placeholders() -> None:
    for english, chinese in texts().items():
        assert set(_PLACEHOLDER.findall(english)) == set(_PLACEHOLDER.findall(chinese)), english


def test_what_is_a_comment_stays_one() -> None:
    """It stands in TOML that people paste."""
    for english, chinese in texts().items():
        assert english.startswith("#") == chinese.startswith("#"), english


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    with collect.CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    differing = [
        english for english, chinese in texts().items() if compiled.gettext(english) != chinese
    ]
    assert not differing, "run make locale"


def test_english_is_the_sentence_itself() -> None:
    assert translator("en")("Did you mean {close}?") == "Did you mean {close}?"
    assert translator("zh")("Did you mean {close}?") != "Did you mean {close}?"


def test_an_unknown_language_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIENENG_LANGUAGE", "tlh")
    assert preferred() == "zh"
    monkeypatch.setenv("JIENENG_LANGUAGE", "en")
    assert preferred() == "en"
