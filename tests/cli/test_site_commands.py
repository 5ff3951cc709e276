"""`jieneng init` and `check`, as a newcomer types them."""

from pathlib import Path

import pytest

from tests.cli.run import jieneng

pytestmark = pytest.mark.server

OTHERS = (
    "agent.toml", "ingest.toml", "analytics.toml", "simulator.toml", "plan.toml", "factors.toml",
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


def test_a_meter_without_its_nameplate_is_mentioned(site: Path) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text().replace("rated_max = 2600.0\n", ""))
    done = jieneng("check", "--site", site)
    assert done.returncode == 0
    assert "can't be told from consumption: e-main." in done.stdout


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


def test_a_folder_without_a_site_is_one_sentence(tmp_path: Path) -> None:
    done = jieneng("check", "--site", tmp_path)
    assert done.returncode == 1
    assert "site.toml: this file is not there." in done.stderr
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
    assert f"site.toml:{second}: buses attic and attic-2 are both at /dev/attic." in done.stderr
    assert done.stderr.count("are both at /dev/attic") == 1


def test_check_asks_every_agent_of_the_site(site: Path) -> None:
    """An agent may have its settings elsewhere."""
    file = site / "site.toml"
    more = TWO_AT_ONE_PORT.format("attic", "agent-1") + TWO_AT_ONE_PORT.format("cellar", "agent-2")
    file.write_text(file.read_text() + more)
    done = jieneng("check", "--site", site)
    assert done.stderr.count("are both at /dev/") == 2


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
    """Where it serves one connection, one of them would starve."""
    one = BUS.format("attic", "agent-1", "Gw.local")
    other = BUS.format("loft", "agent-2", "gw.local.")
    lines = with_buses(site, one, other)
    done = jieneng("check", "--site", site)
    assert done.returncode == 1
    second = lines.index('id = "loft"') + 1
    assert (
        f"site.toml:{second}: buses attic of agent-1 and loft of agent-2 are both at gw.local:1502."
    ) in done.stderr
    assert done.stderr.count("are both at") == 1


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
    assert "no bus of the site names agent agent-9" in done.stderr


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
    assert f"site.toml:{number}: bus block-1-gateway can't keep up: a round" in done.stderr
    assert "raise the baud rate, or split the bus" in done.stderr


def test_check_warns_of_a_dead_unit_that_would_cost_its_neighbours_their_slot(site: Path) -> None:
    file = site / "site.toml"
    file.write_text(file.read_text().replace("timeout_s = 1.0", "timeout_s = 12.0"))
    done = jieneng("check", "--site", site)
    assert done.returncode == 0, done.stderr
    assert "one silent meter on bus block-1-gateway costs the others 24 s" in done.stdout
