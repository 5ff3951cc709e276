"""The agent reads every model of the library off another implementation of Modbus."""

import math
import struct
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.links.link import bus_link
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.spool.batch_writer import FinishedPoll
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_points import ModbusModel, VectorRow, modbus_models
from jieneng.metering.reading import Sample
from jieneng.site_folder import packaged_models
from tests.edge_agent.agent_setup import bus, gateway, meter, running, until

pytestmark = pytest.mark.server

MODELS = modbus_models(packaged_models())


def showing(vector: VectorRow, model: ModbusModel, unit: int) -> SimDevice:
    """A device that holds the words of a vector, and zeros from the first to the last of all."""
    begin = min(one.address for one in model.vector)
    end = max(one.address + len(one.data) // 2 for one in model.vector)
    words = [0] * (end - begin)
    at = vector.address - begin
    words[at : at + len(vector.data) // 2] = struct.unpack(
        f">{len(vector.data) // 2}H", vector.data
    )
    held = [SimData(begin, values=words, datatype=DataType.REGISTERS)]
    other = [SimData(begin, count=len(words), values=0, datatype=DataType.REGISTERS)]
    bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
    registers = (held, other) if vector.function == 3 else (other, held)
    return SimDevice(unit, (bits, bits, *registers))


@pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])
@pytest.mark.parametrize("name", sorted(MODELS))
async def test_what_pymodbus_serves_is_what_the_vectors_say(
    name: str, kind: Literal["tcp", "rtu_tcp"]
) -> None:
    """A bus with one meter for each vector of a model, polled as an agent polls it."""
    model, clock, heard = MODELS[name], SystemClock(), dict[str, Sample]()
    vectors = dict(enumerate(model.vector, 1))

    def keep(poll: FinishedPoll) -> None:
        sample = poll.sample()
        if sample is not None and poll.report().ok:
            heard.setdefault(sample.meter, sample)

    devices = [showing(one, model, unit) for unit, one in vectors.items()]
    async with gateway(*devices, rtu=kind == "rtu_tcp") as port:
        polled = [
            PolledMeter(
                meter(str(unit), "b", unit, medium=model.model.medium, model=name),
                model,
                ZoneInfo("Asia/Shanghai"),
            )
            for unit in vectors
        ]
        poller = BusPoller(
            "b",
            polled,
            phase_key="agent",
            # Short, for a connection whose replies have no numbers begins with so much silence.
            link=bus_link(bus("b", port, kind, timeout_s=0.2), clock.now_ms),
            link_kind=kind,
            clock=clock,
            on_result=keep,
            log=observe.log("test"),
        )
        async with running(poller.run()):
            await until(lambda: len(heard) == len(vectors))
    for sample in heard.values():
        vector = vectors[int(sample.meter)]
        read = dict(zip(sample.quantities, sample.values, strict=True))
        for quantity in vector.unknown:
            assert math.isnan(read[quantity]), quantity
        for quantity, value in vector.gives.items():
            assert read[quantity] == pytest.approx(value, rel=1e-5, abs=0), quantity
