"""docs/store.md names every series with its tags, fields and units, as the schema has them."""

import re
from pathlib import Path

import pytest

from jieneng.metering import schema
from jieneng.metering.quantities import MEDIA, QUANTITIES
from jieneng.storage import STORES
from jieneng.storage.server_kinds import INFLUX_1, INFLUX_2, INFLUX_3, OPEN_GEMINI
from jieneng.storage.store import INVALID, UNCLEAR, UNTRIED
from jieneng.storage.write_answers import REFUSAL_WORDS

TEXT = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")


def section(header: str) -> str:
    found = re.search(rf"^## {re.escape(header)}.*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"{header} is not explained"
    return found[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a section's tables, without the header lines."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_every_series_is_listed_with_its_tags_and_none_that_is_not_there() -> None:
    listed = {
        name: names(tags)
        for series, _, tags, _ in rows(section("Series"))
        for name in names(series)
    }
    assert listed == {name: set(tags) for name, tags in schema.TAGS.items()}


@pytest.mark.parametrize("measurement", sorted(schema.MEASUREMENTS - {*MEDIA, schema.INTERVAL}))
def test_every_field_is_listed_with_its_unit(measurement: str) -> None:
    fields = {
        name: unit
        for field, unit, _ in rows(section(f"Fields of `{measurement}`"))
        for name in names(field)
    }
    assert set(fields) == schema.FIELDS[measurement]
    assert all(fields.values())
    for name in schema.TEXT_FIELDS & set(fields):
        assert fields[name] == "text"


def test_every_quantity_is_listed_with_its_unit_its_kind_and_its_media() -> None:
    listed = {
        name: (unit, kind, names(media))
        for field, unit, kind, media in rows(section("Quantities"))
        for name in names(field)
    }
    assert listed == {row.name: (row.unit, row.kind, set(row.media)) for row in QUANTITIES.values()}
    for medium in MEDIA:
        assert schema.FIELDS[medium] == {
            *(name for name, (_, _, media) in listed.items() if medium in media),
            schema.QUALITY,
        }


def test_the_fields_that_no_table_of_quantities_has_are_explained() -> None:
    assert f"`{schema.QUALITY}`" in section("Fields of `electricity`, `water`, `gas`, `heat`")
    assert f"`{schema.INTERVAL_S}`" in section("Fields of `interval`")


def test_every_kind_of_store_is_listed() -> None:
    listed = {name for kind, _ in rows(section("Stores")) for name in names(kind)}
    assert listed == set(STORES)


def test_every_code_of_a_refusal_is_listed() -> None:
    listed = {name for code, _, _ in rows(section("What a refusal means")) for name in names(code)}
    known = {row.meaning for row in REFUSAL_WORDS}
    assert listed == known | {INVALID, UNCLEAR, UNTRIED}


def test_every_server_is_listed_with_its_limits() -> None:
    text = section("What each server can and can't do")
    assert all(kind.name in text for kind in (INFLUX_1, INFLUX_2, INFLUX_3, OPEN_GEMINI))
