"""Add a protocol to a bus: this needs one protocol file, one form for points, and one simulator.

The example is DL/T 645-2007, the protocol of Chinese electricity meters, on the same pair of wires
as Modbus meters. This file brings all that a real addition would bring:

1. `edge_agent/protocols/dlt645.py`: the section "protocol", and a row in `PROTOCOLS`.
2. `jieneng/metering/catalog/dlt645_points.py`: the section "form", and a row in `MODEL_FORMS`.
3. `simulators/`: the section "simulator".

Nothing else is touched: not the poller, the schedule, the spool, publishing, links, site or checks.
"""

import ast
import asyncio
import math
import struct
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

import msgspec
import pytest
from msgspec import Meta
from structlog.testing import capture_logs

import edge_agent
from edge_agent.commissioning import bus_time_budget
from edge_agent.links.link import bus_link
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.protocols import PROTOCOLS
from edge_agent.protocols.crc import crc
from edge_agent.protocols.request_reply import BusProtocol, Exchange, FailureKind, Framing
from jieneng import observe, site_folder
from jieneng.clock import SystemClock
from jieneng.metering.catalog.meter_model import Model, Point, Vector
from jieneng.metering.catalog.model_forms import MODEL_FORMS, ModelForm
from jieneng.metering.errors import ConfigError, DeviceRefused, Problem, ReplyError, StrayReply
from jieneng.metering.reading import PollReport, Sample
from jieneng.metering.site import Bus, Meter
from jieneng.site_folder import SiteFolder
from tests.edge_agent.agent_setup import running, until

pytestmark = pytest.mark.server

# --- form: what a real addition would put into jieneng/metering/catalog/dlt645_points.py ----------


class Dlt645Point(Point, frozen=True, kw_only=True):
    """A `[[point]]`: a number of packed decimal digits behind a data identifier.

    Attributes:
        identifier: data identifier DI3 DI2 DI1 DI0, in hexadecimal.
        size: bytes of the number.
    """

    identifier: Annotated[str, Meta(pattern=r"^[0-9A-F]{8}$")]
    size: Annotated[int, Meta(ge=1, le=8)]


class Dlt645Model(Model, frozen=True, kw_only=True):
    """A meter model whose quantities have data identifiers."""

    point: tuple[Dlt645Point, ...]
    vector: tuple[Vector, ...] = ()


class Dlt645Read(msgspec.Struct, frozen=True):
    """A request for a data identifier."""

    identifier: str
    size: int
    quantities: tuple[str, ...]
    decode: Callable[[bytes], tuple[float, ...]]

    @property
    def request_key(self) -> str:
        return self.identifier

    @property
    def reply_shape(self) -> str:
        return self.identifier  # a reply repeats it

    @property
    def log_fields(self) -> Mapping[str, object]:
        return {"identifier": self.identifier}


def plan(
    model: Dlt645Model,
    ratios: Mapping[str, Fraction] | None = None,
    wanted: Collection[str] | None = None,
) -> tuple[Dlt645Read, ...]:
    """Return one read for each wanted quantity."""
    ct, pt = ((ratios or {}).get(name, Fraction(1)) for name in ("ct", "pt"))
    return tuple(
        Dlt645Read(row.identifier, row.size, (row.quantity,), digits(row.canonical_scale(ct, pt)))
        for row in model.point
        if wanted is None or row.quantity in wanted
    )


def digits(scale: Fraction) -> Callable[[bytes], tuple[float, ...]]:
    """Return the decoder of packed decimal digits, the lowest byte first."""

    def decode(data: bytes) -> tuple[float, ...]:
        text = data[::-1].hex()
        number = int(text) if text.isdecimal() else math.nan
        return (number * scale.numerator / scale.denominator,)

    return decode


def no_problems(*_: object) -> Iterator[Problem]:
    yield from ()


FORM: Final = ModelForm(
    model=Dlt645Model,
    point_problems=no_problems,
    model_problems=no_problems,
    reads=plan,
    links=frozenset({"rtu_tcp", "rtu"}),
    address_key="address",
    address_problems=no_problems,
)

# --- protocol: what a real addition would put into edge_agent/protocols/dlt645.py -----------------

START, END, PREAMBLE = 0x68, 0x16, b"\xfe"
READ, DATA, REFUSAL = 0x11, 0x91, 0xD1
HEAD_BYTES = 10  # start, address of six bytes, start, control code, length
TAIL_BYTES = 2  # checksum, end
OFFSET = 0x33  # added to each data byte


def frame(address: bytes, control: int, data: bytes) -> bytes:
    """Return a frame; address as sent, lowest byte first."""
    body = bytes([START, *address, START, control, len(data)])
    body += bytes((byte + OFFSET) & 0xFF for byte in data)
    return body + bytes([sum(body) & 0xFF, END])


class Dlt645Request(msgspec.Struct, frozen=True):
    """A read of a meter, encoded."""

    address: bytes
    identifier: bytes

    def exchange(self, _: int) -> Exchange:
        came = yield frame(self.address, READ, self.identifier), HEAD_BYTES + TAIL_BYTES, False
        while len(reply := came.lstrip(PREAMBLE)) < HEAD_BYTES:
            came += yield b"", HEAD_BYTES - len(reply), True
        if reply[0] != START or reply[7] != START:
            raise ReplyError("not a DL/T 645 frame: {head}", head=reply[:HEAD_BYTES].hex(" "))
        end = HEAD_BYTES + reply[9] + TAIL_BYTES
        while len(reply) < end:
            reply += yield b"", end - len(reply), True
        if reply[end - 2] != sum(reply[: end - 2]) & 0xFF or reply[end - 1] != END:
            raise ReplyError("wrong checksum of {data}", data=reply[:end].hex(" "))
        data = bytes((byte - OFFSET) & 0xFF for byte in reply[HEAD_BYTES : end - TAIL_BYTES])
        if reply[1:7] != self.address:
            raise StrayReply("another meter answered")
        if reply[8] == REFUSAL:
            return DeviceRefused(data[0]), reply[end:]
        if reply[8] != DATA or data[:4] != self.identifier:
            raise StrayReply("another identifier was answered")
        return data[4:], reply[end:]


def request(meter: Meter, read: Dlt645Read) -> Dlt645Request:
    """Return the request; addresses and identifiers are sent lowest byte first."""
    address = bytes.fromhex(meter.address or "")[::-1]
    return Dlt645Request(address, bytes.fromhex(read.identifier)[::-1])


def line_bytes(read: Dlt645Read) -> int:
    """Return the bytes of request and reply."""
    return 2 * (HEAD_BYTES + 4 + TAIL_BYTES) + read.size


NO_DATA = 0x02  # bit 1 of the error byte: no such data
SERIAL: Final = Framing(
    request=request, numbered=False, refusal_kinds={NO_DATA: FailureKind.NOT_THERE}
)
DLT645: Final = BusProtocol(framings={"rtu_tcp": SERIAL, "rtu": SERIAL}, line_bytes=line_bytes)

# --- simulator: a gateway with one meter of each protocol on its wire -----------------------------

ADDRESS = "000012345678"
ENERGY_HUNDREDTHS = 81234567  # 812345.67 kWh


class Wire:
    """The meters behind the gateway; each answers only in its own protocol.

    Attributes:
        asked: the requests, in order.
        open: number of connections.
        late_s: delay of the Modbus meter's next reply [s].
        refuses: whether the DL/T 645 meter says that it has no such data.
    """

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.open = 0
        self.late_s = 0.0
        self.refuses = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while head := await reader.readexactly(8):
                if head[0] == START and head[7] == START:
                    frame = head + await reader.readexactly(2)
                    frame += await reader.readexactly(frame[9] + TAIL_BYTES)
                    self.asked.append(frame)
                    writer.write(self.dlt645(frame))
                else:
                    self.asked.append(head)
                    late_s, self.late_s = self.late_s, 0.0
                    loop = asyncio.get_running_loop()
                    loop.call_later(late_s, writer.write, self.modbus(head))
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.open -= 1
            writer.close()

    def dlt645(self, frame_: bytes) -> bytes:
        address, identifier = frame_[1:7], frame_[HEAD_BYTES:-TAIL_BYTES]
        asked = bytes((byte - OFFSET) & 0xFF for byte in identifier)
        assert (address[::-1].hex(), asked[::-1].hex()) == (ADDRESS, "00010000")
        if self.refuses:
            return frame(address, REFUSAL, bytes([NO_DATA]))
        energy = bytes.fromhex(str(ENERGY_HUNDREDTHS))[::-1]
        return 4 * PREAMBLE + frame(address, DATA, asked + energy)

    def modbus(self, question: bytes) -> bytes:
        (count,) = struct.unpack(">H", question[4:6])
        reply: bytes = question[:2] + bytes([2 * count]) + count * b"\x00\x07"
        return reply + crc(reply)


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[Wire, int]]:
    """Serve such meters on a free port."""
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    try:
        yield wire, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await until(lambda: not wire.open)


# --- the claim ------------------------------------------------------------------------------------

MODEL = """
[model]
id = "dlt645-meter"
name = "DL/T 645-2007 电能表"
medium = "electricity"
source = "DL/T 645-2007, table A.1"
confidence = "manual"
protocol = "dlt645"

[[point]]
quantity = "energy_kwh"
identifier = "00010000"
size = 4
scale = 0.01
ratio = ["ct"]
modulus = 1000000.0
"""
SITE = """
[site]
id = "s"
name = "s"
[[area]]
id = "a"
name = "a"
[[bus]]
id = "line"
agent = "agent-1"
link = "{link}"
host = "127.0.0.1"
port = {port}
timeout_s = 0.1
[[meter]]
id = "modbus"
name = "m"
medium = "electricity"
model = "pzem-016"
area = "a"
bus = "line"
unit = 7
interval_s = 0.2
[[meter]]
id = "dlt645"
name = "d"
medium = "electricity"
model = "dlt645-meter"
area = "a"
bus = "line"
{address}
interval_s = 0.2
"""


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two rows that a real addition would write."""
    monkeypatch.setitem(MODEL_FORMS, "dlt645", FORM)
    monkeypatch.setitem(PROTOCOLS, "dlt645", DLT645)


def folder(
    path: Path, port: int, link: str = "rtu_tcp", address: str = f'address = "{ADDRESS}"'
) -> SiteFolder:
    """Read such a site from its files."""
    (path / "models").mkdir(exist_ok=True)
    (path / "models" / "dlt645-meter.toml").write_text(MODEL, encoding="utf-8")
    (path / "site.toml").write_text(SITE.format(port=port, link=link, address=address))
    return site_folder.load(path)


class Polls:
    """Samples and reports that a bus poller handed on."""

    def __init__(self, place: SiteFolder) -> None:
        self.samples: list[Sample] = []
        self.reports: list[PollReport] = []
        bus, clock = place.site.bus[0], SystemClock()
        self.poller = BusPoller(
            bus.id,
            [
                PolledMeter(meter, place.models[meter.model or ""], place.site.zone)
                for meter in place.site.meter
            ],
            phase_key="agent",
            link=bus_link(bus, clock.now_ms),
            link_kind=bus.link,
            clock=clock,
            on_result=self.take,
            log=observe.log("test"),
        )

    def take(self, result: PollResult) -> None:
        self.reports.append(result.report())
        if (sample := result.sample()) is not None:
            self.samples.append(sample)

    def energies(self, meter: str) -> list[float]:
        return [
            sample.values[sample.quantities.index("energy_kwh")]
            for sample in self.samples
            if sample.meter == meter
        ]


async def test_one_poller_polls_a_modbus_and_a_dlt645_meter_on_one_bus(tmp_path: Path) -> None:
    async with gateway() as (wire, port):
        polls = Polls(folder(tmp_path, port))
        async with running(polls.poller.run()):
            await until(lambda: len(polls.energies("modbus")) > 2 < len(polls.energies("dlt645")))
    assert set(polls.energies("dlt645")) == {812345.67}
    assert set(polls.energies("modbus")) == {7 * 65.536 + 0.007}
    assert all(report.ok for report in polls.reports)
    assert bytes.fromhex("68 78 56 34 12 00 00 68 11 04 33 33 34 33 C6 16") in wire.asked


async def test_a_late_modbus_reply_is_never_taken_for_the_neighbours_answer(
    tmp_path: Path,
) -> None:
    """The link falls silent between the two, for neither protocol numbers its replies."""
    async with gateway() as (wire, port):
        polls = Polls(folder(tmp_path, port))
        async with running(polls.poller.run()):
            await until(lambda: polls.energies("dlt645") and polls.energies("modbus"))
            for _ in range(3):
                failed = sum(not report.ok for report in polls.reports)
                wire.late_s = 0.15
                await until(lambda: sum(not one.ok for one in polls.reports) > failed)  # noqa: B023
                heard = len(polls.energies("dlt645"))
                await until(lambda: len(polls.energies("dlt645")) > heard + 1)  # noqa: B023
    assert set(polls.energies("dlt645")) == {812345.67}
    assert {report.meter for report in polls.reports if not report.ok} == {"modbus"}


async def test_a_refusal_means_what_its_own_protocol_says(tmp_path: Path) -> None:
    async with gateway() as (wire, port):
        wire.refuses = True
        polls = Polls(folder(tmp_path, port))
        with capture_logs() as logs:
            async with running(polls.poller.run()):
                await until(lambda: any("check its model" in line["event"] for line in logs))
    [line] = [line for line in logs if "check its model" in line["event"]]
    assert (line["identifier"], line["address"]) == ("00010000", ADDRESS)


def test_its_models_and_addresses_are_checked_by_its_own_form(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="uses dlt645, which is not possible on bus line"):
        folder(tmp_path, 502, link="tcp")
    with pytest.raises(ConfigError, match="meter dlt645 needs its address on bus line"):
        folder(tmp_path, 502, address="")
    again = f'address = "{ADDRESS}"\n[[meter]]\nid = "twin"\nname = "t"\nmedium = "electricity"\n'
    again += f'model = "dlt645-meter"\narea = "a"\nbus = "line"\naddress = "{ADDRESS}"'
    with pytest.raises(ConfigError, match=f"both have address {ADDRESS}"):
        folder(tmp_path, 502, address=again)


def test_its_bytes_count_in_the_time_of_the_bus(tmp_path: Path) -> None:
    """16 and 20 bytes, where a Modbus read of one register takes 8 and 7."""
    place = folder(tmp_path, 502)
    bus: Bus = place.site.bus[0]
    [read] = plan(msgspec.convert(place.models["dlt645-meter"], Dlt645Model))
    longer_s = bus_time_budget.request_s(bus, read, "dlt645")
    assert longer_s == pytest.approx(36 * 10 / 9600 + 2 * 3.5 * 10 / 9600 + 0.02 + 0.002)
    [found] = bus_time_budget.bus_budgets(place.site, place.models)
    assert (found.meters, found.requests, found.silent_s) == (2, 2, 0.2)


# --- where no protocol may be known ---------------------------------------------------------------

#: Names that only Modbus has. `unit` is one, too, but it is also what a quantity is measured in.
MODBUS_NAMES = {"FRAMINGS", "ModbusModel", "ModbusRead", "PointRow", "function", "registers"}


@pytest.mark.parametrize("name", ["polling", "spool", "publishing"])
def test_pollers_spool_and_publishing_know_no_protocol_by_name(name: str) -> None:
    """Neither a name, nor an import, nor a limit of a 16-bit address."""
    found = []
    for path in sorted((Path(edge_agent.__file__).parent / name).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "modbus" in text.lower():
            found.append(f"{path.name} names Modbus")
        for node in ast.walk(ast.parse(text)):
            known = {
                ast.Name: lambda one: one.id,
                ast.Attribute: lambda one: one.attr,
                ast.arg: lambda one: one.arg,
                ast.keyword: lambda one: one.arg,
            }.get(type(node))
            if known is not None and known(node) in MODBUS_NAMES:
                found.append(f"{path.name}:{node.lineno} uses {known(node)}")  # type: ignore[attr-defined]  # each of these has one
            if isinstance(node, ast.Constant) and node.value == 0xFFFF:
                found.append(f"{path.name}:{node.lineno} has a limit of 16 bits")
    assert not found
