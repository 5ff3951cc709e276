"""A store is one module and one row of the registry."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jieneng import config_file
from jieneng.metering.errors import ConfigError
from jieneng.storage import STORES, StoreSettings, embedded_file

ROOT = Path(__file__).parents[2]
PACKAGES = ("jieneng", "ingest", "analytics", "simulators", "grafana", "edge_agent")


def _contract(*arguments: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the contract test in another process, so that the registry here stays as it is.

    Args:
        arguments: of pytest.
        path: a folder from which a plugin can be imported.
    """
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments,
         "tests/storage/test_contract.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(path)])},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.server
def test_a_new_store_costs_one_module_and_one_row() -> None:
    """The contract test finds the new store, and tests every law on it."""
    collected = _contract("--collect-only", "-k", "sqlite").stdout
    laws = sum("[sqlite" in line for line in collected.splitlines())
    done = _contract("-p", "tests.storage.toy_store", "-k", "toy")
    assert laws > 30
    assert re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout) == [
        (str(laws), "passed")
    ], done.stdout
    naming = {
        path.name
        for folder in ("tests", *PACKAGES)
        for path in (ROOT / folder).rglob("*.py")
        if "toy_store" in path.read_text(encoding="utf-8")
    }
    assert naming == {"toy_store.py", "test_registry.py"}


@pytest.mark.server
def test_a_row_without_a_test_store_fails_and_says_what_is_missing(tmp_path: Path) -> None:
    plugin = tmp_path / "row_without_fixtures.py"
    plugin.write_text(
        "from jieneng.storage import STORES, StoreRow\n"
        "def pytest_configure():\n    STORES['bare'] = StoreRow(module='nowhere')\n"
    )
    done = _contract("-p", plugin.stem, "-k", "bare and prepare_keeps", path=tmp_path)
    assert done.returncode == 1
    assert "no fixture bare_settings: add it to" in done.stdout


@pytest.mark.parametrize("kind", STORES)
def test_a_kind_is_named_in_the_registry_and_nowhere_else(kind: str) -> None:
    """A default may name it; code that compares kinds would have to know every new store."""
    naming = [
        path.relative_to(ROOT).as_posix()
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and side.value == kind
    ]
    assert naming == []


def test_only_kinds_of_the_registry_are_taken_from_a_file() -> None:
    with pytest.raises(ConfigError, match=r'ingest.toml:1: kind can\'t be "sqlit". .*"sqlite"\?'):
        config_file.decode(config_file.parse('kind = "sqlit"', "ingest.toml"), StoreSettings)
    for kind in STORES:
        settings = config_file.decode(
            config_file.parse(f'kind = "{kind}"', "ingest.toml"), StoreSettings
        )
        assert settings.kind == kind


def test_only_an_embedded_store_has_a_file(tmp_path: Path) -> None:
    assert embedded_file(StoreSettings(path="a.sqlite"), tmp_path) == tmp_path / "a.sqlite"
    assert embedded_file(StoreSettings(kind="influx"), tmp_path) is None
