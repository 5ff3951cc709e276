"""Decoding of TOML to structs: all errors are reported at once, with file, line and key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from jieneng import config_file
from jieneng.metering.errors import ConfigError, Problem
from jieneng.metering.site import Site


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    size_mm: float
    kind: Literal["office", "canteen"] = "office"


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    inner: tuple[Inner, ...] = ()
    only: Inner | None = None
    count: int | None = None
    factors: Mapping[Literal["gas", "heat"], float] = {}


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        config_file.decode(config_file.parse(text, "a.toml"), Outer)
    return list(caught.value.problems)


def test_what_is_right_becomes_the_struct() -> None:
    text = 'name = "x"\n[[inner]]\nsize_mm = 1\n[only]\nsize_mm = 2.5\nkind = "canteen"\n'
    outer = config_file.decode(config_file.parse(text, "a.toml"), Outer)
    assert outer == Outer(
        name="x", inner=(Inner(size_mm=1.0),), only=Inner(size_mm=2.5, kind="canteen")
    )


def test_a_misspelt_key_of_a_table_with_listed_keys_is_told() -> None:
    """Otherwise the default would silently replace the value of the misspelt key."""
    text = 'name = "x"\nfactors = {heat = 1.5, gsa = 0.5}\n'
    assert [str(one) for one in problems(text)] == ["a.toml:2: unknown key gsa. Did you mean gas?"]
    right = config_file.decode(config_file.parse(text.replace("gsa", "gas"), "a.toml"), Outer)
    assert right.factors == {"heat": 1.5, "gas": 0.5}


def test_a_misspelt_key_is_told_with_its_line_and_the_right_spelling() -> None:
    [problem, missing] = problems('name = "x"\n\n[[inner]]\nsize_mn = 1\n')
    assert (problem.where(), problem.path) == ("a.toml:4", ("inner", 0, "size_mn"))
    assert str(problem) == "a.toml:4: unknown key size_mn. Did you mean size_mm?"
    assert (
        str(missing) == "a.toml:3: size_mm is missing. Add the key here, for example: size_mm = 1"
    )


def test_all_problems_are_told_at_once() -> None:
    text = 'nam = "x"\ncount = "three"\n[[inner]]\nsize_mm = 1\nkind = "ofice"\n[[inner]]\n'
    assert [(one.line, one.path) for one in problems(text)] == [
        (1, ("nam",)),
        (None, ("name",)),
        (5, ("inner", 0, "kind")),
        (6, ("inner", 1)),
        (2, ("count",)),
    ]


def test_the_line_of_a_value_in_an_inline_table_is_that_of_its_key() -> None:
    text = (
        '[site]\nid = "a"\nname = "a"\n[[area]]\nid = "b"\nname = "b"\nheadcount = [\n'
        "  {from = 2020-01-01, valu = 3},\n]\n"
    )
    with pytest.raises(ConfigError) as caught:
        config_file.decode(config_file.parse(text, "site.toml"), Site)
    assert {one.line for one in caught.value.problems} == {7}


class Cat(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dog"):
    bone: str


class Pets(msgspec.Struct, frozen=True, kw_only=True):
    pet: tuple[Cat | Dog, ...] = ()


def test_a_tables_kind_decides_which_keys_it_has() -> None:
    text = '[[pet]]\nkind = "cat"\n[[pet]]\nkind = "dog"\nbone = "big"\n'
    assert config_file.decode(config_file.parse(text, "a.toml"), Pets).pet == (
        Cat(),
        Dog(bone="big"),
    )


def test_a_wrong_or_missing_kind_and_a_key_of_another_kind_are_told_with_their_lines() -> None:
    text = '[[pet]]\nkind = "dgo"\n[[pet]]\nbone = "x"\n[[pet]]\nkind = "cat"\nbone = "x"\n'
    with pytest.raises(ConfigError) as caught:
        config_file.decode(config_file.parse(text, "a.toml"), Pets)
    assert [str(problem) for problem in caught.value.problems] == [
        'a.toml:2: kind can\'t be "dgo". Did you mean "dog"?',
        'a.toml:3: kind is missing. Add the key here, for example: kind = "cat"',
        "a.toml:7: unknown key bone. Remove it; known here are: lives.",
    ]


def test_brackets_and_keys_inside_a_long_text_are_no_keys() -> None:
    text = 'name = """\n[[inner]]\nsize_mm = 1\n"""\ncount = 1.5\n'
    assert [one.line for one in problems(text)] == [5]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Older editors of Windows write one."""
    (tmp_path / "a.toml").write_text('name = "x"\n', encoding="utf-8-sig")
    assert config_file.decode(config_file.read(tmp_path / "a.toml"), Outer).name == "x"


def test_what_is_not_toml_is_told_with_its_line() -> None:
    [problem] = problems('name = "x"\ncount = = 3\n')
    assert problem.where() == "a.toml:2"


@pytest.mark.parametrize(
    "text",
    [
        "name = " + 5000 * "[" + 5000 * "]",
        "name = " + 5000 * "{a=" + "1" + 5000 * "}",
        "name = " + 100 * "[" + 100 * "]",
        "name." + ".".join(3000 * "a") + " = 1",
        "[" + ".".join(3000 * "a") + "]",
    ],
    ids=["lists", "tables", "a hundred lists", "dotted key", "dotted header"],
)
def test_what_is_nested_without_end_is_told(text: str) -> None:
    """Parser, decoder and printing would all recurse without end."""
    [problem] = problems(text)
    assert str(problem) == (
        "a.toml: its tables and lists are nested more than 20 levels deep."
        " No valid file has so many levels: look for superfluous brackets or dots."
    )


def test_a_number_of_thousands_of_digits_is_told() -> None:
    [problem] = problems(f"count = 1{4400 * '0'}")
    assert str(problem).startswith("a.toml: this is not TOML: Exceeds the limit")


def test_the_lines_of_texts_with_many_dots_are_read_at_once() -> None:
    """Such lines look like the beginning of a key, and took twice as long with each dot."""
    text = 'name = """\n"""\ninner = [\n"' + ".".join(50 * "a") + '",\n]\ncount = 1.5\n'
    assert [one.line for one in problems(text)] == [3, 6]


@pytest.mark.parametrize("value", ["nan", "inf", "-1.0", "0", "1e400"])
def test_a_rated_maximum_that_is_no_positive_number_is_refused(value: str) -> None:
    text = (
        '[site]\nid = "a"\nname = "a"\n[[meter]]\nid = "m"\nname = "m"\nmedium = "water"\n'
        f'area = "b"\nrated_max = {value}\n'
    )
    with pytest.raises(ConfigError) as caught:
        config_file.decode(config_file.parse(text, "site.toml"), Site)
    assert [one.line for one in caught.value.problems] == [9]


def test_a_file_that_is_not_there_or_not_utf8_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        config_file.read(tmp_path / "no.toml")
    (tmp_path / "gbk.toml").write_bytes('name = "节能"'.encode("gbk"))
    with pytest.raises(ConfigError, match="UTF-8"):
        config_file.read(tmp_path / "gbk.toml")


def test_a_draft_says_what_could_not_be_read() -> None:
    """Rules that need it are not applied; others are."""
    text = 'name = "x"\ncount = "three"\n[[inner]]\nsize_mn = 1\n[[inner]]\nsize_mm = 2\n'
    draft = config_file.decode_draft(config_file.parse(text, "a.toml"), Outer)
    assert draft.settings.name == "x"
    assert draft.settings.count is None
    assert [row.size_mm for row in draft.settings.inner] == [msgspec.UNSET, 2.0]
    assert draft.unread.paths == {("count",), ("inner", 0, "size_mm")}
    assert len(draft.problems) == 3


def test_a_row_that_is_no_table_keeps_its_number() -> None:
    text = 'name = "x"\ninner = [5, {size_mm = 2}]\n'
    draft = config_file.decode_draft(config_file.parse(text, "a.toml"), Outer)
    assert [row.size_mm for row in draft.settings.inner] == [msgspec.UNSET, 2.0]
    assert draft.unread.covers_row("inner", 0, "size_mm")
    assert not draft.unread.covers_row("inner", 1, "size_mm")


def test_the_key_that_a_misspelt_one_was_meant_to_be_is_unread() -> None:
    """The meant key has its default, which nobody wrote."""
    text = 'name = "x"\n[only]\nsize_mm = 1\nknd = "canteen"\n[[iner]]\nsize_mm = 1\n'
    draft = config_file.decode_draft(config_file.parse(text, "a.toml"), Outer)
    assert draft.unread.paths == {("only", "kind"), ("inner",)}
