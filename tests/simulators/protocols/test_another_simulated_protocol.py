"""Add a protocol to the simulators: this needs one module and one row in `PROTOCOLS`.

The example is DL/T 645-2007 on the same pair of wires as Modbus. The section "simulator" is what a
real addition would put into `simulators/protocols/dlt645.py`. The form of its models, which agent
and simulator share, and the agent's own protocol are those of the agent's test of the same name;
the agent's protocol shares no code with the simulator's, so that each checks the other.
"""

import ast
import asyncio
import math
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec
import pytest

import simulators
from edge_agent.protocols import PROTOCOLS as AGENT_PROTOCOLS
from jieneng.metering.catalog.model_forms import MODEL_FORMS
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import LinkKind
from jieneng.site_folder import SiteFolder
from simulators.faults.reply_faults import BadChecksum, Busy
from simulators.protocols import PROTOCOLS
from simulators.protocols.register_words import Layout, encode, number
from simulators.protocols.simulated_protocol import Register, ShownUnits, SimulatedProtocol
from simulators.scripting.fault_script import FaultScript
from simulators.serving import site_server
from simulators.serving.control_http import exchange_row
from simulators.serving.simulated_bus import ExchangeRecord
from simulators.settings import LoadRow, SimulatorSettings
from simulators.simulated_site import SimulatedSite
from tests.edge_agent.agent_setup import running, until
from tests.edge_agent.protocols.test_another_protocol import (
    ADDRESS,
    DLT645,
    FORM,
    Dlt645Model,
    Polls,
    folder,
)
from tests.simulators.clocks import StillClock
from tests.simulators.scene import checksum

pytestmark = pytest.mark.server

# --- simulator: what a real addition would put into simulators/protocols/dlt645.py ----------------

_START, _END, _OFFSET = 0x68, 0x16, 0x33
_READ, _DATA, _REFUSAL = 0x11, 0x91, 0xD1
_NO_SUCH_DATA: Final = 0x02


class Dlt645Request(msgspec.Struct, frozen=True):
    """A read of a data identifier, as hexadecimal digits; see `BusRequest`."""

    device: str
    control: int
    identifier: str

    @property
    def fields(self) -> Mapping[str, object]:
        return {"address": self.device, "identifier": self.identifier}


class Dlt645Register(Register, frozen=True):
    """A number of packed decimal digits behind a data identifier."""

    identifier: str


class Dlt645Codec:
    """Frames of a serial line; see `Codec`."""

    longest_frame_bytes: Final = 12 + 255
    silence_ends_frame: Final = True
    missing_device_code: Final = None

    def take(self, buffer: bytearray) -> Dlt645Request | None:
        while (start := buffer.find(_START)) >= 0:
            del buffer[:start]
            end = 12 + buffer[9] if len(buffer) > 9 else 12
            if len(buffer) < end:
                return None
            frame = bytes(buffer[:end])
            if frame[7] == _START and frame[-2:] == bytes([sum(frame[:-2]) & 0xFF, _END]):
                del buffer[:end]
                data = bytes((byte - _OFFSET) & 0xFF for byte in frame[10:-2])
                return Dlt645Request(frame[6:0:-1].hex(), frame[8], data[3::-1].hex().upper())
            del buffer[:1]
        buffer.clear()
        return None

    def reply(self, request: Dlt645Request, contents: bytes) -> bytes:
        return self._frame(request, _DATA, bytes.fromhex(request.identifier)[::-1] + contents)

    def refusal(self, request: Dlt645Request, code: int) -> bytes:
        return self._frame(request, _REFUSAL, bytes([code]))

    def _frame(self, request: Dlt645Request, control: int, data: bytes) -> bytes:
        shifted = bytes((byte + _OFFSET) & 0xFF for byte in data)
        address = bytes.fromhex(request.device)[::-1]
        body = bytes([_START, *address, _START, control, len(data)]) + shifted
        return body + bytes([sum(body) & 0xFF, _END])


class Dlt645Device:
    """A device of a model; see `Device`."""

    def __init__(self, model: Dlt645Model, ct: Fraction, pt: Fraction, _: str) -> None:
        self.registers = tuple(
            Dlt645Register(
                point=row,
                layout=Layout("bcd", 8 * row.size, "ABCDEFGH"[: row.size][::-1]),
                step=row.canonical_scale(ct, pt),
                rollover_units=10 ** (2 * row.size),
                identifier=row.identifier,
            )
            for row in model.point
        )

    def refusal_code(self, request: Dlt645Request) -> int | None:
        known = {register.identifier for register in self.registers}
        return None if request.control == _READ and request.identifier in known else _NO_SUCH_DATA

    def contents(self, request: Dlt645Request, shown: ShownUnits) -> bytes:
        [register] = [one for one in self.registers if one.identifier == request.identifier]
        return b"".join(
            word.to_bytes(2, "big") for word in encode(shown(register), register.layout)
        )

    def decode(self, register: Register, request: Dlt645Request, contents: bytes) -> float:
        if not isinstance(register, Dlt645Register) or register.identifier != request.identifier:
            return math.nan
        return number(int.from_bytes(contents[::-1], "big"), register.layout)


def codec(_: LinkKind) -> Dlt645Codec:
    return Dlt645Codec()


SIMULATED_DLT645: Final = SimulatedProtocol(new_codec=codec, new_device=Dlt645Device)

# --- the claim ------------------------------------------------------------------------------------

#: 36 kW since the start: a step of 0.01 kWh each second.
SETTINGS = SimulatorSettings(
    load=tuple(LoadRow(meter=name, steady=36.0) for name in ("modbus", "dlt645"))
)
NOW_MS = 1_748_916_000_000
READ_DLT645 = bytes.fromhex("68 78 56 34 12 00 00 68 11 04 33 33 34 33 C6 16")
READ_MODBUS = bytes.fromhex("07 04 00 05 00 02")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that a real addition would write."""
    monkeypatch.setitem(MODEL_FORMS, "dlt645", FORM)
    monkeypatch.setitem(AGENT_PROTOCOLS, "dlt645", DLT645)
    monkeypatch.setitem(PROTOCOLS, "dlt645", SIMULATED_DLT645)


@pytest.fixture
def place(tmp_path: Path, _registered: None) -> SiteFolder:
    """A site with a Modbus and a DL/T 645 meter on one bus."""
    return folder(tmp_path, 502)


@pytest.fixture
def simulated(place: SiteFolder) -> SimulatedSite:
    return site_server.simulate_site(place, SETTINGS)


def energy_of(simulated: SimulatedSite, meter: str) -> float:
    return simulated.meters[meter].values(NOW_MS)["energy_kwh"]


async def test_the_agent_polls_simulated_meters_of_both_protocols_on_one_bus(
    simulated: SimulatedSite, tmp_path: Path
) -> None:
    seen: list[ExchangeRecord] = []
    clock = StillClock(NOW_MS)
    async with site_server.serving(simulated, clock, on_exchange=seen.append) as endpoints:
        polls = Polls(folder(tmp_path, endpoints["line"].port))
        async with running(polls.poller.run()):
            await until(lambda: len(polls.energies("modbus")) > 2 < len(polls.energies("dlt645")))
    assert all(report.ok for report in polls.reports)
    for meter in ("modbus", "dlt645"):
        assert set(polls.energies(meter)) == {energy_of(simulated, meter)}
        values = {one.value for one in seen if one.meter == meter and one.value is not None}
        assert values == {energy_of(simulated, meter)}
    row = next(exchange_row(one) for one in seen if one.meter == "dlt645")
    assert (row["address"], row["identifier"], row["verdict"]) == (ADDRESS, "00010000", "good")


def exchange(master: int, request: bytes, size: int) -> bytes:
    """Send a request on a serial port and return the reply's first bytes."""
    os.write(master, request)
    reply = b""
    while len(reply) < size:
        reply += os.read(master, size - len(reply))
    return reply


async def test_a_serial_port_carries_both_and_each_answers_only_its_own_frames(
    place: SiteFolder,
) -> None:
    """The reply's bytes are worked out by hand: 68, address, 68, 91, 8 bytes, identifier, BCD."""
    bus = msgspec.structs.replace(place.site.bus[0], link="rtu", device="/dev/ttyS1")
    site = msgspec.structs.replace(place.site, bus=(bus,))
    on_serial_port = msgspec.structs.replace(place, site=site)
    simulated = site_server.simulate_site(on_serial_port, SETTINGS)
    seen: list[ExchangeRecord] = []
    async with site_server.serving(
        simulated, StillClock(NOW_MS), on_exchange=seen.append
    ) as endpoints:
        master = os.open(endpoints["line"].device or "", os.O_RDWR | os.O_NOCTTY)
        try:
            for _ in range(3):
                reply = await asyncio.to_thread(exchange, master, READ_DLT645, 20)
                hundredths = round(100 * energy_of(simulated, "dlt645"))
                digits = bytes.fromhex(f"{hundredths % 10**8:08d}")[::-1]
                data = bytes(byte + 0x33 for byte in b"\0\0\1\0" + digits)
                body = bytes.fromhex("68 78 56 34 12 00 00 68 91 08") + data
                assert reply == body + bytes([sum(body) & 0xFF, 0x16])
                asked = READ_MODBUS + checksum(READ_MODBUS)
                words = await asyncio.to_thread(exchange, master, asked, 9)
                assert words[:3] == b"\7\4\4"
        finally:
            os.close(master)
    assert [one.meter for one in seen] == 3 * ["dlt645", "modbus"]
    assert {one.verdict for one in seen} == {"good"}


def test_faults_of_bytes_befall_it_and_faults_of_modbus_do_not(simulated: SimulatedSite) -> None:
    script = FaultScript(simulated, 1, NOW_MS)
    script.place([BadChecksum(meter="dlt645"), Busy(bus="line")])
    with pytest.raises(ConfigError, match="busy needs a meter that speaks modbus"):
        script.place([Busy(meter="dlt645")])
    assert BadChecksum.is_possible("rtu", "dlt645")
    assert not Busy.is_possible("rtu", "dlt645")


def test_a_model_of_a_protocol_that_nobody_simulates_is_left_out(
    place: SiteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(PROTOCOLS, "dlt645")
    simulated = site_server.simulate_site(place, SETTINGS)
    assert set(simulated.meters) == {"modbus"}
    assert set(simulated.loads) == {"modbus", "dlt645"}


# --- where no protocol may be known ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["serving", "registers", "scoring", "load"])
def test_serving_and_registers_know_no_protocol_by_name(name: str) -> None:
    found = []
    for path in sorted((Path(simulators.__file__).parent / name).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "modbus" in text.lower():
            found.append(f"{path.name} names Modbus")
        found += [
            f"{path.name}:{node.lineno} uses {node.attr}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Attribute) and node.attr in {"function", "transaction"}
        ]
    assert not found
