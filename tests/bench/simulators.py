"""Measure the cost of a large simulated centre: 2,000 meters on 100 ports, on one core.

The simulator is a process of its own; the polling client is in this process, on another core. Each
meter is asked for 60 registers every 10 s, evenly distributed, with one connection for each port
and one request in flight on it. The centre has 100 buildings with a main and sub-meters of each
medium, and above them a main of all electricity and one of all water, whose requests are the most
expensive.
"""

import asyncio
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from statistics import quantiles

from jieneng.metering.quantities import MEDIA, QUANTITIES, Medium
from tests.bench.process import Cores, cpu_s, resident_mb, running_on
from tests.bench.result import Result

_HOUSES, _METERS = 100, 2000
_INTERVAL_S, _MEASURE_S, _TIMEOUT_S = 10.0, 40.0, 1.0
_WORDS = 60
_ITEMS = ("lighting", "hvac", "power", "special")


class _Bus(asyncio.Protocol):
    """The client's end of one port."""

    def __init__(self) -> None:
        self._received = b""
        self._numbers = count(1)
        self._waiting: tuple[int, asyncio.Future[bool]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 6 + (length := _length(self._received)):
            frame, self._received = self._received[: 6 + length], self._received[6 + length :]
            number, answer = int.from_bytes(frame[:2], "big"), self._waiting
            if answer is not None and answer[0] == number and not answer[1].done():
                answer[1].set_result(frame[7] == 3 and len(frame) == 9 + 2 * _WORDS)

    async def ask(self, unit: int) -> bool:
        """Whether the unit gives its registers in time."""
        number = next(self._numbers) % 65536
        answer = asyncio.get_running_loop().create_future()
        self._waiting = (number, answer)
        self._transport.write(struct.pack(">HHHBBHH", number, 0, 6, unit, 3, 0, _WORDS))
        try:
            return await asyncio.wait_for(answer, _TIMEOUT_S)
        except TimeoutError:
            return False


def _length(received: bytes) -> int:
    """Bytes behind the sixth of a Modbus TCP frame; more than there are while it is not known."""
    return int.from_bytes(received[4:6], "big") if len(received) >= 6 else 65536


def results() -> Iterator[Result]:
    """From the command to the file that says where the ports are, then four rounds of polls."""
    with tempfile.TemporaryDirectory() as folder:
        _write_site(Path(folder))
        cores = Cores.of_this_machine()
        with running_on(cores.others):
            begin = time.perf_counter()
            with running_on(cores.subject):
                simulator = subprocess.Popen(
                    [sys.executable, "-m", "jieneng", "simulate", "--site", folder],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            try:
                ports = _ports(simulator, Path(folder) / "ports.json")
                if ports is None:
                    sys.stderr.write("simulators: the simulator ended before its ports were open\n")
                    return
                start_s = time.perf_counter() - begin
                cpu = cpu_s(simulator.pid)
                latencies_ms = asyncio.run(_poll(ports))
                share = (cpu_s(simulator.pid) - cpu) / _MEASURE_S
                memory_mb = resident_mb(simulator.pid)
            finally:
                simulator.terminate()
                simulator.wait()
    yield Result(bench="simulators.start", value=start_s, unit="s", bar="< 5")
    answered = len(latencies_ms) / (_METERS * _MEASURE_S / _INTERVAL_S)
    yield Result(bench="simulators.answered", value=answered, unit="share of polls", bar="1")
    if len(latencies_ms) > 1:
        hundredths = quantiles(latencies_ms, n=100)
        yield Result(bench="simulators.answer_p50", value=hundredths[49], unit="ms")
        yield Result(bench="simulators.answer_p99", value=hundredths[98], unit="ms", bar="< 50")
        yield Result(bench="simulators.answer_max", value=max(latencies_ms), unit="ms")
    yield Result(bench="simulators.cpu", value=share, unit="share of a core")
    yield Result(bench="simulators.resident_memory", value=memory_mb, unit="MB")


def _ports(
    simulator: "subprocess.Popen[bytes]", path: Path
) -> Mapping[str, tuple[str, int]] | None:
    """Where the buses listen, once they do; None if they never will."""
    while not path.exists():
        if simulator.poll() is not None:
            return None
        time.sleep(0.005)
    return json.loads(path.read_text())  # type: ignore[no-any-return]  # JSON


async def _poll(ports: Mapping[str, tuple[str, int]]) -> list[float]:
    """How long each answered request took [ms]."""
    loop = asyncio.get_running_loop()
    buses = []
    for house in range(_HOUSES):
        host, port = ports[f"bus-{house}"]
        _, bus = await loop.create_connection(_Bus, host, port)
        buses.append(bus)
    begin = loop.time()
    taken = await asyncio.gather(*(_poll_bus(one, begin, n) for n, one in enumerate(buses)))
    return [one for each in taken for one in each]


async def _poll_bus(bus: _Bus, begin: float, number: int) -> list[float]:
    """The meters of a bus by turns. What comes late because an answer did is late from its time."""
    loop = asyncio.get_running_loop()
    taken_ms = []
    units = _METERS // _HOUSES
    for turn in range(round(units * _MEASURE_S / _INTERVAL_S)):
        due = begin + (turn * _HOUSES + number) * _INTERVAL_S / _METERS
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
            due = loop.time()  # how exactly this process sleeps is not the simulator's business
        if await bus.ask(turn % units + 1):
            taken_ms.append(1000 * (loop.time() - due))
    return taken_ms


def _write_site(folder: Path) -> None:
    rows = ['[site]\nid = "bench"\nname = "bench"\n']
    for house in range(_HOUSES):
        rows.append(
            f'[[area]]\nid = "house-{house}"\nname = "house"\n'
            f"floor_area_m2 = [{{from = 2020-01-01, value = {5000 + 37 * house}.0}}]\n"
            f"headcount = [{{from = 2020-01-01, value = {200 + house}}},"
            f" {{from = 2023-07-01, value = {190 + house}}}]\n"
            f'[[bus]]\nid = "bus-{house}"\nagent = "agent"\nhost = "127.0.0.1"\n'
        )
        rows += _house(house)
    (folder / "site.toml").write_text("\n".join(rows))
    (folder / "simulator.toml").write_text('ports_file = "ports.json"\n')
    (folder / "models").mkdir()
    for medium in MEDIA:
        (folder / "models" / f"{medium}.toml").write_text(_model(medium))


def _house(number: int) -> Iterator[str]:
    """A building's 20 meters; the first two have a main of the whole centre among them."""
    units = count(1)

    def meter(name: str, medium: Medium, parent: str = "", item: str = "") -> str:
        return (
            f'[[meter]]\nid = "{name}"\nname = "meter"\nmedium = "{medium}"\n'
            f'model = "bench-{medium}"\nbus = "bus-{number}"\nunit = {next(units)}\n'
            f'area = "house-{number}"\nrated_max = 500.0\ninterval_s = {_INTERVAL_S}\n'
            + (f'parent = "{parent}"\n' if parent else "")
            + (f'item = "{item}"\n' if item else "")
        )

    yield meter(f"e-{number}", "electricity", "e")
    yield meter(f"w-{number}", "water", "w")
    yield meter(f"g-{number}", "gas")
    for sub in range(2):
        yield meter(f"w-{number}-{sub}", "water", f"w-{number}")
        yield meter(f"g-{number}-{sub}", "gas", f"g-{number}")
    if number < 2:
        yield meter("ew"[number], ("electricity", "water")[number])
    for sub in range(12 if number < 2 else 13):
        yield meter(f"e-{number}-{sub}", "electricity", f"e-{number}", _ITEMS[sub % len(_ITEMS)])


def _model(medium: Medium) -> str:
    """All quantities of a medium within 60 registers: counters of 64 bits, gauges of 32."""
    head = (
        f'[model]\nid = "bench-{medium}"\nname = "bench"\nmedium = "{medium}"\n'
        f'source = "made for this bench"\nconfidence = "manual"\nmax_gap = {_WORDS}\n'
    )
    quantities = sorted(
        (row for row in QUANTITIES.values() if medium in row.media), key=lambda row: row.kind
    )
    rows, address = [head], 0
    for row in quantities:
        words = 4 if row.kind == "counter" else 2
        if row is quantities[-1]:
            address = _WORDS - words  # what lies between is read along
        rows.append(
            f'[[point]]\nquantity = "{row.name}"\nfunction = 3\naddress = {address}\n'
            f'type = "f{16 * words}"\n'
        )
        address += words
    return "\n".join(rows)
