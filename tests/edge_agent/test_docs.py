"""docs/agent.md has every key of the form with its default, and its examples can be used."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge_agent.settings import AgentSettings, BusOverride, assignment
from jieneng import config_file
from jieneng.metering.site import Bus
from jieneng.mqtt.broker import BrokerSettings
from tests.edge_agent.agent_setup import AGENT, bus, meter, site

TEXT = (Path(__file__).parents[2] / "docs" / "agent.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def tables() -> dict[str, type[msgspec.Struct]]:
    """The tables of the file, by their headers."""
    forms = {f"[{one.name}]": one.type for one in msgspec.structs.fields(AgentSettings)}
    del forms["[bus]"]
    return {**forms, "[[bus]]": BusOverride}


def defaults(form: type[msgspec.Struct]) -> dict[str, str]:
    """Return the defaults by key, as the page has to write them."""
    found = {}
    for one in msgspec.structs.fields(form):
        value = "omitted" if one.default is None else f"`{json.dumps(one.default, default=str)}`"
        found[one.encode_name] = "required" if one.required else value
    return found


def explained(header: str) -> dict[str, str]:
    """The defaults that a section states, by key."""
    section = re.search(rf"^## {re.escape(header)}.*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section, f"{header} is not explained"
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", section[0], re.MULTILINE)
    return {key: default.strip() for key, default in rows}


def test_every_key_is_explained_with_its_default_and_none_that_is_not_there() -> None:
    assert {one: explained(one) for one in tables()} == {
        one: defaults(form) for one, form in tables().items()
    }


def test_its_examples_load_and_mean_what_they_say() -> None:
    least, full = (
        config_file.decode(config_file.parse(one, "agent.toml"), AgentSettings) for one in EXAMPLES
    )
    assert least == AgentSettings(broker=BrokerSettings(host="192.0.2.10"))
    lifts = Bus(id="lifts", agent=AGENT, link="rtu", device="/dev/ttyS1")
    meters = [meter("e-1", "plant-room", 1), meter("e-2", "lifts", 1)]
    plant_room, lifts = assignment(site(bus("plant-room", 502), lifts, meters=meters), full).buses
    assert (plant_room.host, plant_room.port) == ("127.0.0.1", 15020)
    assert lifts.device == "/dev/ttyUSB0"


def test_the_full_example_has_every_key() -> None:
    found: Mapping[str, Any] = tomllib.loads(EXAMPLES[-1])
    for header, form in tables().items():
        table = found[header.strip("[]")]
        keys = {key for one in table for key in one} if isinstance(table, list) else set(table)
        assert keys == set(defaults(form)), header
