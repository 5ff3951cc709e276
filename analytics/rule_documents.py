"""Read the packaged file of a kind of rules, and the file of the same name in a site's folder."""

from importlib import resources
from pathlib import Path

from jieneng import config_file
from jieneng.metering.errors import ConfigError, Problem


def rule_documents(path: Path, name: str, problems: list[Problem]) -> list[config_file.Document]:
    """Return the packaged document and the site's. Invalid TOML is added to `problems`."""
    packaged = resources.files("analytics") / "data" / name
    found = [config_file.parse(packaged.read_text(encoding="utf-8"), name)]
    if (path / name).exists():
        try:
            found.append(config_file.read(path / name))
        except ConfigError as error:
            problems += error.problems
    return found
