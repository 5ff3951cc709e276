"""Independent masters read the right values: pymodbus's client and mbpoll, over both framings."""

import asyncio
import os
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.mixin import ModbusClientMixin

from jieneng.metering.catalog.modbus_points import ForbiddenRow, PartRow, PointRow, modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.errors import Unavailable
from jieneng.metering.quantities import CONSUMPTION
from jieneng.site_folder import SiteFolder, packaged_models
from simulators.faults.fault import Framing
from simulators.registers.simulated_meter import Meter, Stretch
from simulators.serving import site_server
from simulators.serving.modbus_server import Place, SerialPort, TcpPort
from simulators.serving.simulated_bus import Bus, Exchange
from simulators.simulated_site import SimulatedSite
from tests.patience import PATIENCE_S
from tests.servers import need
from tests.simulators.clocks import StillClock
from tests.simulators.registers.test_simulated_meter import Steady, a_meter

pytestmark = pytest.mark.server

NOW_MS = 1_763_953_200_000  # 2025-11-24, a Monday, 11:00 in Huai'an
MODELS = modbus_models(packaged_models())
FRAMERS: dict[Framing, FramerType] = {"tcp": FramerType.SOCKET, "rtu_tcp": FramerType.RTU}

_TYPES = ModbusClientMixin.DATATYPE
PYMODBUS = {
    "u16": _TYPES.UINT16, "i16": _TYPES.INT16, "u32": _TYPES.UINT32, "i32": _TYPES.INT32,
    "u64": _TYPES.UINT64, "i64": _TYPES.INT64, "f32": _TYPES.FLOAT32, "f64": _TYPES.FLOAT64,
}  # fmt: skip
# What pymodbus lacks, as a person would read it off the words, high word first.
BY_HAND: dict[str, Callable[[list[int]], float]] = {
    "bcd48": lambda words: float("".join(f"{word:04x}" for word in words)),
    "sm16": lambda words: (-1.0 if words[0] >> 15 else 1.0) * (words[0] & 0x7FFF),
    "sm32": lambda words: (
        (-1.0 if words[0] >> 15 else 1.0) * ((words[0] & 0x7FFF) << 16 | words[1])
    ),
}
# pymodbus knows word orders only: (bytes are to be swapped first, its word order).
ORDERS: dict[str, tuple[bool, Literal["big", "little"]]] = {
    "AB": (False, "big"), "ABCD": (False, "big"), "CDAB": (False, "little"),
    "DCBA": (True, "little"), "ABCDEF": (False, "big"), "ABCDEFGH": (False, "big"),
}  # fmt: skip
UNITS = {"W": 1e-3, "Wh": 1e-3, "VA": 1e-3, "var": 1e-3, "L/h": 1e-3, "bar": 100.0, None: 1.0}
CT = 40.0


def _read_by(part: PointRow | PartRow, words: list[int]) -> float:
    """The number in words, by pymodbus where it knows the type."""
    swapped, word_order = ORDERS[part.byte_order]
    if swapped:
        words = [word % 256 << 8 | word // 256 for word in words]
    if part.type in BY_HAND:
        return BY_HAND[part.type](words[:: 1 if word_order == "big" else -1])
    kind = PYMODBUS[part.type]
    number = ModbusClientMixin.convert_from_registers(words, kind, word_order=word_order)
    assert isinstance(number, int | float)
    return number


def _value(row: PointRow, words_of: Callable[[PointRow | PartRow], list[int]]) -> float:
    """What a person makes of a point, from its manual."""
    number = _read_by(row, words_of(row))
    if row.bits is not None:
        number = int(number) >> row.bits[0] & (1 << (row.bits[1] - row.bits[0] + 1)) - 1
    if row.fraction is not None:
        number += _read_by(row.fraction, words_of(row.fraction)) * float(row.fraction.scale)
    if row.exponent is not None:
        number *= 10.0 ** _read_by(row.exponent, words_of(row.exponent))
    return number * float(row.scale) * UNITS[row.unit] * (CT if "ct" in row.ratio else 1.0)


def _device(model: str) -> Meter:
    """A meter of a model that has run for five years."""
    medium = MODELS[model].model.medium
    ct = [{"from": "2020-01-01", "value": CT}] if medium == "electricity" else []
    return a_meter(Steady(12.3456), medium=medium, model=model, ct=ct)


def _counter(model: str) -> PointRow:
    wanted = CONSUMPTION[MODELS[model].model.medium]
    return next(row for row in MODELS[model].point if row.quantity == wanted)


@asynccontextmanager
async def _client(port: int, framing: Framing) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FRAMERS[framing], retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


@asynccontextmanager
async def _serving(meter: Meter, framing: Framing) -> AsyncIterator[int]:
    server = TcpPort(Bus("bus", {7: meter}, StillClock(NOW_MS), framing))
    place = await server.start()
    try:
        yield place.port
    finally:
        await server.stop()


async def _read(
    client: AsyncModbusTcpClient, function: int, address: int, count: int, unit: int = 7
) -> list[int]:
    ask = client.read_holding_registers if function == 3 else client.read_input_registers
    answer = await ask(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


@pytest.mark.parametrize("framing", FRAMERS)
@pytest.mark.parametrize("model", MODELS)
async def test_pymodbus_reads_what_our_decoder_reads_of_every_point(
    model: str, framing: Framing
) -> None:
    """Each request of the plan, served through pymodbus's frames to pymodbus's client."""
    meter, found = _device(model), dict[str, float]()
    rows = {row.quantity: row for row in MODELS[model].point}
    async with _serving(meter, framing) as port, _client(port, framing) as client:
        for read in plan(MODELS[model], {"ct": Fraction(CT)}):
            words = await _read(client, read.function, read.address, read.count)
            ours = read.decode(b"".join(word.to_bytes(2, "big") for word in words))
            for quantity, value in zip(read.quantities, ours, strict=True):

                def words_of(
                    part: PointRow | PartRow, words: list[int] = words, first: int = read.address
                ) -> list[int]:
                    begin = part.address - first
                    return words[begin : begin + part.words]

                theirs = _value(rows[quantity], words_of)
                assert value == pytest.approx(theirs, rel=1e-12, abs=1e-12), quantity
                found[quantity] = value
    assert set(found) == set(rows)
    counter = _counter(model).quantity
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
    meter = Meter("m", "electricity", Steady(1.0), [Stretch(0, model)])
    async with _serving(meter, "tcp") as port, _client(port, "tcp") as client:
        coils = await client.read_coils(3, count=1, device_id=7)
        inputs = await client.read_discrete_inputs(9, count=1, device_id=7)
        assert (coils.bits[0], inputs.bits[0]) == (False, True)
        for read in plan(model, wanted=["fault_flag", "power_factor"]):
            assert len(read.decode(b"\1")) == 1
        beside = await client.read_coils(0, count=1, device_id=7)
        assert beside.exception_code == ILLEGAL_ADDRESS


async def test_a_device_says_of_itself_what_its_model_expects_and_its_name() -> None:
    meter = _device("fronius-smart-meter")
    async with _serving(meter, "tcp") as port, _client(port, "tcp") as client:
        assert await _read(client, 3, 40000, 2) == [0x5375, 0x6E53]  # SunS
        assert await _read(client, 3, 40069, 1) == [203]
        serial = await _read(client, 3, 40052, 16)
        name = ModbusClientMixin.convert_from_registers(serial, _TYPES.STRING)
        assert name == meter.id


async def test_forbidden_addresses_are_not_there() -> None:
    wall = ForbiddenRow(function=3, from_=0x0068, to=0x0068, why="it restarts")
    model = msgspec.structs.replace(MODELS["acrel-dtsd1352"], forbidden=(wall,))
    meter = Meter("m", "electricity", Steady(1.0), [Stretch(0, model)])
    async with _serving(meter, "tcp") as port, _client(port, "tcp") as client:
        answer = await client.read_holding_registers(0x66, count=4, device_id=7)
        assert answer.exception_code == ILLEGAL_ADDRESS
        for read in plan(model):
            await _read(client, read.function, read.address, read.count)


# mbpoll's own words for counters: 32 bits high word first is -B; others it shows in hexadecimal.
MBPOLL: dict[tuple[str, str], tuple[str, ...]] = {
    ("u32", "ABCD"): ("int", "-B"),
    ("i32", "ABCD"): ("int", "-B"),
    ("f32", "ABCD"): ("float", "-B"),
    ("i32", "CDAB"): ("int",),
    ("u32", "CDAB"): ("int",),
}


def _mbpoll(where: list[str], row: PointRow) -> float:
    kind, *swap = MBPOLL.get((row.type, row.byte_order), ("hex",))
    table = "4" if row.function == 3 else "3"
    count = str(row.words) if kind == "hex" else "1"
    command = [need("mbpoll"), "-1", "-q", "-0", "-a", "7", "-o", "3"]
    asked = ["-t", f"{table}:{kind}", "-r", str(row.address), "-c", count, *swap]
    done = subprocess.run(
        [*command, *asked, *where], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    shown = [line.split("\t")[1].strip() for line in done.stdout.splitlines() if line[:1] == "["]
    if kind != "hex":
        return float(shown[0].split()[0])
    return _read_by(row, [int(word, 16) for word in shown])


def _held(meter: Meter, row: PointRow) -> float:
    return _read_by(row, meter.words(row.function, row.address, row.words, NOW_MS))


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_over_tcp(model: str) -> None:
    need("mbpoll")
    meter, row = _device(model), _counter(model)
    async with _serving(meter, "tcp") as port:
        where = ["-m", "tcp", "-p", str(port), "127.0.0.1"]
        seen = await asyncio.to_thread(_mbpoll, where, row)
    assert seen == pytest.approx(_held(meter, row), rel=1e-5)  # mbpoll shows six digits


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_on_a_serial_port(model: str, tmp_path: Path) -> None:
    need("mbpoll")
    meter, row = _device(model), _counter(model)
    server = SerialPort(Bus("bus", {7: meter}, StillClock(NOW_MS), "rtu"))
    place = await server.start(tmp_path / "ttyS1")
    try:
        assert place.device == str(tmp_path / "ttyS1")
        where = ["-m", "rtu", "-b", "9600", "-P", "none", place.device]
        for _ in range(2):  # a terminal that was closed is opened again
            seen = await asyncio.to_thread(_mbpoll, where, row)
    finally:
        await server.stop()
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 - a local folder
    assert seen == pytest.approx(_held(meter, row), rel=1e-5)  # mbpoll shows six digits


async def test_a_name_that_is_somebody_elses_is_left_alone(
    campus: SimulatedSite, tmp_path: Path
) -> None:
    """A link that a killed run left is taken; any other file is not, and the run says so."""
    bus = Bus("bus", {7: campus.meters["e-b1"]}, StillClock(NOW_MS), "rtu")
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


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_through_a_serial_line_and_a_gateway(
    model: str, tmp_path: Path
) -> None:
    """socat makes a serial port of the RTU-over-TCP bus, as a gateway's driver does."""
    need("mbpoll")
    line = tmp_path / "tty"
    meter, row = _device(model), _counter(model)
    async with _serving(meter, "rtu_tcp") as port:
        socat = await asyncio.create_subprocess_exec(
            need("socat"), f"PTY,link={line},rawer", f"TCP:127.0.0.1:{port}"
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not os.path.lexists(line):  # noqa: ASYNC110, ASYNC240 - socat's file has no event
                    await asyncio.sleep(0.005)
            where = ["-m", "rtu", "-b", "9600", "-P", "none", str(line)]
            seen = await asyncio.to_thread(_mbpoll, where, row)
        finally:
            socat.terminate()
            await socat.wait()
    assert seen == pytest.approx(_held(meter, row), rel=1e-5)  # mbpoll shows six digits


# --- refusals ------------------------------------------------------------------------------------

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, GATEWAY_NO_RESPONSE = 1, 2, 3, 11


async def test_a_meter_refuses_what_it_has_not(campus: SimulatedSite) -> None:
    """e-b1 is a DTSD1352: energy at 0, voltages from 0x61; at most 120 registers at once."""
    async with _serving(campus.meters["e-b1"], "tcp") as port, _client(port, "tcp") as client:
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
        assert await _read(client, 3, 0, 2)  # and still answers


async def test_values_are_those_of_the_moment_of_the_request(campus: SimulatedSite) -> None:
    clock, energy = StillClock(NOW_MS), MODELS["acrel-dtsd1352"].point[0]
    server = TcpPort(Bus("bus", {7: campus.meters["e-main"]}, clock, "tcp"))
    port = (await server.start()).port
    try:
        async with _client(port, "tcp") as client:
            for _ in range(5):
                shown = _read_by(energy, await _read(client, 3, 0, 2)) * 8  # 0.01 x CT 800
                now = np.asarray([clock.time_ms])
                assert shown == campus.meters["e-main"].readings(now)["energy_kwh"][0]
                clock.time_ms += 3_600_000
    finally:
        await server.stop()


async def test_a_stopped_server_drops_its_connections(campus: SimulatedSite) -> None:
    server = TcpPort(Bus("bus", {7: campus.meters["e-b1"]}, StillClock(NOW_MS), "tcp"))
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
    example: SiteFolder, campus: SimulatedSite
) -> None:
    """Every meter of the example, each asked by two masters at once."""
    rows = {one.id: one for one in example.site.meter}

    async def ask(places: dict[str, Place], name: str) -> None:
        one = rows[name]
        link = example.site.buses[one.bus or ""].link
        framing: Framing = "tcp" if link == "tcp" else "rtu_tcp"
        point = _counter(one.model or "")
        async with _client(places[one.bus or ""].port, framing) as client:
            words = await _read(client, point.function, point.address, point.words, one.unit)
        held = campus.meters[name].words(point.function, point.address, point.words, NOW_MS)
        assert words == held, name

    seen: list[Exchange] = []
    async with site_server.serving(campus, StillClock(NOW_MS), seen=seen.append) as places:
        assert set(places) == set(example.site.buses)
        await asyncio.gather(*(ask(places, name) for name in [*rows, *rows]))
    assert sorted(one.meter or "" for one in seen) == sorted([*rows, *rows])
    assert {one.verdict for one in seen} == {"good"}
    with pytest.raises((ModbusException, AssertionError)):
        await ask(places, "e-main")  # nobody listens any more
