"""docs/alerts.md explains each key of `alerts.toml`, each signal and each packaged rule."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from analytics.alerts.alert_files import examine_alerts, packaged_alert_rules
from analytics.alerts.alert_rule import (
    AlertRule,
    AlertsFile,
    Grouping,
    Maintenance,
    Receiver,
    Route,
)
from analytics.calendar.working_hours import Hours
from jieneng import config_file
from jieneng.metering.alert_signals import SIGNALS
from jieneng.site_folder import SiteFolder

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
FLAGS = re.MULTILINE | re.DOTALL
#: Form of each table, by its header.
FORMS: dict[str, type[msgspec.Struct]] = {
    "[[rule]]": AlertRule,
    "[[receiver]]": Receiver,
    "[[route]]": Route,
    "[hours]": Hours,
    "[[maintenance]]": Maintenance,
    "[grouping]": Grouping,
}


def section(header: str, level: int) -> str:
    """Return the part of the page below a header, up to the next one of its level or above."""
    pattern = rf"^{'#' * level} {re.escape(header)}$.*?(?=^#{{1,{level}}} |\Z)"
    found = re.search(pattern, PAGE, FLAGS)
    assert found, f"{header} is not explained"
    return found[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its header."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def default(field: msgspec.structs.FieldInfo) -> str:
    """Return the default of a key as the page has to write it."""
    if field.required:
        return "required"
    return "omitted" if field.default is None else f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize("header", FORMS)
def test_each_key_is_explained_with_its_default_and_none_that_is_not_there(header: str) -> None:
    explained = {row[0].strip("`"): row[1] for row in rows(section(header, 2).split("\n### ")[0])}
    fields = msgspec.structs.fields(FORMS[header])
    assert explained == {field.encode_name: default(field) for field in fields}


@pytest.mark.parametrize("header", FORMS)
def test_the_examples_of_the_keys_make_a_table_that_the_form_takes(header: str) -> None:
    keys = rows(section(header, 2).split("\n### ")[0])
    lines = [f"{row[0].strip('`')} = {row[3].strip('`')}" for row in keys]
    document = config_file.parse("\n".join(lines) + "\n", "alerts.toml")
    assert config_file.decode(document, FORMS[header])


def complete_example() -> str:
    """Return the complete example of the page."""
    (found,) = re.findall(r"^```toml\n# alerts\.toml\n(.*?)^```$", PAGE, FLAGS)
    return str(found)


def test_the_complete_example_has_each_key() -> None:
    data = config_file.parse(complete_example(), "alerts.toml").data
    for header, form in FORMS.items():
        tables = data[header.strip("[]")]
        written = {key for row in tables for key in row} if isinstance(tables, list) else {*tables}
        assert written == {field.encode_name for field in msgspec.structs.fields(form)}


def test_the_complete_example_is_accepted_without_a_warning(
    tmp_path: Path, example: SiteFolder
) -> None:
    (tmp_path / "alerts.toml").write_text(complete_example(), encoding="utf-8")
    found = examine_alerts(tmp_path, example.site, models=example.models)
    assert not found.problems
    assert not found.warnings


def test_the_page_explains_each_table_of_the_file() -> None:
    tables = {field.name for field in msgspec.structs.fields(AlertsFile)}
    assert {header.strip("[]") for header in FORMS} == tables


def test_the_page_lists_each_signal_with_its_subject_and_name() -> None:
    listed = {row[0].strip("`"): (row[1], row[3]) for row in rows(section("Signals / 信号", 2))}
    assert listed == {row.name: (row.subject, row.zh) for row in SIGNALS.values()}


def test_the_page_lists_each_packaged_rule_with_its_limit() -> None:
    listed = [row[:5] for row in rows(section("Packaged rules / 自带规则", 2))]
    assert listed == [
        [
            f"`{rule.id}`" + ("" if rule.enabled else "（停用 off）"),
            f"`{rule.signal}`" + (f" `{rule.quantity}`" if rule.quantity else ""),
            f"{'above' if rule.is_above else 'below'} {rule.limit:g}",
            f"{rule.for_s:g} s",
            rule.severity,
        ]
        for rule in packaged_alert_rules().values()
    ]


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_runbook_says_what_to_do_in_both_languages(signal: str) -> None:
    """The anchor of a section is the name of its signal: notices lead there."""
    english, chinese = section(signal, 3).split("**处置步骤**")
    steps = [re.findall(r"^(\d+)\. ", text, re.MULTILINE) for text in (english, chinese)]
    assert len(steps[0]) >= 3
    assert steps[0] == steps[1] == [str(number + 1) for number in range(len(steps[0]))]


def test_links_within_the_page_lead_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert linked
    assert linked <= anchors


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_lead_to_the_page(readme: str) -> None:
    assert "(docs/alerts.md)" in (ROOT / readme).read_text(encoding="utf-8")
