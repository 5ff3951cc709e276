"""Statements use only InfluxQL that InfluxDB 1.x, 2.x, 3 Core and openGemini support."""

import inspect
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.storage import influxql

START, END = 1_795_000_000_000, 1_795_000_900_000

#: Statements of the store, with names and values put in by `make`.
STATEMENTS: dict[str, Callable[[str], str]] = {
    "create_database": influxql.create_database,
    "show_retention": influxql.show_retention,
    "select": lambda text: influxql.select(text, (text, text), {text: (text, text)}, START, END),
    "count": lambda text: influxql.count(text, text, {text: text}, START, END, 60_000),
    "first_point": lambda text: influxql.first_point(text, {text: text}, "ASC"),
    "first_points": lambda text: influxql.first_points(text, {text: text}, "DESC", text),
    "delete": lambda text: influxql.delete(text, {text: text}, START, END),
}

#: Identifiers and strings; the rest are words of the language.
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)

#: Words that a server does not support, or answers wrongly, with the server.
NOT_PORTABLE = {
    r"\bS(?:LIMIT|OFFSET)\b": "3 Core has none",
    r"\bINTO\b": "3 Core has none, and one writer a measurement is a law",
    r"(?i)\bCOUNT\b(?!.* time < .* GROUP BY .*\btime\()": (
        "openGemini counts a rewritten point twice if it is not bounded and grouped"
    ),
    r"X\s*\.": "3 Core takes no database or policy before a measurement: they are parameters",
    r"=~|!~|/": "no regular expression is needed, and openGemini reads some of them otherwise",
    r";": "3 Core takes one statement a request",
    r"\bDROP\b": "nothing is dropped by a program",
}

#: Statements that not every server knows: `server_kinds` says which one does.
NOT_EVERYWHERE = {"create_database": "CREATE DATABASE", "delete": "DELETE"}


def words(statement: str) -> str:
    """The statement with X for each quoted name or value."""
    return QUOTED.sub("X", statement)


def test_every_statement_is_listed_here() -> None:
    """Functions that return text and are public; quoting is no statement."""
    made = {
        name
        for name, function in inspect.getmembers(influxql, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == influxql.__name__
        and inspect.signature(function).return_annotation in (str, "str")
    }
    assert made - {"identifier", "quoted"} == set(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
@given(text=st.text(min_size=1))
def test_no_statement_uses_what_a_server_does_not_know(name: str, text: str) -> None:
    said = words(STATEMENTS[name](text))
    assert not [why for pattern, why in NOT_PORTABLE.items() if re.search(pattern, said)]
    for other, beginning in NOT_EVERYWHERE.items():
        assert said.startswith(beginning) == (name == other)


@pytest.mark.parametrize("name", ["select", "count", "first_point", "first_points", "delete"])
@given(text=st.text(min_size=1))
def test_every_question_about_points_is_bounded_on_both_sides(name: str, text: str) -> None:
    said = words(STATEMENTS[name](text))
    assert re.search(
        r" FROM X WHERE (?:X = X AND |\(X = X OR X = X\) AND )?time >= -?\d+ms AND time < \d+ms",
        said,
    )
