"""A third language needs only a catalogue; no other file of the project changes."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest
from babel.messages.pofile import read_po, write_po

from jieneng.locale import collect
from tests.cli import run

#: The worker for all tests that search the source for sentences, so that one search is enough.
pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sentences")]

FRENCH = {
    "Meter the consumption of public buildings and report whether it meets the plan.": (
        "Compter les bâtiments publics."
    ),
    "{key} can't be {value}.": "{key} ne peut pas être {value}.",
}


class FrenchProject(NamedTuple):
    """A copy of the project to which a catalogue was added.

    Attributes:
        root: its folder.
        collected: output of the collection after the catalogue had got its texts.
    """

    root: Path
    collected: str


@pytest.fixture(scope="module")
def french_project(tmp_path_factory: pytest.TempPathFactory) -> FrenchProject:
    root = tmp_path_factory.mktemp("project")
    for package in collect.PACKAGES:
        shutil.copytree(collect.ROOT / package, root / package)  # with what Python has compiled
    catalogue = root / "jieneng" / "locale" / "fr" / "LC_MESSAGES" / "jieneng.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.touch()
    collect_into(root)
    with catalogue.open("rb") as file:
        texts = read_po(file, locale="fr")
    for english, french in FRENCH.items():
        texts[english].string = french  # a KeyError where the sentence was not collected
    with catalogue.open("wb") as file:
        write_po(file, texts)
    return FrenchProject(root, collect_into(root))


def collect_into(root: Path) -> str:
    """Collect the sentences into the catalogues of the copied project, and return the output."""
    said = io.StringIO()
    with mock.patch.object(collect, "_LOCALE", root / "jieneng" / "locale"), redirect_stdout(said):
        collect.main()
    return said.getvalue()


def in_copy(
    root: Path, module: str, *arguments: object, language: str = "fr"
) -> subprocess.CompletedProcess[str]:
    """Run a module of the copied project."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(root), "JIENENG_LANGUAGE": language},
    )


def test_the_command_line_speaks_it(french_project: FrenchProject) -> None:
    done = in_copy(french_project.root, "jieneng", "--help")
    assert "Compter les bâtiments publics." in done.stdout
    assert "jieneng demo" in done.stdout, "a sentence without a text stays English"


def test_a_site_may_ask_for_it(french_project: FrenchProject, tmp_path: Path) -> None:
    site = '[site]\nid = "s"\nname = "S"\nlanguage = "fr"\n'
    (tmp_path / "site.toml").write_text(site)
    assert in_copy(french_project.root, "jieneng", "check", "--site", tmp_path).returncode == 0
    (tmp_path / "site.toml").write_text(site.replace("fr", "it"))
    done = in_copy(french_project.root, "jieneng", "check", "--site", tmp_path)
    assert done.returncode == 1
    assert 'site.toml:4: language ne peut pas être "it".' in done.stdout + done.stderr


def test_its_catalogue_keeps_its_texts_when_sentences_are_collected(
    french_project: FrenchProject,
) -> None:
    zh = f"without a text\nzh: {len(collect.read('zh'))} sentences, 0 without"
    assert zh in french_project.collected
    assert "Compter" in in_copy(french_project.root, "jieneng", "--help").stdout


def test_a_language_without_texts_is_refused_with_those_that_have_some() -> None:
    done = run.jieneng("check", language="tlh")
    assert done.returncode == 2
    assert "JIENENG_LANGUAGE=tlh" in done.stderr
    assert "en, zh" in done.stderr
