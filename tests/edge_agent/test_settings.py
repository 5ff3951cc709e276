"""The assignment of an agent is complete before it starts, or the error tells how to fix it."""

from pathlib import Path

import pytest

from edge_agent.links.link import SerialLink, TcpLink, bus_link
from edge_agent.protocols import framing
from edge_agent.settings import AgentHead, AgentSettings, BusOverride, SpoolSettings, assignment
from jieneng import config_file
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Bus, Site
from jieneng.site_folder import SiteFolder
from tests.edge_agent.agent_setup import bus, meter, site


def refused(where: Site, how: AgentSettings) -> str:
    with pytest.raises(ConfigError) as error:
        assignment(where, how)
    return str(error.value)


def agent(name: str | None, *overrides: BusOverride) -> AgentSettings:
    return AgentSettings(agent=AgentHead(id=name), bus=overrides)


def test_every_key_of_the_file_is_known() -> None:
    text = """
[agent]
id = "agent-1"
[broker]
host = "broker.example"
[spool]
path = "/var/lib/jieneng/spool.sqlite"
max_bytes = 268435456
commit_delay_s = 0.5
[publish]
window = 50
ack_timeout_s = 20.0
status_interval_s = 30.0
max_samples = 200
[metrics]
host = "0.0.0.0"
port = 9101
[[bus]]
id = "plant-room"
host = "10.8.0.2"
port = 1502
"""
    found = config_file.decode(config_file.parse(text, "agent.toml"), AgentSettings)
    assert found.publish.window == 50
    assert found.bus == (BusOverride(id="plant-room", host="10.8.0.2", port=1502),)
    assert found.spool.file(Path("/site"), "agent-1") == Path("/var/lib/jieneng/spool.sqlite")


def test_an_empty_file_is_enough() -> None:
    found = config_file.decode(config_file.parse("", "agent.toml"), AgentSettings)
    assert found == AgentSettings()


def test_two_agents_in_one_folder_have_two_spools() -> None:
    files = {SpoolSettings().file(Path("/site"), name) for name in ("agent-1", "agent-2")}
    assert files == {Path("/site/spool-agent-1.sqlite"), Path("/site/spool-agent-2.sqlite")}


def test_an_agent_of_the_example_has_its_buses_and_their_meters(example: SiteFolder) -> None:
    mine = assignment(example.site, agent("agent-2"))
    assert [one.id for one in mine.buses] == ["block-3-gateway", "canteen-lan", "data-room-lan"]
    units = {one.unit for one in mine.meters["data-room-lan"]}
    assert units == {1, 2, 3}


def test_the_only_agent_need_not_be_named() -> None:
    where = site(bus("b", 502), meters=[meter("m", "b", 1)])
    assert assignment(where, agent(None)).agent == "agent-1"


def test_one_of_several_has_to_be_named(example: SiteFolder) -> None:
    said = refused(example.site, agent(None))
    assert said.startswith("agent.toml: ")
    assert "one of: agent-1, agent-2" in said


def test_a_misspelled_agent_is_corrected(example: SiteFolder) -> None:
    assert "Did you mean agent-1?" in refused(example.site, agent("agnet-1"))
    assert "Use one of: agent-1, agent-2" in refused(example.site, agent("zzz"))


def test_a_site_without_buses_has_nothing_to_poll() -> None:
    assert "nothing to poll" in refused(site(meters=[]), agent(None))


def test_a_bus_is_reached_where_the_agent_says() -> None:
    where = site(bus("b", 502), bus("c", 503), meters=[meter("m", "b", 1), meter("n", "c", 1)])
    mine = assignment(where, agent(None, BusOverride(id="c", host="10.0.0.9", port=1502)))
    assert [(one.host, one.port) for one in mine.buses] == [("127.0.0.1", 502), ("10.0.0.9", 1502)]


def test_the_bus_of_an_override_exists() -> None:
    where = site(bus("plant", 502), meters=[meter("m", "plant", 1)])
    assert "Did you mean plant?" in refused(where, agent(None, BusOverride(id="plan")))


def serial(name: str, device: str) -> Bus:
    return Bus(id=name, agent="agent-1", link="rtu", device=device)


def test_a_serial_bus_is_polled() -> None:
    where = site(serial("s", "/dev/ttyS1"), meters=[meter("m", "s", 1)])
    (mine,) = assignment(where, agent(None)).buses
    assert (mine.link, mine.device) == ("rtu", "/dev/ttyS1")


def test_a_serial_bus_is_reached_where_the_agent_says() -> None:
    where = site(serial("s", "/dev/ttyS1"), meters=[meter("m", "s", 1)])
    mine = assignment(where, agent(None, BusOverride(id="s", device="/dev/ttyUSB0")))
    assert [one.device for one in mine.buses] == ["/dev/ttyUSB0"]


def test_two_buses_at_one_serial_port_are_one_bus() -> None:
    where = site(
        serial("b", "/dev/ttyS1"),
        serial("c", "/dev/ttyS1"),
        serial("d", "/dev/ttyS2"),
        meters=[meter("m", "b", 1), meter("n", "c", 2), meter("o", "d", 1)],
    )
    said = refused(where, agent(None))
    assert "buses b and c have the same address /dev/ttyS1." in said
    assert len(said.splitlines()) == 1


def test_two_buses_at_one_address_are_one_bus() -> None:
    where = site(bus("b", 502), bus("c", 502), meters=[meter("m", "b", 1), meter("n", "c", 2)])
    assert "Make them one bus" in refused(where, agent(None))


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        ("localhost", "127.0.0.1", "127.0.0.1:502"),
        ("LocalHost.", "localhost", "127.0.0.1:502"),
        ("Gateway.local", "gateway.LOCAL", "gateway.local:502"),
        ("gateway.lan.", "gateway.lan", "gateway.lan:502"),
        ("::1", "0:0:0:0:0:0:0:1", "[::1]:502"),
        ("2001:DB8::a", "2001:db8:0:0::A", "[2001:db8::a]:502"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7:502"),
    ],
)
def test_two_spellings_of_one_gateway_are_one_gateway(one: str, other: str, place: str) -> None:
    first = Bus(id="b", agent="agent-1", host=one)
    second = Bus(id="c", agent="agent-1", link="rtu_tcp", host=other)
    said = refused(site(first, second, meters=[]), agent(None))
    assert f"buses b and c have the same address {place}." in said


@pytest.mark.parametrize(
    "other", ["/dev/../dev/ttyUSB0", "//dev/ttyUSB0", "/dev//ttyUSB0", "/dev/./ttyUSB0"]
)
def test_two_spellings_of_one_serial_port_are_one_port(other: str) -> None:
    said = refused(site(serial("b", "/dev/ttyUSB0"), serial("c", other), meters=[]), agent(None))
    assert "buses b and c have the same address /dev/ttyUSB0." in said


def test_names_of_serial_ports_that_differ_in_case_are_two_ports() -> None:
    where = site(
        serial("b", "/dev/ttyS1"),
        serial("c", "/dev/ttys1"),
        meters=[meter("m", "b", 1), meter("n", "c", 1)],
    )
    assert len(assignment(where, agent(None)).buses) == 2


def test_all_problems_are_said_at_once() -> None:
    where = site(bus("b", 502), bus("c", 502), meters=[])
    said = refused(where, agent(None, BusOverride(id="x"), BusOverride(id="y")))
    assert len(said.splitlines()) == 3


def test_a_bus_without_meters_is_left_alone() -> None:
    where = site(bus("b", 502), bus("c", 503), meters=[meter("m", "b", 1)])
    assert [one.id for one in assignment(where, agent(None)).buses] == ["b"]


@pytest.mark.parametrize("delay_s", [-0.1, 11.0])
def test_a_delay_that_no_bus_needs_is_refused(delay_s: float) -> None:
    text = f'[site]\nid = "s"\nname = "s"\n[[bus]]\nid = "b"\nagent = "a"\ndelay_s = {delay_s}\n'
    with pytest.raises(ConfigError, match="delay_s"):
        config_file.decode(config_file.parse(text, "site.toml"), Site)


def test_a_link_is_as_its_bus_says() -> None:
    tcp = bus_link(Bus(id="b", agent="a", host="h", timeout_s=0.7, delay_s=0.2), lambda: 0)
    assert isinstance(tcp, TcpLink)
    assert (tcp._timing.timeout_s, tcp._timing.gap_s) == (0.7, 0.2)
    assert framing("modbus", "tcp").numbered
    over = Bus(id="b", agent="a", link="rtu_tcp", host="h")
    assert isinstance(bus_link(over, lambda: 0), TcpLink)
    assert not framing("modbus", "rtu_tcp").numbered
    line = Bus(id="b", agent="a", link="rtu", device="/dev/ttyS1", baud=2400, parity="E")
    serial = bus_link(line, lambda: 0)
    assert isinstance(serial, SerialLink)
    assert serial._settings == {"baudrate": 2400, "parity": "E", "stopbits": 1}
    assert serial._timing.gap_s == pytest.approx(3.5 * 11 / 2400)
