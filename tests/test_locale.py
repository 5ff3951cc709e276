"""Every sentence that the code can say to people has its Chinese text."""

import gettext
import re

import pytest

from jieneng.locale import collect, known_language, languages, preferred, translator

#: One search of the source in a worker is enough for all of them.
pytestmark = pytest.mark.xdist_group("sentences")

_PLACEHOLDER = re.compile(r"\{(\w*)[^}]*\}")


def texts() -> dict[str, str]:
    return {
        message.id: message.string
        for message in collect.read("zh")
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id
    }


def test_every_sentence_has_its_chinese_text() -> None:
    known = texts()
    silent = [text for text in collect.found().places if not known.get(text)]
    assert not silent, f"run make locale, then fill the msgstr of: {silent}"


def test_no_sentence_is_hidden_from_the_catalogue() -> None:
    """A value that the search can't trace would be English to a Chinese reader."""
    assert not collect.found().untraced, "annotate these with Msgid, or write the sentence there"


def test_the_chinese_text_has_the_same_placeholders() -> None:
    for english, chinese in texts().items():
        assert set(_PLACEHOLDER.findall(english)) == set(_PLACEHOLDER.findall(chinese)), english


def test_what_is_a_comment_stays_one() -> None:
    """It is in TOML that people paste."""
    for english, chinese in texts().items():
        assert english.startswith("#") == chinese.startswith("#"), english


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    with collect.catalogue_file("zh").with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    differing = [
        english for english, chinese in texts().items() if compiled.gettext(english) != chinese
    ]
    assert not differing, "run make locale"


def test_english_is_the_sentence_itself() -> None:
    assert translator("en")("Did you mean {close}?") == "Did you mean {close}?"
    assert translator("zh")("Did you mean {close}?") != "Did you mean {close}?"


@pytest.mark.parametrize("tag", ["zh", "zh-CN", "zh_CN.UTF-8", "ZH"])
def test_a_language_is_known_by_its_tag(tag: str) -> None:
    assert known_language(tag) == "zh"
    assert known_language("tlh") is None
    assert languages() == ("en", "zh")


def test_an_unknown_language_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIENENG_LANGUAGE", "tlh")
    assert preferred() == "zh"
    monkeypatch.setenv("JIENENG_LANGUAGE", "en")
    assert preferred() == "en"
