"""Check the files that are named in the table `[broker]` of a settings file.

A problem has the line of the settings file that names the file.
"""

from pathlib import Path

from jieneng import config_file
from jieneng.metering.errors import ConfigError, Problem
from jieneng.mqtt import broker_files
from jieneng.mqtt.broker import BrokerSettings


def broker_problems(
    path: Path, settings: BrokerSettings, *, in_service: bool = False
) -> list[Problem]:
    """Return what is wrong with the files, each with file and line of the settings.

    Args:
        path: the settings file, which may be missing.
        settings: its table `[broker]`.
        in_service: True if this process is the service itself; only then do credentials from
            systemd exist.
    """
    found = broker_files.problems(
        settings.password_file,
        settings.ca_file,
        settings.cert_file,
        settings.key_file,
        in_service=in_service,
    )
    if not found:
        return []
    document = config_file.read(path) if path.exists() else config_file.parse("", path.name)
    return [document.locate(problem) for problem in found]


def refuse_broker_files(path: Path, settings: BrokerSettings) -> None:
    """Check the files before a service starts.

    Raises:
        ConfigError: with every problem.
    """
    if found := broker_problems(path, settings, in_service=True):
        raise ConfigError(found)
