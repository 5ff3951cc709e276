"""`jieneng init` and `check`, as a newcomer types them."""

from pathlib import Path

import pytest

from tests.cli.run import jieneng

pytestmark = pytest.mark.server

OTHERS = (
    "agent.toml", "ingest.toml", "analytics.toml", "simulator.toml", "plan.toml", "factors.toml",
    "alerts.toml",
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "my-site"
    assert jieneng("init", folder).returncode == 0
    return folder


def test_a_new_site_is_found_right(site: Path) -> None:
    done = jieneng("check", "--site", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert "30 meters" in done.stdout


def test_a_meter_without_its_nameplate_is_a_mistake_until_somebody_says_why(site: Path) -> None:
    file = site / "site.toml"
    text = file.read_text()
    file.write_text(text.replace("rated_max = 2600.0\n", ""))
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    assert "meter e-main has no rated_max" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "bus plant-room: " in done.stdout
    file.write_text(text.replace("rated_max = 2600.0", 'rated_max_unknown = "painted over"'))
    done = jieneng("check", "--site", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert "can't be distinguished from consumption: e-main." in done.stdout


def test_init_never_overwrites(site: Path) -> None:
    done = jieneng("init", site)
    assert done.returncode == 2
    assert "not overwritten" in done.stderr


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "unknown key medum. Did you mean medium?"), ("zh", "medum")],
)
def test_a_misspelt_key_is_mended_from_the_message_alone(
    site: Path, language: str, says: str
) -> None:
    file = site / "site.toml"
    lines = file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("medium"))
    lines[number] = lines[number].replace("medium", "medum")
    file.write_text("\n".join(lines))
    done = jieneng("check", "--site", site, language=language)
    assert done.returncode == 1
    assert f"site.toml:{number + 1}: " in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", OTHERS)
def test_a_misspelt_key_of_any_other_file_is_told_too(site: Path, name: str) -> None:
    file = site / name
    before = file.read_text() if file.exists() else ""
    file.write_text(f"colour = 3\n{before}")
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    assert f"{name}:1: unknown key colour." in done.stderr


def test_all_files_problems_are_told_at_once(site: Path) -> None:
    (site / "ingest.toml").write_text('[store]\nkind = "influxdb"\n')
    (site / "agent.toml").write_text("[broker]\nport = 99999\n")
    done = jieneng("check", "--site", site)
    assert "ingest.toml:2: " in done.stderr
    assert "agent.toml:2: " in done.stderr


def test_mistakes_of_form_rules_and_services_are_reported_at_once(site: Path) -> None:
    file = site / "site.toml"
    text = file.read_text().replace(
        'parent = "e-b1"\nitem = "hvac"', 'parent = "e-b1"\nitem = "havc"'
    )
    text = text.replace('bus = "block-2-gateway"', 'bus = "block-2-gatewy"')
    attic = TWO_AT_ONE_PORT.format("attic", "agent-1")
    file.write_text(text + attic)
    (site / "agent.toml").write_text('[broker]\nport = "1883"\n')
    (site / "plan.toml").write_text("colour = 1\n")
    (site / "factors.toml").write_text("= 1\n")
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    assert 'item can\'t be "havc". Did you mean "hvac"?' in done.stderr
    assert done.stderr.count("block-2-gatewy is not defined; rows with this reference: e-b2, ") == 1
    assert "Did you mean block-2-gateway?" in done.stderr
    assert (
        'agent.toml:2: port can\'t be "1883". Write a whole number from 1 to 65535' in done.stderr
    )
    assert "plan.toml:1: unknown key colour." in done.stderr
    assert "factors.toml:1: this is not TOML" in done.stderr
    lines = [int(line.split(":")[1]) for line in done.stderr.splitlines() if "site.toml:" in line]
    assert lines == sorted(lines)


def test_buses_are_judged_although_a_meter_has_a_mistake(site: Path) -> None:
    file = site / "site.toml"
    text = file.read_text().replace('item = "hvac"', 'item = "havc"', 1)
    file.write_text(text + TWO_AT_ONE_PORT.format("attic", "agent-1"))
    done = jieneng("check", "--site", site)
    assert 'item can\'t be "havc"' in done.stderr
    assert "buses attic and attic-2 have the same address /dev/attic." in done.stderr


def test_an_agents_broken_file_is_not_reported_again_as_a_shared_gateway(site: Path) -> None:
    """The agent may reach the bus at an address of its own."""
    with_buses(
        site, BUS.format("attic", "agent-1", "10.0.0.7"), BUS.format("loft", "agent-2", "10.0.0.7")
    )
    (site / "agent.toml").write_text(
        '[agent]\nid = "agent-2"\n[[bus]]\nid = "loft"\nhost = "10.0.0.7:502"\n'
    )
    done = jieneng("check", "--site", site)
    assert done.stderr.count("\n") == 1
    assert 'agent.toml:5: host can\'t be "10.0.0.7:502".' in done.stderr


def test_no_text_of_a_library_reaches_the_reader(site: Path) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text().replace("interval_s = 10", 'interval_s = "10"'))
    for language in ("en", "zh"):
        done = jieneng("check", "--site", site, language=language)
        assert "Expected" not in done.stderr
        assert "interval_s = 10.0" in done.stderr


def test_warnings_are_no_errors(site: Path) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text().replace('name = "水泵"', 'name = "总进线"'))
    done = jieneng("check", "--site", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert ": warning: meters e-main, e-pumps are all named 总进线." in done.stdout


SMALL = """[site]
id = "s"
name = "s"
[[area]]
id = "house"
name = "house"
floor_area_m2 = [{from = 2020-01-01, value = 100.0}]
[[bus]]
id = "bus"
agent = "agent"
host = "192.0.2.1"
[[meter]]
id = "e-1"
name = "e-1"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "bus"
area = "house"
rated_max = 40.0
"""


def test_one_is_not_counted_as_many(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SMALL)
    done = jieneng("check", "--site", tmp_path)
    assert "s: 1 area, 1 bus, 1 meter (" in done.stdout
    assert "bus bus: 1 meter, " in done.stdout
    assert " % of the time." in done.stdout


def test_a_folder_without_a_site_is_one_sentence(tmp_path: Path) -> None:
    done = jieneng("check", "--site", tmp_path)
    assert done.returncode == 1
    assert "site.toml: this file does not exist." in done.stderr
    assert done.stderr.count("\n") == 1


TWO_AT_ONE_PORT = """
[[bus]]
id = "{0}"
agent = "{1}"
link = "rtu"
device = "/dev/{0}"
[[bus]]
id = "{0}-2"
agent = "{1}"
link = "rtu"
device = "/dev/{0}"
"""


@pytest.mark.parametrize("settings", ["", '[agent]\nid = "agent-1"\n'], ids=["defaults", "file"])
def test_check_refuses_a_serial_port_of_two_buses_as_edge_run_does(
    site: Path, settings: str
) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text() + TWO_AT_ONE_PORT.format("attic", "agent-1"))
    lines = file.read_text().splitlines()
    (site / "agent.toml").write_text(settings)
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    second = lines.index('id = "attic-2"') + 1
    assert (
        f"site.toml:{second}: buses attic and attic-2 have the same address /dev/attic."
        in done.stderr
    )
    assert done.stderr.count("have the same address /dev/attic") == 1


def test_check_asks_every_agent_of_the_site(site: Path) -> None:
    """An agent may have its settings elsewhere."""
    file = site / "site.toml"
    more = TWO_AT_ONE_PORT.format("attic", "agent-1") + TWO_AT_ONE_PORT.format("cellar", "agent-2")
    file.write_text(file.read_text() + more)
    done = jieneng("check", "--site", site)
    assert done.stderr.count("have the same address /dev/") == 2


BUS = """
[[bus]]
id = "{0}"
agent = "{1}"
host = "{2}"
port = 1502
"""
RTU = BUS.replace("host", 'link = "rtu"\ndevice').replace("port = 1502\n", "")


def with_buses(site: Path, *texts: str) -> list[str]:
    """A site's lines, with these buses added."""
    file = site / "site.toml"
    file.write_text(file.read_text() + "".join(texts))
    return file.read_text().splitlines()


def test_check_refuses_a_gateway_of_two_agents(site: Path) -> None:
    """A gateway may serve one connection only, and one of the agents would starve."""
    one = BUS.format("attic", "agent-1", "Gw.local")
    other = BUS.format("loft", "agent-2", "gw.local.")
    lines = with_buses(site, one, other)
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    second = lines.index('id = "loft"') + 1
    assert (
        f"site.toml:{second}: bus attic of agent agent-1 and bus loft of agent agent-2 have the"
        " same address gw.local:1502."
    ) in done.stderr
    assert done.stderr.count("have the same address") == 1


@pytest.mark.parametrize(
    ("form", "place"),
    [(BUS, "127.0.0.1"), (BUS, "localhost"), (BUS, "::1"), (RTU, "/dev/ttyUSB0")],
)
def test_what_each_machine_has_of_its_own_is_not_shared_by_agents(
    site: Path, form: str, place: str
) -> None:
    with_buses(site, form.format("attic", "agent-1", place), form.format("loft", "agent-2", place))
    done = jieneng("check", "--site", site)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_an_agent_reaches_in_a_way_of_its_own_is_not_shared(site: Path) -> None:
    """Two networks may number their gateways alike."""
    one = BUS.format("attic", "agent-1", "10.0.0.7")
    other = BUS.format("loft", "agent-2", "10.0.0.7")
    with_buses(site, one, other)
    (site / "agent.toml").write_text(
        '[agent]\nid = "agent-2"\n[[bus]]\nid = "loft"\nhost = "10.0.0.7"\n'
    )
    done = jieneng("check", "--site", site)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_finds_an_agent_of_a_file_that_the_site_has_not(site: Path) -> None:
    (site / "agent.toml").write_text('[agent]\nid = "agent-9"\n')
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    assert "no bus of the site has agent = agent-9" in done.stderr


def test_check_finds_an_unknown_bus_in_a_file_that_several_agents_share(site: Path) -> None:
    """`edge run --agent` and `up` read `agent.toml` for every agent."""
    with_buses(site, BUS.format("loft", "agent-2", "10.0.0.7"))
    (site / "agent.toml").write_text('[[bus]]\nid = "lotf"\nhost = "10.0.0.8"\n')
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    assert done.stderr.count("lotf is no bus of the site. Did you mean loft?") == 1


def test_check_knows_the_addresses_in_a_file_that_several_agents_share(site: Path) -> None:
    one = BUS.format("attic", "agent-1", "10.0.0.7")
    with_buses(site, one, one.replace("attic", "loft"), BUS.format("shed", "agent-2", "10.0.0.9"))
    (site / "agent.toml").write_text('[[bus]]\nid = "loft"\nhost = "10.0.0.8"\n')
    done = jieneng("check", "--site", site)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_agents_own_file_goes_before_the_one_that_all_share(site: Path) -> None:
    one = BUS.format("attic", "agent-2", "10.0.0.7")
    with_buses(site, one, one.replace("attic", "loft"))
    (site / "agent.toml").write_text('[[bus]]\nid = "loft"\nhost = "10.0.0.8"\n')
    (site / "agent-2.toml").write_text('[agent]\nid = "agent-2"\n')
    done = jieneng("check", "--site", site)
    assert "buses attic and loft have the same address 10.0.0.7:1502." in done.stderr


def test_check_says_what_a_round_of_each_bus_takes(site: Path) -> None:
    done = jieneng("check", "--site", site)
    assert done.stdout.count("by calculation") == 6, done.stdout
    assert "bus plant-room: " in done.stdout


def test_check_refuses_a_bus_that_can_not_keep_up(site: Path) -> None:
    file = site / "site.toml"
    lines = file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line == 'id = "block-1-gateway"')
    lines[number] += "\nbaud = 300"
    file.write_text("\n".join(lines))
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    assert f"site.toml:{number}: bus block-1-gateway is too slow: polling all" in done.stderr
    assert "raise the baud rate, or split the bus" in done.stderr


def test_check_warns_of_a_dead_unit_that_would_cost_its_neighbours_their_slot(site: Path) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text().replace("timeout_s = 1.0", "timeout_s = 12.0"))
    done = jieneng("check", "--site", site)
    assert done.returncode == 0, done.stderr
    assert "a silent meter on bus block-1-gateway delays the others by 24 s" in done.stdout
