"""Independent masters, pymodbus's client and mbpoll, read the right values over both framings."""

import asyncio
import os
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pymodbus import ModbusException
from pymodbus.client.mixin import ModbusClientMixin

from jieneng.metering.catalog.modbus_points import ForbiddenRow, PartRow, PointRow
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.site import LinkKind
from jieneng.site_folder import SiteFolder
from simulators.registers.device_period import DevicePeriod
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.serving import site_server
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.simulated_bus import ExchangeRecord, SimulatedBus
from simulators.serving.tcp_port import TcpPort
from simulators.simulated_site import SimulatedSite
from tests.patience import PATIENCE_S
from tests.servers import need
from tests.simulators.clocks import StillClock
from tests.simulators.modbus_words import words_of
from tests.simulators.registers.test_simulated_meter import ConstantLoad
from tests.simulators.serving.independent_masters import (
    CT,
    DATATYPES,
    FRAMERS,
    MODELS,
    NOW_MS,
    counter_row,
    held_number,
    mbpoll,
    pymodbus_client,
    read_by,
    read_registers,
    serving_on_tcp,
    simulated_device,
    value_of,
)

pytestmark = pytest.mark.server


@pytest.mark.parametrize("framing", FRAMERS)
@pytest.mark.parametrize("model", MODELS)
async def test_pymodbus_reads_what_our_decoder_reads_of_every_point(
    model: str, framing: LinkKind
) -> None:
    """Each request of the plan, served through pymodbus's frames to pymodbus's client."""
    meter, found = simulated_device(model), dict[str, float]()
    rows = {row.quantity: row for row in MODELS[model].point}
    async with serving_on_tcp(meter, framing) as port, pymodbus_client(port, framing) as client:
        for read in plan(MODELS[model], {"ct": Fraction(CT)}):
            words = await read_registers(client, read.function, read.address, read.count)
            ours = read.decode(b"".join(word.to_bytes(2, "big") for word in words))
            for quantity, value in zip(read.quantities, ours, strict=True):

                def words_of(
                    part: PointRow | PartRow, words: list[int] = words, first: int = read.address
                ) -> list[int]:
                    begin = part.address - first
                    return words[begin : begin + part.words]

                theirs = value_of(rows[quantity], words_of)
                assert value == pytest.approx(theirs, rel=1e-12, abs=1e-12), quantity
                found[quantity] = value
    assert set(found) == set(rows)
    counter = counter_row(model).quantity
    assert found[counter] == float(meter.readings(np.asarray([NOW_MS]))[counter][0]) > 0
    for quantity, value in meter.values(NOW_MS).items():
        step = rows[quantity].step(Fraction(CT)) or 0.01
        assert found[quantity] == pytest.approx(value, rel=1e-6, abs=step), quantity


async def test_coils_and_discrete_inputs_are_served_as_bits() -> None:
    points = (
        PointRow(quantity="fault_flag", function=1, address=3),
        PointRow(quantity="power_factor", function=2, address=9),  # as if it were a bit
    )
    energy = MODELS["acrel-dtsd1352"].point[0]
    model = msgspec.structs.replace(MODELS["acrel-dtsd1352"], point=(energy, *points))
    meter = SimulatedMeter("m", "electricity", ConstantLoad(1.0), [DevicePeriod(0, model)])
    async with serving_on_tcp(meter, "tcp") as port, pymodbus_client(port, "tcp") as client:
        coils = await client.read_coils(3, count=1, device_id=7)
        inputs = await client.read_discrete_inputs(9, count=1, device_id=7)
        assert (coils.bits[0], inputs.bits[0]) == (False, True)
        for read in plan(model, wanted=["fault_flag", "power_factor"]):
            assert len(read.decode(b"\1")) == 1
        beside = await client.read_coils(0, count=1, device_id=7)
        assert beside.exception_code == ILLEGAL_ADDRESS


async def test_a_device_says_of_itself_what_its_model_expects_and_its_name() -> None:
    meter = simulated_device("fronius-smart-meter")
    async with serving_on_tcp(meter, "tcp") as port, pymodbus_client(port, "tcp") as client:
        assert await read_registers(client, 3, 40000, 2) == [0x5375, 0x6E53]  # SunS
        assert await read_registers(client, 3, 40069, 1) == [203]
        serial = await read_registers(client, 3, 40052, 16)
        name = ModbusClientMixin.convert_from_registers(serial, DATATYPES.STRING)
        assert name == meter.id


async def test_forbidden_addresses_are_not_there() -> None:
    wall = ForbiddenRow(function=3, from_=0x0068, to=0x0068, why="it restarts")
    model = msgspec.structs.replace(MODELS["acrel-dtsd1352"], forbidden=(wall,))
    meter = SimulatedMeter("m", "electricity", ConstantLoad(1.0), [DevicePeriod(0, model)])
    async with serving_on_tcp(meter, "tcp") as port, pymodbus_client(port, "tcp") as client:
        answer = await client.read_holding_registers(0x66, count=4, device_id=7)
        assert answer.exception_code == ILLEGAL_ADDRESS
        for read in plan(model):
            await read_registers(client, read.function, read.address, read.count)


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_over_tcp(model: str) -> None:
    need("mbpoll")
    meter, row = simulated_device(model), counter_row(model)
    async with serving_on_tcp(meter, "tcp") as port:
        where = ["-m", "tcp", "-p", str(port), "127.0.0.1"]
        seen = await asyncio.to_thread(mbpoll, where, row)
    assert seen == pytest.approx(held_number(meter, row), rel=1e-5)  # mbpoll shows six digits


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_through_a_serial_line_and_a_gateway(
    model: str, tmp_path: Path
) -> None:
    """socat makes a serial port of the RTU-over-TCP bus, as a gateway's driver does."""
    need("mbpoll")
    line = tmp_path / "tty"
    meter, row = simulated_device(model), counter_row(model)
    async with serving_on_tcp(meter, "rtu_tcp") as port:
        socat = await asyncio.create_subprocess_exec(
            need("socat"), f"PTY,link={line},rawer", f"TCP:127.0.0.1:{port}"
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not os.path.lexists(line):  # noqa: ASYNC110, ASYNC240 - socat's file has no event
                    await asyncio.sleep(0.005)
            where = ["-m", "rtu", "-b", "9600", "-P", "none", str(line)]
            seen = await asyncio.to_thread(mbpoll, where, row)
        finally:
            socat.terminate()
            await socat.wait()
    assert seen == pytest.approx(held_number(meter, row), rel=1e-5)  # mbpoll shows six digits


# --- refusals ------------------------------------------------------------------------------------

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, GATEWAY_NO_RESPONSE = 1, 2, 3, 11


async def test_a_meter_refuses_what_it_has_not(simulated: SimulatedSite) -> None:
    """e-b1 is a DTSD1352: energy at 0, voltages from 0x61; at most 120 registers at once."""
    async with (
        serving_on_tcp(simulated.meters["e-b1"], "tcp") as port,
        pymodbus_client(port, "tcp") as client,
    ):
        asked = [
            (client.read_holding_registers(0x30, count=2, device_id=7), ILLEGAL_ADDRESS),
            (client.read_holding_registers(0, count=0x62, device_id=7), ILLEGAL_ADDRESS),
            (client.read_holding_registers(0x4000, count=1, device_id=7), ILLEGAL_ADDRESS),
            (client.read_input_registers(0, count=2, device_id=7), ILLEGAL_ADDRESS),
            (client.read_holding_registers(0, count=121, device_id=7), ILLEGAL_VALUE),
            (client.read_coils(0, count=1, device_id=7), ILLEGAL_FUNCTION),
            (client.write_register(0, 1, device_id=7), ILLEGAL_FUNCTION),
            (client.write_registers(0, [1, 2], device_id=7), ILLEGAL_FUNCTION),
            (client.read_holding_registers(0, count=2, device_id=8), GATEWAY_NO_RESPONSE),
        ]
        for request, code in asked:
            answer = await request
            assert answer.isError()
            assert answer.exception_code == code
        assert await read_registers(client, 3, 0, 2)  # and still answers


async def test_values_are_those_of_the_moment_of_the_request(simulated: SimulatedSite) -> None:
    clock, energy = StillClock(NOW_MS), MODELS["acrel-dtsd1352"].point[0]
    server = TcpPort(SimulatedBus("bus", [(7, simulated.meters["e-main"])], clock, "tcp"))
    port = (await server.start()).port
    try:
        async with pymodbus_client(port, "tcp") as client:
            for _ in range(5):
                shown = read_by(energy, await read_registers(client, 3, 0, 2)) * 8  # 0.01 x CT 800
                now = np.asarray([clock.time_ms])
                assert shown == simulated.meters["e-main"].readings(now)["energy_kwh"][0]
                clock.time_ms += 3_600_000
    finally:
        await server.stop()


async def test_a_stopped_server_drops_its_connections(simulated: SimulatedSite) -> None:
    server = TcpPort(
        SimulatedBus("bus", [(7, simulated.meters["e-b1"])], StillClock(NOW_MS), "tcp")
    )
    port = (await server.start()).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 7, 3, 0, 2))
    assert len(await reader.readexactly(13)) == 13
    await server.stop()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_several_units_and_masters_share_a_bus(
    example: SiteFolder, simulated: SimulatedSite
) -> None:
    """Every meter of the example, each asked by two masters at once."""
    rows = {one.id: one for one in example.site.meter}

    async def ask(places: dict[str, BusEndpoint], name: str) -> None:
        one = rows[name]
        link = example.site.buses[one.bus or ""].link
        framing: LinkKind = "tcp" if link == "tcp" else "rtu_tcp"
        point = counter_row(one.model or "")
        async with pymodbus_client(places[one.bus or ""].port, framing) as client:
            words = await read_registers(
                client, point.function, point.address, point.words, one.unit
            )
        held = words_of(simulated.meters[name], point.function, point.address, point.words, NOW_MS)
        assert words == held, name

    seen: list[ExchangeRecord] = []
    async with site_server.serving(
        simulated, StillClock(NOW_MS), on_exchange=seen.append
    ) as places:
        assert set(places) == set(example.site.buses)
        await asyncio.gather(*(ask(places, name) for name in [*rows, *rows]))
    assert sorted(one.meter or "" for one in seen) == sorted([*rows, *rows])
    assert {one.verdict for one in seen} == {"good"}
    with pytest.raises((ModbusException, AssertionError)):
        await ask(places, "e-main")  # nobody listens any more
