"""The example centre, simulated."""

import pytest

from jieneng.site_folder import SiteFolder, read_settings
from simulators import fleet
from simulators.campus import SETTINGS_FILE, Campus
from simulators.config import SimulatorSettings


@pytest.fixture(scope="session")
def settings(example: SiteFolder) -> SimulatorSettings:
    return read_settings(example.path / SETTINGS_FILE, SimulatorSettings)


@pytest.fixture(scope="session")
def campus(example: SiteFolder, settings: SimulatorSettings) -> Campus:
    return fleet.campus(example, settings)
