"""docs/rules.md and docs/ingest.md have every key of the forms, and examples that are accepted."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from analytics.figures.factors import Factor, FactorsFile
from analytics.figures.quota_rows.annual_quota import AnnualQuota
from analytics.figures.quota_rows.quota import Quota
from analytics.figures.targets import Baseline, Cap, Plan, PlanFile, Target
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import load_rules
from analytics.tariffs.tariff import TariffsFile
from ingest.settings import IngestSettings
from jieneng import cli, config_file
from jieneng.cli.options import Reader
from jieneng.metering.errors import ConfigError
from jieneng.site_folder import read_settings
from tests.analytics.sites import HEAD

DOCS = Path(__file__).parents[2] / "docs"
RULES = (DOCS / "rules.md").read_text(encoding="utf-8")
INGEST = (DOCS / "ingest.md").read_text(encoding="utf-8")
COSTS = (DOCS / "costs.md").read_text(encoding="utf-8")
FLAGS = re.MULTILINE | re.DOTALL
SITE = """
[[area]]
id = "block"
name = "block"
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
rated_max = 100.0
"""


def tables_of(settings: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Return the forms of a settings file by the header of their table."""
    return {
        f"[{field.name}]": field.type
        for field in msgspec.structs.fields(settings)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
    }


#: Page, chapter, header of the table, and the form that it describes.
SECTIONS = [
    *(
        (RULES, "plan.toml", header, form)
        for header, form in (
            ("[[plan]]", Plan),
            ("[[target]]", Target),
            ("[[cap]]", Cap),
            ("[[baseline]]", Baseline),
        )
    ),
    (RULES, "factors.toml", "[[factor]]", Factor),
    (RULES, "quotas.toml", "[[quota]]", Quota),
    (RULES, "quotas.toml", "[[annual_quota]]", AnnualQuota),
    *(
        (COSTS, "tariffs.toml", f"[[{field.name}]]", field.type.__args__[0])
        for field in msgspec.structs.fields(TariffsFile)
    ),
    (RULES, "analytics.toml", "analytics.toml", AnalyticsSettings),
    *((RULES, "analytics.toml", *table) for table in tables_of(AnalyticsSettings).items()),
    *((INGEST, "ingest.toml", *table) for table in tables_of(IngestSettings).items()),
]
IDS = [f"{chapter} {header}" for _, chapter, header, _ in SECTIONS]


def section(text: str, chapter: str, header: str) -> str:
    """Return the part of a page below a header; `header == chapter` is the chapter's beginning."""
    if text is RULES:
        found = re.search(rf"^## {re.escape(chapter)}$.*?(?=^## |\Z)", text, FLAGS)
        assert found, f"{chapter} is not explained"
        text = found[0]
    if header == chapter:
        return text.split("\n### ")[0]
    part = re.search(rf"^##+ {re.escape(header)}$.*?(?=^##|\Z)", text, FLAGS)
    assert part, f"{header} of {chapter} is not explained"
    return part[0]


def rows(text: str, chapter: str, header: str) -> dict[str, tuple[str, str]]:
    """Return (default, example) by key, as a section's table says."""
    found = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| ([^|]+) \| [^|]+ \| [^|]+ \|$",
        section(text, chapter, header),
        re.MULTILINE,
    )
    return {key: (default.strip(), example.strip().strip("`")) for key, default, example in found}


def default(field: msgspec.structs.FieldInfo) -> str:
    """Return the default of a key as the page has to write it."""
    if field.required:
        return "required"
    if field.default is None:
        return "omitted"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{json.dumps(field.default_factory())}`"
    return f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize(("text", "chapter", "header", "form"), SECTIONS, ids=IDS)
def test_every_key_is_explained_with_its_default_and_none_that_is_not_there(
    text: str, chapter: str, header: str, form: type[msgspec.Struct]
) -> None:
    explained = {key: found for key, (found, _) in rows(text, chapter, header).items()}
    tables = {name.strip("[]") for name in tables_of(form)}
    assert explained == {
        field.encode_name: default(field)
        for field in msgspec.structs.fields(form)
        if field.name not in tables
    }


@pytest.mark.parametrize(("text", "chapter", "header", "form"), SECTIONS, ids=IDS)
def test_the_examples_of_the_keys_make_a_row_that_the_form_takes(
    text: str, chapter: str, header: str, form: type[msgspec.Struct]
) -> None:
    lines = [f"{key} = {example}" for key, (_, example) in rows(text, chapter, header).items()]
    document = config_file.parse("\n".join(lines) + "\n", chapter)
    assert config_file.decode(document, form)


def examples(text: str) -> dict[str, str]:
    """Return the complete examples of a page by the name of their file."""
    blocks = re.findall(r"^```toml\n# (\w+\.toml)\n(.*?)^```$", text, FLAGS)
    return dict(blocks)


def test_the_complete_examples_have_every_key() -> None:
    found = {**examples(RULES), **examples(INGEST), **examples(COSTS)}
    for text, chapter, header, _ in SECTIONS:
        table: Any = config_file.parse(found[chapter], chapter).data
        if header != chapter:
            table = table[header.strip("[]")]
        written = {key for row in table for key in row} if isinstance(table, list) else set(table)
        assert written >= set(rows(text, chapter, header)), (chapter, header)


def test_check_accepts_the_complete_examples(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(HEAD + SITE, encoding="utf-8")
    for name, text in {**examples(RULES), **examples(INGEST), **examples(COSTS)}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = ["check", "--site", str(tmp_path)]
    done = CliRunner().invoke(cli.jieneng, arguments, obj=Reader())
    # Certificates and passwords of the example are files of another machine.
    assert isinstance(done.exception, ConfigError), done.output
    missing = {problem.path for problem in done.exception.problems}
    assert missing <= {("broker", f"{file}_file") for file in ("password", "ca", "cert", "key")}


def test_a_row_of_the_site_replaces_the_packaged_row_of_its_id_as_a_whole(tmp_path: Path) -> None:
    """The page says so of its own example: all other packaged rows stay."""
    packaged = load_rules(tmp_path)
    for name, text in examples(RULES).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = read_settings(tmp_path / "analytics.toml", AnalyticsSettings)
    rules = load_rules(tmp_path, settings)
    before = {row.id: row for row in packaged.factors}
    after = {row.id: row for row in rules.factors}
    assert not after["coal-gas"].in_use
    assert after["coal-gas-35544"].in_use
    changed = {id_ for id_ in before if before[id_] != after[id_]}
    assert changed == {"coal-gas", "coal-gas-35544"}
    assert set(after) - set(before) == {
        "carbon-heat-our-supplier",
        "carbon-electricity-traded",
        "coal-electricity-local",
    }
    assert {cap.scope for cap in rules.caps} == {"division", "site"}
    assert [plan.id for plan in rules.plans] == ["2021-2025", "2026-2030"]
    plan = rules.plan_for(2027)
    assert plan is not None
    assert plan.base == 2025


def test_the_packaged_files_have_the_forms_that_the_page_explains() -> None:
    for name, form in (("factors.toml", FactorsFile), ("plan.toml", PlanFile)):
        assert f"analytics/data/{name}" in section(RULES, name, name)
        assert {f"[[{field.name}]]" for field in msgspec.structs.fields(form)} <= {
            header for _, chapter, header, _ in SECTIONS if chapter == name
        }


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
@pytest.mark.parametrize("page", ["rules.md", "ingest.md", "store.md", "costs.md"])
def test_the_readmes_lead_to_the_page(readme: str, page: str) -> None:
    assert f"(docs/{page})" in (DOCS.parent / readme).read_text(encoding="utf-8")
