"""What every test may ask for: real servers, the example site, and where others' data lies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from jieneng.site_folder import SiteFolder, load
from tests.servers import Influx, Mosquitto

ROOT = Path(__file__).parent.parent

# A change is judged by the same cases as the one before it; new ones are looked for by whoever
# runs the suite himself, and at length by `make fuzz`. No case fails for being slow: a busy machine
# is none of the code's faults.
settings.register_profile("usual", deadline=None)
settings.register_profile("steady", settings.get_profile("usual"), derandomize=True)
settings.register_profile("fuzz", settings.get_profile("usual"), max_examples=3000)
settings.load_profile("usual")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of this test alone; it may kill and restart it."""
    server = Mosquitto(tmp_path / "mosquitto")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """An InfluxDB for the session: each test takes a database of its own, and leaves it running."""
    server = Influx(tmp_path_factory.mktemp("influx"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def example() -> SiteFolder:
    """The example centre."""
    return load(ROOT / "jieneng" / "sites" / "example")


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of data that others measured; the test is skipped where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of measured data is not beside this checkout")
    return folder
