"""A wrong value of any key is refused in plain words, with an example that is accepted."""

import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product

import msgspec
import pytest

from analytics.figures.factors import FactorsFile
from analytics.figures.targets import PlanFile
from analytics.settings import AnalyticsSettings
from edge_agent.settings import AgentSettings
from ingest.settings import IngestSettings
from jieneng.locale import say, translator
from jieneng.metering.catalog.model_forms import MODEL_FORMS
from jieneng.metering.errors import Problem
from jieneng.metering.site import Site
from jieneng.value_forms import Form, form_of, forms_of, is_host
from jieneng.value_problems import missing_key, wrong_value
from simulators.faults import FaultsFile
from simulators.scenarios.scenario import Scenario
from simulators.settings import SimulatorSettings

FILES: tuple[type[msgspec.Struct], ...] = (
    Site,
    AgentSettings,
    IngestSettings,
    AnalyticsSettings,
    SimulatorSettings,
    FaultsFile,
    FactorsFile,
    PlanFile,
    Scenario,
    *(form.model for form in MODEL_FORMS.values()),
)
WRONG: tuple[object, ...] = (
    -(10**9),
    Decimal("-1.5"),
    True,
    "",
    "no such value!",
    [],
    [[]],
    {},
    {"no": {"such": "key"}},
)
#: Words of msgspec and of Python that mean nothing to an operator.
JARGON = re.compile(
    r"Expected|\bgot\b|`|\bNone\b|Decimal|<class|regex|\^\[|\barray\b|\bstr\b|\bint\b"
)


def structs(form: Form) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs of a form, of a list's items and of a table's values."""
    yield from form.structs
    for inner in (form.items, form.mapped):
        if inner:
            yield from structs(inner)


def tables() -> Iterator[type[msgspec.Struct]]:
    """Yield the struct of each table of each settings file."""
    waiting, seen = list(FILES), set[type[msgspec.Struct]]()
    while waiting:
        struct = waiting.pop()
        if struct not in seen:
            seen.add(struct)
            yield struct
            for form in forms_of(struct).values():
                waiting.extend(structs(form))


@pytest.fixture(params=[pytest.param(forms_of(one), id=one.__name__) for one in tables()])
def keys(request: pytest.FixtureRequest) -> Mapping[str, Form]:
    """Return the keys of a table, with their forms."""
    found: Mapping[str, Form] = request.param
    return found


def is_checked_as_a_whole(form: Form) -> bool:
    """Return True for a value that is converted at once, not item by item."""
    return not (form.structs or form.items or form.mapped)


def sentences(problem: Problem) -> tuple[str, str]:
    return say(problem, translator("en")), say(problem, translator("zh"))


def test_a_wrong_value_is_refused_in_plain_words(keys: Mapping[str, Form]) -> None:
    for (key, form), value in product(keys.items(), WRONG):
        if form.accepts(value):
            continue
        for sentence in sentences(wrong_value(value, form, ("table", 0, key))):
            assert not JARGON.search(sentence.replace(key, "")), sentence
            assert "{" not in sentence.replace("{}", "") or "= " in sentence, sentence


def test_the_example_of_a_fix_is_accepted(keys: Mapping[str, Form]) -> None:
    for key, form in keys.items():
        for problem in (
            wrong_value(object(), form, ("table", 0, key)),
            missing_key(key, form, ("table", 0)),
        ):
            if form.structs or "known" in problem.values:  # a table, or choices that are listed
                continue
            for sentence in sentences(problem):
                written = re.search(rf'("?{re.escape(key)}"? = .*)$', sentence)
                assert written, sentence
                value = tomllib.loads(written[1], parse_float=Decimal)[key]
                assert form.accepts(value), sentence


def test_both_languages_say_what_stands_there(keys: Mapping[str, Form]) -> None:
    for key, form in keys.items():
        if is_checked_as_a_whole(form) and not form.accepts("~ this ~"):
            english, chinese = sentences(wrong_value("~ this ~", form, ("table", 0, key)))
            assert f'{key} can\'t be "~ this ~".' in english
            assert '"~ this ~"' in chinese
            assert english != chinese


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (
            int,
            "1",
            'unit can\'t be "1". Write a whole number without quotes, for example: unit = 1',
        ),
        (str, 5, 'unit can\'t be 5. Write text in quotes, for example: unit = "5"'),
        (bool, 1, "Write true or false, without quotes, for example: unit = true"),
        (typing.Annotated[int, msgspec.Meta(ge=0, le=255)], 256, "from 0 to 255"),
        (typing.Annotated[float, msgspec.Meta(gt=0)], 0, "a number greater than 0"),
    ],
)
def test_a_sentence_says_key_value_and_the_right_form(
    annotation: object, value: object, says: str
) -> None:
    assert says in str(wrong_value(value, form_of(annotation), ("meter", 0, "unit")))


def test_brackets_of_tables_are_corrected() -> None:
    forms = forms_of(Site)
    single = wrong_value({"id": "e-1"}, forms["meter"], ("meter",))
    assert "Write [[meter]], in double brackets" in str(single)
    double = wrong_value([{"id": "s"}], forms["site"], ("site",))
    assert "Write [site] once, in single brackets" in str(double)


def test_a_long_value_is_cut() -> None:
    problem = wrong_value("x" * 5000, form_of(int), ("count",))
    assert len(str(problem)) < 200


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1", "::1", "fe80::1", "localhost", "gw-1.local.", "GW_1", "网关.local", "a" * 63],
)
def test_addresses_and_names_are_hosts(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not an address",
        "192.0.2.300",
        "192.0.2",
        "192.0.2.1:502",
        "http://gw",
        "-gw",
        "gw-",
        "a..b",
        "a" * 64,
        "1.2.3.4.5",
        ("a" * 60 + ".") * 5,
    ],
)
def test_what_is_neither_address_nor_name_is_no_host(text: str) -> None:
    assert not is_host(text)
