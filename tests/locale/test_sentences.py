"""Every msgid is found by its annotation, and a sentence that can't be traced is listed."""

import ast
from textwrap import dedent

import pytest

from jieneng.locale.msgid_places import Module
from jieneng.locale.sentences import Found, find

ERRORS = """
class Root(Exception):
    def __init__(self, text: Msgid, /, **values: object) -> None: ...

class Child(Root): ...

class Coded(Root):
    def __init__(self, code: int) -> None:
        super().__init__("refused with {code}", code=code)

class Problem(Struct):
    text: Msgid
    fix: Msgid
    file: str = ""
"""


def found_in(source: str) -> Found:
    """Return what is found in a module that uses the errors above."""
    return find(
        [Module("errors.py", ast.parse(ERRORS)), Module("room.py", ast.parse(dedent(source)))]
    )


@pytest.mark.parametrize(
    "source",
    [
        'raise Root("it is broken", file="a.toml")',
        'raise errors.Child("it is broken")',
        'Problem(text="it is broken", fix="it is broken", file="a b")',
        'Problem("it is broken", "it is broken", "a b")',
        'raise Root("it is broken" if worn else "it is broken")',
        'def f(translate: Translate) -> str:\n    return translate("it is broken")',
        'tr: Final[Translate] = translator("en")\ntr("it is broken")',
        'class A:\n    _say: Translate\n    def f(self): return self._say("it is broken")',
        'def refuse(key: str, text: Msgid): ...\nrefuse("a key", "it is broken")',
        'class A:\n    def refuse(self, text: Msgid): ...\nrow.refuse("it is broken")',
        'async def serve(port: int, refusal: Msgid): ...\nserve(1, refusal="it is broken")',
        'def f(text: Msgid = "it is broken"): ...',
        'def f() -> Msgid:\n    return "it is broken"',
        'FIXES: Mapping[str, Msgid] = {"a key": "it is broken"}',
        'Meta(pattern="a b", description="it is broken")',
        'text: Msgid = "it is broken"\nraise Root(text)',
        'class Late(ReplyFault):\n    """it is broken"""',
    ],
)
def test_a_msgid_is_found_by_its_annotation(source: str) -> None:
    found = found_in(source)
    assert {*found.places} - {"refused with {code}"} == {"it is broken"}
    assert not found.untraced


@pytest.mark.parametrize(
    "source",
    [
        'text = "it is broken"\nraise Root(text)',
        "raise Root(str(error))",
        'raise Root(f"{file} is broken")',
        "def f(text: str) -> Problem:\n    return Problem(text=text, fix=None)",
        "def f(text: Msgid): ...\ndef g(text: str):\n    raise Root(text)",
        'def f() -> Msgid:\n    return " ".join(parts)',
    ],
)
def test_a_value_that_cannot_be_traced_is_listed(source: str) -> None:
    assert [one.split(":")[0] for one in found_in(source).untraced] == ["room.py"]


def test_what_is_handed_on_is_traced_to_where_it_comes_from() -> None:
    found = found_in(
        """
        class BadCell(Exception):
            def __init__(self, text: Msgid) -> None:
                self.text: Msgid = text

        def report(line: int, text: Msgid) -> None:
            on_problem(Problem(text=text, fix="Correct it."))

        report(7, error.text)
        report(7, cast(Msgid, row["about"]))
        raise BadCell("no number")
        """
    )
    assert {*found.places} == {"refused with {code}", "Correct it.", "no number"}
    assert not found.untraced


def test_private_makers_of_two_modules_do_not_meet() -> None:
    one = 'def _refuse(text: Msgid, key: str): ...\n_refuse("it is broken", "a key")'
    other = 'def _refuse(key: str, text: Msgid): ...\n_refuse("another key", "it is worn")'
    found = find([Module("one.py", ast.parse(one)), Module("other.py", ast.parse(other))])
    assert {*found.places} == {"it is broken", "it is worn"}


def test_a_constructor_without_a_sentence_takes_none() -> None:
    assert not found_in("raise Coded(data[-1])").untraced


def test_a_row_with_both_languages_gives_its_chinese() -> None:
    found = found_in(
        """
        class Kind(Struct):
            en: Msgid
            zh: str

        Kind(en="worn", zh="磨损")
        """
    )
    assert found.places["worn"] == [("room.py", 6)]
    assert found.chinese == {"worn": "磨损"}
