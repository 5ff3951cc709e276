"""A truth folder that is being written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.scoring.truth_writer import TruthWriter
from simulators.simulated_site import SimulatedSite
from tests.simulators.clocks import StillClock
from tests.simulators.scoring.truth_run import NOON


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "truth"


@pytest.fixture
def writer(folder: Path, simulated: SimulatedSite) -> Iterator[TruthWriter]:
    """The writer of a run that begins ten minutes past noon; its clock stands still."""
    one = TruthWriter(folder, simulated, begin_ms=NOON + 600_000, speed=60.0)
    one._clock = StillClock(0)  # type: ignore[assignment]
    one._flushed_s = 0.0
    yield one
    one._consumption.close()
    one._served.close()
