"""A third language is one catalogue: no other file of the project changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po, write_po

from jieneng.locale import collect
from tests.cli import run

pytestmark = pytest.mark.server

FRENCH = {
    "Meter public buildings, and say whether they meet the plan.": "Compter les bâtiments publics.",
    "{key} can't be {value}.": "{key} ne peut pas être {value}.",
}


@pytest.fixture(scope="module")
def french_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project to which a catalogue was added."""
    root = tmp_path_factory.mktemp("project")
    for package in collect.PACKAGES:
        shutil.copytree(
            collect.ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    catalogue = root / "jieneng" / "locale" / "fr" / "LC_MESSAGES" / "jieneng.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.touch()
    in_copy(root, "jieneng.locale.collect")
    with catalogue.open("rb") as file:
        texts = read_po(file, locale="fr")
    for english, french in FRENCH.items():
        texts[english].string = french  # a KeyError where the sentence was not collected
    with catalogue.open("wb") as file:
        write_po(file, texts)
    in_copy(root, "jieneng.locale.collect")
    return root


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


def test_the_command_line_speaks_it(french_project: Path) -> None:
    done = in_copy(french_project, "jieneng", "--help")
    assert "Compter les bâtiments publics." in done.stdout
    assert "jieneng demo" in done.stdout, "a sentence without a text stays English"


def test_a_site_may_ask_for_it(french_project: Path, tmp_path: Path) -> None:
    site = '[site]\nid = "s"\nname = "S"\nlanguage = "fr"\n'
    (tmp_path / "site.toml").write_text(site)
    assert in_copy(french_project, "jieneng", "check", "--site", tmp_path).returncode == 0
    (tmp_path / "site.toml").write_text(site.replace("fr", "it"))
    done = in_copy(french_project, "jieneng", "check", "--site", tmp_path)
    assert done.returncode == 1
    assert 'site.toml:4: language ne peut pas être "it".' in done.stdout + done.stderr


def test_its_catalogue_keeps_its_texts_when_sentences_are_collected(french_project: Path) -> None:
    done = in_copy(french_project, "jieneng.locale.collect")
    assert f"without a text\nzh: {len(collect.read('zh'))} sentences, 0 without" in done.stdout
    assert "Compter" in in_copy(french_project, "jieneng", "--help").stdout


def test_a_language_without_texts_is_refused_with_those_that_have_some() -> None:
    done = run.jieneng("check", language="tlh")
    assert done.returncode == 2
    assert "JIENENG_LANGUAGE=tlh" in done.stderr
    assert "en, zh" in done.stderr
