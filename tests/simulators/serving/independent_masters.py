"""Independent masters for the tests of ports: pymodbus's client and mbpoll, and meters to read."""

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.mixin import ModbusClientMixin

from jieneng.metering.catalog.modbus_points import PartRow, PointRow, modbus_models
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import LinkKind
from jieneng.site_folder import packaged_models
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.serving.simulated_bus import SimulatedBus
from simulators.serving.tcp_port import TcpPort
from tests.patience import PATIENCE_S
from tests.servers import need
from tests.simulators.clocks import StillClock
from tests.simulators.modbus_words import words_of
from tests.simulators.registers.test_simulated_meter import ConstantLoad, a_meter

NOW_MS = 1_763_953_200_000  # 2025-11-24, a Monday, 11:00 in Huai'an
MODELS = modbus_models(packaged_models())
FRAMERS: dict[LinkKind, FramerType] = {"tcp": FramerType.SOCKET, "rtu_tcp": FramerType.RTU}

DATATYPES = ModbusClientMixin.DATATYPE
PYMODBUS = {
    "u16": DATATYPES.UINT16,
    "i16": DATATYPES.INT16,
    "u32": DATATYPES.UINT32,
    "i32": DATATYPES.INT32,
    "u64": DATATYPES.UINT64,
    "i64": DATATYPES.INT64,
    "f32": DATATYPES.FLOAT32,
    "f64": DATATYPES.FLOAT64,
}
# Types that pymodbus lacks, as a person would read them off the words, high word first.
BY_HAND: dict[str, Callable[[list[int]], float]] = {
    "bcd48": lambda words: float("".join(f"{word:04x}" for word in words)),
    "sm16": lambda words: (-1.0 if words[0] >> 15 else 1.0) * (words[0] & 0x7FFF),
    "sm32": lambda words: (
        (-1.0 if words[0] >> 15 else 1.0) * ((words[0] & 0x7FFF) << 16 | words[1])
    ),
}
# pymodbus knows word orders only: (swap the bytes first, word order).
ORDERS: dict[str, tuple[bool, Literal["big", "little"]]] = {
    "AB": (False, "big"), "ABCD": (False, "big"), "CDAB": (False, "little"),
    "DCBA": (True, "little"), "ABCDEF": (False, "big"), "ABCDEFGH": (False, "big"),
}  # fmt: skip
UNITS = {"W": 1e-3, "Wh": 1e-3, "VA": 1e-3, "var": 1e-3, "L/h": 1e-3, "bar": 100.0, None: 1.0}
CT = 40.0


def read_by(part: PointRow | PartRow, words: list[int]) -> float:
    """Return the number in words, by pymodbus if it knows the type."""
    swapped, word_order = ORDERS[part.byte_order]
    if swapped:
        words = [word % 256 << 8 | word // 256 for word in words]
    if part.type in BY_HAND:
        return BY_HAND[part.type](words[:: 1 if word_order == "big" else -1])
    kind = PYMODBUS[part.type]
    number = ModbusClientMixin.convert_from_registers(words, kind, word_order=word_order)
    assert isinstance(number, int | float)
    return number


def value_of(row: PointRow, words_of: Callable[[PointRow | PartRow], list[int]]) -> float:
    """Return a point's value, worked out as a person would from the manual."""
    number = read_by(row, words_of(row))
    if row.bits is not None:
        number = int(number) >> row.bits[0] & (1 << (row.bits[1] - row.bits[0] + 1)) - 1
    if row.fraction is not None:
        number += read_by(row.fraction, words_of(row.fraction)) * float(row.fraction.scale)
    if row.exponent is not None:
        number *= 10.0 ** read_by(row.exponent, words_of(row.exponent))
    return number * float(row.scale) * UNITS[row.unit] * (CT if "ct" in row.ratio else 1.0)


def simulated_device(model: str) -> SimulatedMeter:
    """Return a meter of a model that has run for five years."""
    medium = MODELS[model].model.medium
    ct = [{"from": "2020-01-01", "value": CT}] if medium == "electricity" else []
    return a_meter(ConstantLoad(12.3456), medium=medium, model=model, ct=ct)


def counter_row(model: str) -> PointRow:
    wanted = CONSUMPTION[MODELS[model].model.medium]
    return next(row for row in MODELS[model].point if row.quantity == wanted)


@asynccontextmanager
async def pymodbus_client(port: int, framing: LinkKind) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FRAMERS[framing], retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


@asynccontextmanager
async def serving_on_tcp(meter: SimulatedMeter, framing: LinkKind) -> AsyncIterator[int]:
    server = TcpPort(SimulatedBus("bus", [(7, meter)], StillClock(NOW_MS), framing))
    endpoint = await server.start()
    try:
        yield endpoint.port
    finally:
        await server.stop()


async def read_registers(
    client: AsyncModbusTcpClient, function: int, address: int, count: int, unit: int = 7
) -> list[int]:
    ask = client.read_holding_registers if function == 3 else client.read_input_registers
    answer = await ask(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


# mbpoll's options for counters: -B for the high word first; other types it shows in hexadecimal.
MBPOLL: dict[tuple[str, str], tuple[str, ...]] = {
    ("u32", "ABCD"): ("int", "-B"),
    ("i32", "ABCD"): ("int", "-B"),
    ("f32", "ABCD"): ("float", "-B"),
    ("i32", "CDAB"): ("int",),
    ("u32", "CDAB"): ("int",),
}


def mbpoll(where: list[str], row: PointRow) -> float:
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
    return read_by(row, [int(word, 16) for word in shown])


def held_number(meter: SimulatedMeter, row: PointRow) -> float:
    return read_by(row, words_of(meter, row.function, row.address, row.words, NOW_MS))
