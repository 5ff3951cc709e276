"""docs/simulators.md has every key of the form with its default, and its examples can be used."""

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from edge_agent.settings import AgentSettings, assignment
from jieneng import config_file
from jieneng.clock import SystemClock
from jieneng.metering import site_check
from jieneng.metering.site import Site
from jieneng.observe import MetricsSettings
from jieneng.site_folder import packaged_models
from simulators import simulated_site
from simulators.faults import KINDS, FaultsFile
from simulators.load.load_recipes import LoadRecipes
from simulators.scripting.fault_script import FaultScript
from simulators.serving.control_http import ExchangeLog, SimulatorControl
from simulators.serving.site_server import read_package_data
from simulators.settings import ControlSettings, LoadRow, ReplayRow, SimulatorSettings, Trend
from simulators.simulated_site import SimulatedSite
from tests.simulators.scene import simulated as simulated_scene

TEXT = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
LAB_SITE, LAB_SIMULATOR, LAB_AGENT, FULL, SCRIPT = EXAMPLES
TABLES: dict[str, type[msgspec.Struct]] = {
    "## simulator.toml": SimulatorSettings,
    "### [control]": ControlSettings,
    "### [metrics]": MetricsSettings,
    "### [[load]]": LoadRow,
    "### [[trend]]": Trend,
    "### [[replay]]": ReplayRow,
}
RECIPES = read_package_data("loads.toml", LoadRecipes)


def own_fields(header: str) -> list[msgspec.structs.FieldInfo]:
    """Return the keys of the table itself; tables of the file have their own section."""
    nested = {one.split("[")[-1].rstrip("]") for one in TABLES if "[" in one}
    fields = msgspec.structs.fields(TABLES[header])
    return [field for field in fields if "]" in header or field.encode_name not in nested]


def default(field: msgspec.structs.FieldInfo) -> str:
    """Return the default of a key as the page has to write it."""
    if field.required:
        return "required"
    if field.default is None:
        return "omitted"
    value = {} if field.default is msgspec.NODEFAULT else field.default  # a dict has a factory
    return f"`{json.dumps(value)}`"


def rows(header: str) -> dict[str, tuple[str, str]]:
    """Return the default and the example of each key that a section explains."""
    section = re.search(rf"^{re.escape(header)}\n.*?(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"{header} is not explained"
    found = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| `([^|]+)` \| [^|]+ \| [^|]+ \|$", section[0], re.MULTILINE
    )
    return {key: (standard, example) for key, standard, example in found}


def simulator(text: str) -> SimulatorSettings:
    return config_file.decode(config_file.parse(text, "simulator.toml"), SimulatorSettings)


def lab() -> Site:
    site = config_file.decode(config_file.parse(LAB_SITE, "site.toml"), Site)
    assert site_check.check(site, packaged_models()) == []
    return site


@pytest.mark.parametrize("header", TABLES)
def test_every_key_is_explained_with_its_default_and_none_that_is_not_there(header: str) -> None:
    explained = {key: standard for key, (standard, _) in rows(header).items()}
    assert explained == {field.encode_name: default(field) for field in own_fields(header)}


@pytest.mark.parametrize("header", TABLES)
def test_the_example_of_every_key_is_accepted_and_differs_from_its_default(header: str) -> None:
    table = header.split(" ")[1] if "[" in header else ""
    lines = [f"{key} = {example}" for key, (_, example) in rows(header).items()]
    simulator("\n".join([table, *lines]))
    assert [
        f"`{example}`" for standard, example in rows(header).values() if standard == example
    ] == []


def test_the_files_of_the_example_meet() -> None:
    """The agent asks where the simulator listens, on a port and on a serial port."""
    site, settings = lab(), simulator(LAB_SIMULATOR)
    assert simulated_site.check(site, settings, RECIPES) == []
    agent = config_file.decode(config_file.parse(LAB_AGENT, "agent.toml"), AgentSettings)
    plant_room, lifts = assignment(site, agent).buses
    assert (plant_room.host, plant_room.port) == (settings.host, settings.ports["plant-room"])
    assert lifts.device == f"lab/{settings.devices['lifts']}"
    assert {bus.id for bus in site.bus} == {*settings.ports, *settings.devices}


def test_the_complete_example_has_every_key_and_refers_to_nothing_unknown() -> None:
    settings = simulator(FULL)
    found = tomllib.loads(FULL)
    for header in TABLES:
        name = header.split("[")[-1].rstrip("]") if "[" in header else None
        table = found if name is None else found[name]
        keys = {key for row in table for key in row} if isinstance(table, list) else set(table)
        assert keys >= {field.encode_name for field in own_fields(header)}, header
    site = lab()
    more = [
        msgspec.structs.replace(site.meter[0], id="e-pumps", unit=2),
        msgspec.structs.replace(site.meter[0], id="w-main", unit=3, medium="water"),
    ]
    larger = msgspec.structs.replace(site, meter=(*site.meter, *more))
    assert simulated_site.check(larger, settings, RECIPES) == []


def test_the_recipes_are_those_of_the_file() -> None:
    named = re.search(r"^Recipes: (.*?)\.\s`", TEXT, re.MULTILINE | re.DOTALL)
    assert named
    assert re.findall(r"`([\w-]+)`", named[1]) == [recipe.name for recipe in RECIPES.recipe]


#: Keys that are accepted and change nothing.
WITHOUT_EFFECT = {("wrong_register", "quantity")}


def test_the_kinds_of_faults_are_listed_with_their_keys() -> None:
    listed = {
        kind: set(re.findall(r"`(\w+)`", keys))
        for kind, keys in re.findall(
            r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| ([^|]*)\|$", TEXT, re.MULTILINE
        )
    }
    assert listed == {
        name: {key for key in kind.own_keys() if (name, key) not in WITHOUT_EFFECT}
        for name, kind in KINDS.items()
    }


def test_the_kinds_of_modbus_alone_are_named() -> None:
    sentence = re.search(r"(`wrong_unit`,\s.*?)exist in Modbus only", TEXT, re.DOTALL)
    assert sentence
    assert set(re.findall(r"`(\w+)`", sentence[1])) == {
        name for name, kind in KINDS.items() if kind.protocols
    }


def test_the_script_can_be_played() -> None:
    script = config_file.decode(config_file.parse(SCRIPT, "faults.toml"), FaultsFile)
    simulated: SimulatedSite = simulated_scene()
    moved = [msgspec.structs.replace(fault, meter="e-1") for fault in script.fault]
    assert [one.id for one in FaultScript(simulated, 1, 0).place(moved)] == ["late-answer-1"]


def test_the_requests_of_the_control_are_listed() -> None:
    simulated = simulated_scene()
    control = SimulatorControl(
        simulated, FaultScript(simulated, 1, 0), ExchangeLog(1), SystemClock()
    )
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in control.application().router.routes()
        if route.method != "HEAD" and route.resource is not None
    }
    assert set(re.findall(r"`((?:GET|POST|DELETE) /[^`]*)`", TEXT)) == served
