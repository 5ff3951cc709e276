"""Independent masters read the right values: pymodbus's client and mbpoll, over both framings."""

import asyncio
import os
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.mixin import ModbusClientMixin

from jieneng.metering.catalog import PointRow
from jieneng.metering.errors import Unavailable
from jieneng.metering.quantities import CONSUMPTION
from jieneng.site_folder import SiteFolder, packaged_models
from simulators import fleet
from simulators.bus import Bus, Exchange
from simulators.campus import Campus
from simulators.faults.fault import Framing
from simulators.modbus_server import Place, SerialPort, TcpPort
from tests.servers import need
from tests.simulators.clocks import StillClock

NOW_MS = 1_763_953_200_000  # 2025-11-24, a Monday, 11:00 in Huai'an
MODELS = packaged_models()
FRAMERS: dict[Framing, FramerType] = {"tcp": FramerType.SOCKET, "rtu_tcp": FramerType.RTU}

_TYPES = ModbusClientMixin.DATATYPE
# How a person would read each model's counter with pymodbus, from its manual. bcd48 is digits.
READERS: dict[tuple[str, str], Callable[[list[int]], float]] = {
    ("u32", "ABCD"): lambda words: _pymodbus(words, _TYPES.UINT32),
    ("f32", "ABCD"): lambda words: _pymodbus(words, _TYPES.FLOAT32),
    ("i64", "ABCDEFGH"): lambda words: _pymodbus(words, _TYPES.INT64),
    ("i32", "CDAB"): lambda words: _pymodbus(words[::-1], _TYPES.INT32),
    ("bcd48", "ABCDEF"): lambda words: float("".join(f"{word:04x}" for word in words)),
}


def _pymodbus(words: list[int], kind: ModbusClientMixin.DATATYPE) -> float:
    return float(ModbusClientMixin.convert_from_registers(words, kind))  # type: ignore[arg-type]  # one number


def _counter(model: str) -> PointRow:
    wanted = CONSUMPTION[MODELS[model].model.medium]
    return next(row for row in MODELS[model].point if row.quantity == wanted)


def _expected(campus: Campus, meter: str, medium: str) -> float:
    readings = campus.meters[meter].readings(np.asarray([NOW_MS]))
    return float(readings[CONSUMPTION[medium]][0])  # type: ignore[index]  # a medium


def _meter_of(example: SiteFolder, model: str) -> str:
    return next(one.id for one in example.site.meter if one.model == model)


@asynccontextmanager
async def _client(port: int, framing: Framing) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FRAMERS[framing], retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


@asynccontextmanager
async def _serving(campus: Campus, meter: str, framing: Framing) -> AsyncIterator[int]:
    server = TcpPort(Bus("bus", {7: campus.meters[meter]}, StillClock(NOW_MS), framing))
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
async def test_pymodbus_reads_what_the_register_holds(
    example: SiteFolder, campus: Campus, model: str, framing: Framing
) -> None:
    meter, row = _meter_of(example, model), _counter(model)
    async with _serving(campus, meter, framing) as port, _client(port, framing) as client:
        words = await _read(client, row.function, row.address, row.words)
    units = READERS[row.type, row.byte_order](words)
    ct = example.site.meters[meter].ct[0].value if example.site.meters[meter].ct else 1.0
    unit_of_file = {"Wh": 0.001}.get(row.unit or "", 1.0)
    value = units * float(row.scale) * unit_of_file * (ct if "ct" in row.ratio else 1.0)
    assert value == pytest.approx(_expected(campus, meter, MODELS[model].model.medium), rel=1e-9)
    assert value > 0


# mbpoll's own words for each counter: 32 bits high word first is -B; the rest in hexadecimal.
MBPOLL: dict[tuple[str, str], tuple[str, ...]] = {
    ("u32", "ABCD"): ("int", "-B"),
    ("f32", "ABCD"): ("float", "-B"),
    ("i32", "CDAB"): ("int",),
    ("i64", "ABCDEFGH"): ("hex",),
    ("bcd48", "ABCDEF"): ("hex",),
}


def _mbpoll(where: list[str], row: PointRow) -> float:
    kind, *swap = MBPOLL[row.type, row.byte_order]
    table = "4" if row.function == 3 else "3"
    count = str(row.words) if kind == "hex" else "1"
    command = [need("mbpoll"), "-1", "-q", "-0", "-a", "7", "-o", "3"]
    asked = ["-t", f"{table}:{kind}", "-r", str(row.address), "-c", count, *swap]
    done = subprocess.run(
        [*command, *asked, *where], capture_output=True, text=True, timeout=20, check=True
    )
    shown = [line.split("\t")[1].strip() for line in done.stdout.splitlines() if line[:1] == "["]
    if kind != "hex":
        return float(shown[0].split()[0])
    digits = "".join(word.removeprefix("0x") for word in shown)
    return float(digits) if row.type.startswith("bcd") else float(int(digits, 16))


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_over_tcp(
    example: SiteFolder, campus: Campus, model: str
) -> None:
    need("mbpoll")
    meter, row = _meter_of(example, model), _counter(model)
    async with _serving(campus, meter, "tcp") as port:
        where = ["-m", "tcp", "-p", str(port), "127.0.0.1"]
        seen = await asyncio.to_thread(_mbpoll, where, row)
    words = campus.meters[meter].words(row.function, row.address, row.words, NOW_MS)
    assert seen == pytest.approx(READERS[row.type, row.byte_order](words), rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
async def test_mbpoll_reads_the_same_on_a_serial_port(
    example: SiteFolder, campus: Campus, model: str, tmp_path: Path
) -> None:
    need("mbpoll")
    meter, row = _meter_of(example, model), _counter(model)
    server = SerialPort(Bus("bus", {7: campus.meters[meter]}, StillClock(NOW_MS), "rtu"))
    place = await server.start(tmp_path / "ttyS1")
    try:
        assert place.device == str(tmp_path / "ttyS1")
        where = ["-m", "rtu", "-b", "9600", "-P", "none", place.device]
        for _ in range(2):  # a terminal that was closed is opened again
            seen = await asyncio.to_thread(_mbpoll, where, row)
    finally:
        await server.stop()
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 - a local folder
    words = campus.meters[meter].words(row.function, row.address, row.words, NOW_MS)
    assert seen == pytest.approx(READERS[row.type, row.byte_order](words), rel=1e-6)


async def test_a_name_that_is_somebody_elses_is_left_alone(campus: Campus, tmp_path: Path) -> None:
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
    example: SiteFolder, campus: Campus, model: str, tmp_path: Path
) -> None:
    """socat makes a serial port of the RTU-over-TCP bus, as a gateway's driver does."""
    need("mbpoll")
    line = tmp_path / "tty"
    meter, row = _meter_of(example, model), _counter(model)
    async with _serving(campus, meter, "rtu_tcp") as port:
        socat = await asyncio.create_subprocess_exec(
            need("socat"), f"PTY,link={line},rawer", f"TCP:127.0.0.1:{port}"
        )
        try:
            async with asyncio.timeout(10):
                while not os.path.lexists(line):  # noqa: ASYNC110, ASYNC240 - socat's file has no event
                    await asyncio.sleep(0.005)
            where = ["-m", "rtu", "-b", "9600", "-P", "none", str(line)]
            seen = await asyncio.to_thread(_mbpoll, where, row)
        finally:
            socat.terminate()
            await socat.wait()
    words = campus.meters[meter].words(row.function, row.address, row.words, NOW_MS)
    assert seen == pytest.approx(READERS[row.type, row.byte_order](words), rel=1e-6)


# --- refusals ------------------------------------------------------------------------------------

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, GATEWAY_NO_RESPONSE = 1, 2, 3, 11


async def test_a_meter_refuses_what_it_has_not(campus: Campus) -> None:
    """e-b1 is a DTSD1352: energy at 0, voltages from 0x61; at most 120 registers at once."""
    async with _serving(campus, "e-b1", "tcp") as port, _client(port, "tcp") as client:
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


async def test_values_are_those_of_the_moment_of_the_request(campus: Campus) -> None:
    clock = StillClock(NOW_MS)
    server = TcpPort(Bus("bus", {7: campus.meters["e-main"]}, clock, "tcp"))
    port = (await server.start()).port
    try:
        async with _client(port, "tcp") as client:
            for _ in range(5):
                shown = _pymodbus(await _read(client, 3, 0, 2), _TYPES.UINT32) * 8  # 0.01 x CT 800
                now = np.asarray([clock.time_ms])
                assert shown == campus.meters["e-main"].readings(now)["energy_kwh"][0]
                clock.time_ms += 3_600_000
    finally:
        await server.stop()


async def test_a_stopped_server_drops_its_connections(campus: Campus) -> None:
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


async def test_several_units_and_masters_share_a_bus(example: SiteFolder, campus: Campus) -> None:
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
    async with fleet.serving(campus, StillClock(NOW_MS), seen=seen.append) as places:
        assert set(places) == set(example.site.buses)
        await asyncio.gather(*(ask(places, name) for name in [*rows, *rows]))
    assert sorted(one.meter or "" for one in seen) == sorted([*rows, *rows])
    assert {one.verdict for one in seen} == {"good"}
    with pytest.raises((ModbusException, AssertionError)):
        await ask(places, "e-main")  # nobody listens any more
