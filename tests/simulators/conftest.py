"""The example centre, simulated."""

import pytest

from jieneng.site_folder import SiteFolder, read_settings
from simulators.serving import site_server
from simulators.settings import SimulatorSettings
from simulators.simulated_site import SETTINGS_FILE, SimulatedSite


@pytest.fixture(scope="session")
def settings(example: SiteFolder) -> SimulatorSettings:
    return read_settings(example.path / SETTINGS_FILE, SimulatorSettings)


@pytest.fixture(scope="session")
def simulated(example: SiteFolder, settings: SimulatorSettings) -> SimulatedSite:
    return site_server.simulate_site(example, settings)
