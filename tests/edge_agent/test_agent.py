"""The agent as a whole, with a real broker and real meters on loopback."""

from pathlib import Path

from tests.edge_agent.scene import (
    Dtsd1352,
    Ingest,
    agent,
    bus,
    folder,
    gateway,
    meter,
    running,
    settings,
)
from tests.servers import Mosquitto


async def test_what_meters_say_reaches_the_ingest(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """TCP and RTU over TCP, two meters on one bus: every value, in canonical units, once."""
    ingest = Ingest(mosquitto.port)
    one, two, three = Dtsd1352(1), Dtsd1352(2), Dtsd1352(1)
    async with (
        gateway(one, two) as tcp,
        gateway(three, rtu=True) as rtu,
        running(ingest.run()),
    ):
        where = folder(
            tmp_path,
            bus("b-tcp", tcp),
            bus("b-rtu", rtu, "rtu_tcp"),
            meters=[
                meter("e-1", "b-tcp", 1),
                meter("e-2", "b-tcp", 2, rated_max=1e6),
                meter("e-3", "b-rtu", 1),
            ],
        )
        async with running(agent(where, settings(mosquitto.port))):
            await ingest.until(
                lambda: all(len(ingest.energies(of)) >= 5 for of in ("e-1", "e-2", "e-3"))
            )
    for of, source in (("e-1", one), ("e-2", two), ("e-3", three)):
        said = ingest.energies(of)
        assert said == [number / 100 for number in range(1, len(said) + 1)]
        assert source.asked - len(said) <= 3  # on the disk, not yet acknowledged
    sample = next(one for one in ingest.samples if one.meter == "e-1")
    assert dict(zip(sample.quantities, sample.values, strict=True)) == {
        "energy_kwh": 0.01,
        "voltage_a_v": 231.7,
        "voltage_b_v": 231.8,
        "voltage_c_v": 231.9,
        "current_a_a": 5.0,
        "current_b_a": 5.01,
        "current_c_a": 5.02,
        "frequency_hz": 50.01,
        "power_kw": -1.234,
    }
