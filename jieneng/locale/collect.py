"""Collect all sentences for people into the catalogues, and compile these (`make locale`).

It needs Babel; running services do not. New sentences are added to every catalogue without a
translation, and their number is printed. Some tables in the code contain sentences in both
languages; then the Chinese text is taken from the table.

A language is a folder in `jieneng/locale` with a file `LC_MESSAGES/jieneng.po`. To add a language,
create this file empty, run `make locale`, and fill in the translations.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from jieneng.locale.msgid_places import Module
from jieneng.locale.sentences import Found, find

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("jieneng", "edge_agent", "ingest", "analytics", "grafana", "simulators")

_LOCALE: Final = Path(__file__).parent
_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)  # constant, so that each run gives the same files


@cache
def found() -> Found:
    """Return the sentences of modules, scenarios and packaged alert rules."""
    sentences = find(_modules())
    for path in sorted((ROOT / "simulators" / "scenarios").glob("*.toml")):
        head = tomllib.loads(path.read_text(encoding="utf-8"))["scenario"]
        sentences.places[head["about"]] = [(str(path.relative_to(ROOT)), 1)]
        sentences.chinese[head["about"]] = head["title"]
    rules = ROOT / "analytics" / "data" / "alerts.toml"
    for rule in tomllib.loads(rules.read_text(encoding="utf-8"))["rule"]:
        if "name" in rule:
            sentences.places[rule["name"]] = [(str(rules.relative_to(ROOT)), 1)]
    return sentences


def catalogue_file(language: str) -> Path:
    """Return the file of a language's texts."""
    return _LOCALE / language / "LC_MESSAGES" / "jieneng.po"


def read(language: str) -> Catalog:
    """Return the catalogue of a language, as in its file."""
    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=language)


def main() -> None:
    """Bring the catalogues up to date, and compile them."""
    for folder in sorted(_LOCALE.glob("*/LC_MESSAGES")):
        language = folder.parent.name
        texts = _updated(language)
        with catalogue_file(language).open("wb") as file:
            write_po(file, texts, omit_header=False, width=100, include_lineno=False)
        for source in folder.glob("*.po"):
            _compile(source, language)
        waiting = [message.id for message in texts if message.id and not message.string]
        sys.stdout.write(f"{language}: {len(texts)} sentences, {len(waiting)} without a text\n")


def _modules() -> Iterator[Module]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield Module(
                str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"), str(path))
            )


def _updated(language: str) -> Catalog:
    """Return the catalogue of a language with all sentences and the existing translations."""
    old = read(language)
    new = Catalog(
        locale=language,
        project="jieneng",
        version="1",
        header_comment="# Texts of jieneng. Edit the msgstr, then: make locale",
        creation_date=_DATE,
        revision_date=_DATE,
        last_translator="jieneng",
        language_team="jieneng",
        msgid_bugs_address="",
        charset="utf-8",
        fuzzy=False,
    )
    from_rows = found().chinese if language == "zh" else {}
    for text, places in sorted(found().places.items(), key=lambda item: item[1]):
        known = old.get(text)
        translation = from_rows.get(text) or (known.string if known is not None else "")
        new.add(text, translation, locations=[places[0]])
    return new


def _compile(source: Path, language: str) -> None:
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language)
    catalogue.creation_date = catalogue.revision_date = _DATE  # a .po may state none
    with source.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)


if __name__ == "__main__":
    main()
