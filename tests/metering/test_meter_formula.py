"""A formula is a sum of meters with constant factors; anything else is reported with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering.errors import ConfigError
from jieneng.metering.formulas.meter_formula import FormulaError, FormulaTerm, parse_formula
from jieneng.metering.site_rules import site_warnings
from jieneng.metering.site_rules.nameplate_check import nameplate_problems
from jieneng.site_folder import load

SITE = """[site]
id = "s"
name = "s"

[[area]]
id = "house"
name = "house"
floor_area_m2 = [{from = 2020-01-01, value = 100.0}]
"""


def meter(name: str, *lines: str, medium: str = "electricity") -> str:
    head = f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "{medium}"\narea = "house"\n'
    return head + "".join(f"{line}\n" for line in lines)


METERS = meter("main") + meter("canteen", 'parent = "main"') + meter("water", medium="water")


def problems(folder: Path, *lines: str) -> list[str]:
    """Return the problems of a site with a virtual meter that has these lines."""
    (folder / "site.toml").write_text(SITE + METERS + meter("net", *lines), encoding="utf-8")
    try:
        load(folder)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("main", {"main": 1.0}),
        ("main - canteen - 0.5 * chiller", {"main": 1.0, "canteen": -1.0, "chiller": -0.5}),
        ("e-main-2 -canteen+ pump *2", {"e-main-2": 1.0, "canteen": -1.0, "pump": 2.0}),
        ("-0.25*a + a", {"a": 0.75}),
    ],
)
def test_a_formula_is_a_sum_of_meters(text: str, terms: dict[str, float]) -> None:
    assert {term.meter: term.factor for term in parse_formula(text)} == terms


@pytest.mark.parametrize(
    "text", ["", "main *", "main * canteen", "main canteen", "0.5 * (main)", "a - - b", "a / b"]
)
def test_anything_else_is_no_formula(text: str) -> None:
    with pytest.raises(FormulaError):
        parse_formula(text)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), st.integers(1, 99)))
def test_a_written_sum_is_read_back(factors: dict[str, int]) -> None:
    text = " - ".join(f"{factor} * {name}" for name, factor in factors.items())
    if factors:
        first, *rest = factors.items()
        expected = [(first[0], first[1]), *((name, -factor) for name, factor in rest)]
        assert parse_formula(text) == tuple(FormulaTerm(float(f), name) for name, f in expected)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (('formula = "main - canten"',), "canten, which is not a meter. Did you mean canteen?"),
        (('formula = "main-water"',), "Write a space before a minus"),
        (('formula = "main - water"',), "names water, which measures water"),
        (('formula = "main * canteen"',), 'can\'t be read from "* canteen" on.'),
        (('formula = "main + net"',), "form a circle: net > net"),
        (('formula = "main"', "ct = [{from = 2020-01-01, value = 2.0}]"), "the key ct"),
        (('formula = "main"', 'role = "generation"'), "can't have the key role"),
    ],
)
def test_each_mistake_of_a_formula_is_told_once(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    [problem] = problems(tmp_path, *lines)
    assert said in problem
    assert problem.startswith("site.toml:")


def test_a_circle_through_several_formulas_is_told_with_its_way(tmp_path: Path) -> None:
    other = meter("half", 'formula = "0.5 * net"')
    [problem] = problems(tmp_path, 'formula = "main - half"', other)
    assert "net > half > net" in problem


def test_a_virtual_meter_needs_no_nameplate_and_no_parent(tmp_path: Path) -> None:
    assert problems(tmp_path, 'formula = "main - canteen"') == []
    site = load(tmp_path).site
    assert not any("net" in str(problem) for problem in nameplate_problems(site))
    assert site_warnings.warnings(site) == []


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ('formula = "main"\ncounts = true', 'Write parent = "net" at main.'),
        ('formula = "cold + canteen"\nitem = "hvac"', "the same sub-item hvac"),
    ],
)
def test_consumption_that_a_formula_counts_twice_is_a_warning(
    tmp_path: Path, formula: str, said: str
) -> None:
    cold = meter("cold", 'parent = "main"', 'item = "hvac"')
    assert problems(tmp_path, formula, cold) == []
    [warning] = site_warnings.warnings(load(tmp_path).site)
    assert said in str(warning)
