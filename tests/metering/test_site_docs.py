"""docs/site.md explains every key of site.toml with its default, and its examples are right."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from jieneng import config_file
from jieneng.metering import site_check
from jieneng.metering.site import (
    Area,
    Bus,
    ConfirmedFinding,
    Institution,
    Meter,
    Replacement,
    Site,
    SiteInfo,
)
from jieneng.metering.site_rules import site_warnings
from jieneng.site_folder import packaged_models

TEXT = (Path(__file__).parents[2] / "docs" / "site.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "## [site]": SiteInfo,
    "## [[institution]]": Institution,
    "## [[area]]": Area,
    "## [[bus]]": Bus,
    "## [[meter]]": Meter,
    "A row of `replaced`": Replacement,
    "## [[confirmed]]": ConfirmedFinding,
}


def default(field: msgspec.structs.FieldInfo) -> str:
    """Return the default of a key as the page has to write it."""
    if field.required:
        return "required"
    if field.default is None:
        return "omitted"
    value = {} if field.default is msgspec.NODEFAULT else field.default  # a dict has a factory
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize("start", SECTIONS)
def test_every_key_is_explained_with_its_default_and_none_that_is_not_there(start: str) -> None:
    section = re.search(
        rf"^{re.escape(start)}.*?(?=^## |^A row of |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
    assert section
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", section[0], re.MULTILINE)
    explained = {key: found.strip() for key, found in rows}
    fields = msgspec.structs.fields(SECTIONS[start])
    assert explained == {field.encode_name: default(field) for field in fields}


def test_the_examples_are_a_site_without_mistakes() -> None:
    text = "\n".join(example for example in EXAMPLES if example.startswith("["))
    site = config_file.decode(config_file.parse(text, "site.toml"), Site)
    assert (len(site.area), len(site.bus), len(site.meter)) == (2, 2, 6)
    assert site_check.check(site, packaged_models()) == []
    assert site_warnings.warnings(site) == []
