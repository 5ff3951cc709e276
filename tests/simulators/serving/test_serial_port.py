"""mbpoll reads the right values on a simulated serial port, whose link replaces no other file."""

import asyncio
from pathlib import Path

import pytest

from jieneng.metering.errors import Unavailable
from simulators.serving.serial_port import SerialPort
from simulators.serving.simulated_bus import SimulatedBus
from simulators.simulated_site import SimulatedSite
from tests.servers import need
from tests.simulators.clocks import StillClock
from tests.simulators.serving.independent_masters import (
    MODELS,
    NOW_MS,
    counter_row,
    held_number,
    mbpoll,
    simulated_device,
)

pytestmark = pytest.mark.server


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_on_a_serial_port(model: str, tmp_path: Path) -> None:
    need("mbpoll")
    meter, row = simulated_device(model), counter_row(model)
    server = SerialPort(SimulatedBus("bus", [(7, meter)], StillClock(NOW_MS), "rtu"))
    place = await server.start(tmp_path / "ttyS1")
    try:
        assert place.device == str(tmp_path / "ttyS1")
        where = ["-m", "rtu", "-b", "9600", "-P", "none", place.device]
        for _ in range(2):  # a terminal that was closed is opened again
            seen = await asyncio.to_thread(mbpoll, where, row)
    finally:
        await server.stop()
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 - a local folder
    assert seen == pytest.approx(held_number(meter, row), rel=1e-5)  # mbpoll shows six digits


async def test_a_name_that_is_somebody_elses_is_left_alone(
    simulated: SimulatedSite, tmp_path: Path
) -> None:
    """A link that a killed run left is taken; any other file is not, and the run says so."""
    bus = SimulatedBus("bus", [(7, simulated.meters["e-b1"])], StillClock(NOW_MS), "rtu")
    (tmp_path / "mine").symlink_to("/dev/null")
    server = SerialPort(bus)
    with pytest.raises(Unavailable, match="can't make the serial port"):
        await server.start(tmp_path / "mine")
    await server.stop()
    assert str((tmp_path / "mine").readlink()) == "/dev/null"
    (tmp_path / "stale").symlink_to("/dev/pts/4095")
    server = SerialPort(bus)
    await server.start(tmp_path / "stale")
    (tmp_path / "stale").unlink()
    (tmp_path / "stale").symlink_to("/dev/pts/4095")  # another run has taken it
    await server.stop()
    assert str((tmp_path / "stale").readlink()) == "/dev/pts/4095"
