"""`make locale`: collects what the code can say to people, and compiles the Chinese of it.

Needs Babel, which a running service does not. Sentences are found in the syntax tree: what is
handed to `translate` or `tr`, the `text` and `fix` of a `Problem`, the text of an error, and what
local makers of these are given. New ones are added to the catalogue without a translation, and
the command says how many wait for one.

A table's row that says its sentence in both languages (a call with the keywords `en=` and `zh=`,
or `definition_en=` and `definition_zh=`) is the only place of both: its Chinese goes into the
catalogue as it stands there.
"""

import ast
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from jieneng.metering import errors

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("jieneng", "edge_agent", "ingest", "analytics", "grafana", "simulators")
CATALOGUE: Final = Path(__file__).parent / "zh" / "LC_MESSAGES" / "jieneng.po"

_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TRANSLATORS: Final = {"tr", "translate"}
#: Functions that make a Problem or an error from sentences.
_MAKERS: Final = {
    "refuse",
    "_refuse",
    "problem",
    "_problem",
    "_unknown",
    "_bad",
    "BadCell",
    "_NotFound",
    "serving_http",
    "__init__",
}
_ERRORS: Final = {
    name
    for name, one in vars(errors).items()
    if isinstance(one, type) and issubclass(one, errors.JienengError)
}


#: What the keywords of a row that says a sentence in both languages begin with.
_BILINGUAL: Final = ("", "definition_")


def sentences() -> dict[str, list[tuple[str, int]]]:
    """Each msgid, and where it stands: (file, line)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for place, tree in _modules():
        rows = [(english, line) for english, _, line in bilingual(tree)]
        for text, line in (*_in(tree), *rows):
            found.setdefault(text, []).append((place, line))
    return found


def row_translations() -> dict[str, str]:
    """The Chinese of every sentence that a row says in both languages, by msgid."""
    return {english: chinese for _, tree in _modules() for english, chinese, _ in bilingual(tree)}


def bilingual(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Yield English, Chinese and line of each row that says a sentence in both languages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {word.arg: word.value for word in node.keywords}
            for start in _BILINGUAL:
                english, chinese = given.get(f"{start}en"), given.get(f"{start}zh")
                if (
                    isinstance(english, ast.Constant)
                    and isinstance(chinese, ast.Constant)
                    and isinstance(english.value, str)
                    and isinstance(chinese.value, str)
                ):
                    yield english.value, chinese.value, node.lineno


def _modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the packages: its path below the root, and its syntax tree."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _is_fault(node: ast.ClassDef) -> bool:
    """Return True for a kind of simulated fault: `simulate fault kinds` shows its first line."""
    bases = [ast.unparse(base) for base in node.bases]
    return not node.name.endswith("Fault") and any(base.endswith("Fault") for base in bases)


def _in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _is_fault(node):
            yield (ast.get_docstring(node) or "").split("\n")[0], node.lineno
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        spoken: list[ast.expr] = []
        if name in _TRANSLATORS:
            spoken += node.args[:1]
        elif name in _MAKERS or name in _ERRORS:
            spoken += node.args
        says = ("text", "fix", "description") if name == "Meta" else ("text", "fix")
        spoken += [word.value for word in node.keywords if word.arg in says]
        for argument in spoken:
            for text in _texts(argument):
                if name in _TRANSLATORS or " " in text:
                    yield text, node.lineno


def _texts(node: ast.expr) -> Iterator[str]:
    """A constant, or both sides of `a if condition else b`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def read() -> Catalog:
    """The catalogue as it stands."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh")


def main() -> None:
    """Bring the catalogue up to date, and compile it."""
    old = read()
    # A date of now would make every run another file.
    new = Catalog(
        locale="zh",
        project="jieneng",
        version="1",
        header_comment="# Chinese texts of jieneng. Edit the msgstr, then: make locale",
        creation_date=_DATE,
        revision_date=_DATE,
        last_translator="jieneng",
        language_team="jieneng",
        msgid_bugs_address="",
        charset="utf-8",
        fuzzy=False,
    )
    rows = row_translations()
    for text, places in sorted(sentences().items(), key=lambda item: item[1]):
        known = old.get(text)
        chinese = rows.get(text) or (known.string if known is not None else "")
        new.add(text, chinese, locations=[places[0]])
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.open("wb") as file:
        write_po(file, new, omit_header=False, width=100, include_lineno=False)
    for source in CATALOGUE.parent.glob("*.po"):
        with source.open("rb") as file:
            catalogue = read_po(file, locale="zh")
        catalogue.creation_date = catalogue.revision_date = _DATE  # a .po may state none
        with source.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)
    waiting = [message.id for message in new if message.id and not message.string]
    sys.stdout.write(f"{len(new)} sentences, {len(waiting)} without a Chinese text\n")


if __name__ == "__main__":
    main()
