"""`jieneng edge probe`, as a person in front of a meter types it."""

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from edge_agent.commissioning import toml_output
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow, modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.site import Bus, Meter, value_in_force
from jieneng.site_folder import load, packaged_models
from tests.cli.probe.probes import pasted, probe, records, site
from tests.edge_agent.commissioning.unknown_meters import (
    Documented,
    Gateway,
    altered,
    low_word_first,
    one_lower,
    probing,
    served,
    served_on_a_port,
)
from tests.edge_agent.misbehaving import Act, Question, misbehaving
from tests.servers import free_port

pytestmark = pytest.mark.server

MODELS = modbus_models(packaged_models())
DTSD = MODELS["acrel-dtsd1352"]
SHOWN = "10800.00"


@pytest.mark.parametrize("link", ["tcp", "rtu_tcp"])
async def test_a_scan_names_every_unit_and_its_model(link: str, tmp_path: Path) -> None:
    async with served(*MODELS.values(), link=link) as port:
        option = "--" + link.replace("_", "-")
        done = await probe(
            option, f"127.0.0.1:{port}", "--units", f"1-{len(MODELS) + 1}", "--timeout", "0.1",
            cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    toml = pasted(done.stdout)
    [bus] = toml["bus"]
    assert msgspec.convert(bus, Bus) == Bus(
        id="bus-1", agent="agent-1", link=link, host="127.0.0.1", port=port  # type: ignore[arg-type]
    )  # fmt: skip
    found = {one["unit"]: one["model"] for one in toml["meter"]}
    assert set(found) == set(range(1, len(MODELS) + 1))
    for name, unit in zip(MODELS, found, strict=True):
        assert f"{name} fits: " in done.stdout.split(f"unit {unit} ")[1].split("\nunit ")[0]
    assert "Looking for units: 100 %" in done.stderr, "plain lines where there is no terminal"


async def test_a_bus_is_printed_as_patient_as_it_was_found(tmp_path: Path) -> None:
    """What answers within 5 s may not answer within one."""
    async with served(DTSD) as port:
        where = ("--tcp", f"127.0.0.1:{port}", "--units", "1")
        slow = await probe(*where, "--timeout", "5", cwd=tmp_path)
        site(tmp_path, port, timeout_s=3.0)
        known = await probe("--meter", "m-1", "--display", "10800.0", cwd=tmp_path)
    [found], [own] = (pasted(done.stdout)["bus"] for done in (slow, known))
    assert (found["timeout_s"], own["timeout_s"]) == (5.0, 3.0)


async def test_meters_on_a_serial_port_are_found_and_read(tmp_path: Path) -> None:
    models = [DTSD, MODELS["eastron-sdm630"]]
    async with served_on_a_port(*models) as device:
        where = ("--serial", device, "--baud", "19200", "--parity", "E", "--timeout", "0.1")
        done = await probe(*where, "--units", "1-3", cwd=tmp_path)
        shown = await probe(*where, "--unit", "2", "--display", "10800.0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [bus] = pasted(done.stdout)["bus"]
    assert msgspec.convert(bus, Bus) == Bus(
        id="bus-1", agent="agent-1", link="rtu", device=device, baud=19200, parity="E"
    )
    found = {one["unit"]: one["model"] for one in pasted(done.stdout)["meter"]}
    assert found == {1: "acrel-dtsd1352", 2: "eastron-sdm630"}
    assert shown.returncode == 0, shown.stderr
    assert "energy_kwh 10800.0: found where model eastron-sdm630 has it." in shown.stdout


async def test_a_serial_port_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    done = await probe("--serial", tmp_path / "ttyS9", "--units", "1", cwd=tmp_path)
    assert done.returncode == 3
    assert "ttyS9" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("says", [True, False])
async def test_the_silent_are_asked_again_where_the_gateway_is_slower_than_the_timeout(
    says: bool, tmp_path: Path
) -> None:
    """One line, on which each unit that is missing takes a second."""
    units = {1, 4, 6}
    async with Gateway(units, 1.0, says=says).serving() as port:
        done = await probe("--tcp", f"127.0.0.1:{port}", "--units", "1-6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {unit for unit in range(1, 7) if f"unit {unit} answers." in done.stdout} == units
    said = re.search(
        r"A silent unit blocks the gateway for ([\d.]+) s, longer than --timeout 0.3. "
        r"The silent units were asked again with a timeout of ([\d.]+) s.",
        done.stdout,
    )  # fmt: skip
    assert said is not None, done.stdout
    held_s, timeout_s = map(float, said.groups())
    assert 1.0 <= held_s < timeout_s
    [bus] = pasted(done.stdout)["bus"]
    assert bus["timeout_s"] == timeout_s, "the agent must wait as long"


async def test_nobody_there_says_what_to_look_at(tmp_path: Path) -> None:
    async with served(DTSD, link="rtu_tcp") as port:
        done = await probe(
            "--rtu-tcp", f"127.0.0.1:{port}", "--units", "7,9", "--timeout", "0.05", cwd=tmp_path
        )
    assert done.returncode == 1
    assert "No unit answers at rtu_tcp 127.0.0.1" in done.stdout
    assert "A and B are swapped" in done.stdout


class Zeros:
    """A device that has every register, and nothing in most."""

    def __init__(self, held: dict[int, int]) -> None:
        self._held = held

    def __call__(self, question: Question) -> Iterator[Act]:
        span = range(question.address, question.address + question.count)
        words = struct.pack(f">{len(span)}H", *(self._held.get(at, 0) for at in span))
        yield question.reply()[: -len(words)] + words


async def test_a_model_for_which_nothing_speaks_is_not_pasted(tmp_path: Path) -> None:
    """Said are all that fit, and what tells them apart."""
    async with misbehaving(Zeros({50: 2317})) as server:
        where = ("--tcp", f"127.0.0.1:{server.port}")
        scan = await probe(*where, "--units", "1", cwd=tmp_path)
        voltage = ("--unit", "1", "--display", "voltage_a_v=231.7")
        shown = await probe(*where, *voltage, cwd=tmp_path)
    for done in (scan, shown):
        assert done.returncode == 0, done.stderr
        assert "These models can't be told apart by the replies: " in done.stdout
        assert "Give the number on its display: --unit 1 --display NUMBER." in done.stdout
        assert not {"model", "meter"} & set(pasted(done.stdout))
    assert "where model" not in shown.stdout


async def test_a_display_speaks_for_a_model_for_which_nothing_spoke(tmp_path: Path) -> None:
    async with misbehaving(Zeros({0: 0, 1: 100})) as server:
        done = await probe(
            "--tcp", f"127.0.0.1:{server.port}", "--unit", "1", "--display", "1.00", cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    said = re.search("energy_kwh 1.00: found where model (.*) has it", done.stdout)
    assert said is not None, done.stdout
    assert [one["model"] for one in pasted(done.stdout)["meter"]] == [said[1]]


async def test_why_a_model_does_not_fit_is_said_on_request(tmp_path: Path) -> None:
    async with served(DTSD) as port:
        done = await probe("--tcp", f"127.0.0.1:{port}", "--units", "1", "--why", cwd=tmp_path)
    assert "eastron-sdm630: 4: 0x0000-0x0001: the device refused with exception 2" in done.stdout


async def test_a_display_on_a_device_that_differs_gives_a_model_that_reads_it(
    tmp_path: Path,
) -> None:
    """Low word first and tenths, where the manual says high word first and hundredths."""

    def other(row: PointRow) -> dict[str, Any]:
        tenths = {"scale": Decimal("0.1")} if row.quantity == "energy_kwh" else {}
        return {**low_word_first(row), **tenths}

    device = altered(DTSD, "other", other)
    async with served(device) as port:
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--unit", "1", "--display", "10800.0",
            "--model", DTSD.id, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    toml = pasted(done.stdout)
    assert "u32 CDAB, scale 0.1: different from model acrel-dtsd1352: order, scale" in done.stdout
    again = msgspec.convert({"model": toml["model"], "point": toml["point"][1:]}, ModbusModel)
    rows = {row.quantity: row for row in again.point}
    expected = {row.quantity: row for row in device.point}
    assert toml["point"][0]["order"] == "CDAB"
    for quantity, row in rows.items():
        wanted = expected[quantity]
        assert (row.address, row.type, row.byte_order, row.canonical_scale(), row.ratio) == (
            wanted.address, wanted.type, wanted.byte_order, wanted.canonical_scale(), wanted.ratio,
        )  # fmt: skip
    assert [one["model"] for one in toml["meter"]] == [again.id]


async def test_an_address_base_that_is_off_by_one_is_called_so(tmp_path: Path) -> None:
    model = MODELS["schneider-iem3155"]
    async with served(altered(model, "other", one_lower)) as port:
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--unit", "1", "--display", SHOWN, "--model", model.id,
            cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "addresses differ by one: they are one lower here than in model" in done.stdout
    assert 'model = "schneider-iem3155-mine"' in done.stdout


async def test_without_any_model_the_point_alone_is_found(tmp_path: Path) -> None:
    def elsewhere(row: PointRow) -> dict[str, Any]:
        return {"address": row.address % 64 + 100, "function": 4}

    device = ModbusModel(
        model=DTSD.model, point=altered(DTSD, "other", elsewhere).point[:1]
    )  # the counter alone, where no model has one
    async with served(device) as port:
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--unit", "1", "--display", SHOWN, "--from", "0",
            "--to", "200", cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "No known meter model fits." in done.stdout
    [point, _] = pasted(done.stdout)["point"]
    assert point == {
        "quantity": "energy_kwh", "function": 4, "address": 100, "type": "u32", "scale": 0.01
    }  # fmt: skip


async def test_what_the_model_lacks_is_added_to_it(tmp_path: Path) -> None:
    """Its other points stay, and the agent reads all of them."""
    held = {0: 5, 1: 10797, 0x61: 2310, 0x62: 2311, 0x63: 2312, 0x77: 5000, 0x40: 951}
    row = PointRow(quantity="reactive_power_kvar", function=3, address=0x40, type="u16")
    device = ModbusModel(model=DTSD.model, point=(*DTSD.point, row))
    async with misbehaving(Documented(device, held)) as server:
        done = await probe(
            "--tcp", f"127.0.0.1:{server.port}", "--unit", "1", "--model", DTSD.id,
            "--display", "energy_kwh=3384.77", "--display", "reactive_power_kvar=9.51",
            cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        read = await agent_reads(pasted(done.stdout), server.port)
    assert pasted(done.stdout)["model"]["id"] == f"{DTSD.id}-apart-mine"
    assert (read["energy_kwh"], read["reactive_power_kvar"]) == (3384.77, 9.51)
    check_takes(pasted(done.stdout), tmp_path)
    assert read["voltage_b_v"] == 231.1


async def test_a_device_that_no_model_fits_has_a_model_by_its_unit(tmp_path: Path) -> None:
    """A second one's file does not overwrite the first one's."""
    device = ModbusModel(model=DTSD.model, point=DTSD.point[:1])
    ids = set[str]()
    async with served(device, device) as port:
        for unit in (1, 2):
            done = await probe(
                "--tcp", f"127.0.0.1:{port}", "--unit", unit, "--display", SHOWN, cwd=tmp_path
            )
            assert "No known meter model fits." in done.stdout
            toml = pasted(done.stdout)
            assert f"models/{toml['model']['id']}.toml" in done.stdout
            assert [one["model"] for one in toml["meter"]] == [toml["model"]["id"]]
            ids.add(toml["model"]["id"])
            check_takes(toml, tmp_path / str(unit))
    assert len(ids) == 2


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_no_meter_is_printed_before_its_counter_is_found(
    language: str, tmp_path: Path
) -> None:
    """`jieneng check` would refuse it: nothing that it reads is consumption."""
    row = PointRow(quantity="voltage_a_v", function=3, address=50, type="u16", scale=Decimal("0.1"))
    device = ModbusModel(model=DTSD.model, point=(row,))
    async with misbehaving(Documented(device, {50: 2317})) as server:
        done = await probe(
            "--tcp", f"127.0.0.1:{server.port}", "--unit", "1", "--display", "voltage_a_v=231.7",
            cwd=tmp_path, language=language,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    toml = pasted(done.stdout)
    assert [one["quantity"] for one in toml["point"]] == ["voltage_a_v"]
    assert not {"model", "meter"} & set(toml)
    assert "--display energy_kwh=" in done.stdout
    if language == "en":
        assert "No counter was found, and a meter needs one" in done.stdout


async def test_what_the_model_reads_rightly_is_not_searched_for(tmp_path: Path) -> None:
    async with served(MODELS["eastron-sdm630"]) as port:
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--unit", "1", "--display", "10800.0", "--display",
            "power_kw=36.0", cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "energy_kwh 10800.0: found where model eastron-sdm630 has it." in done.stdout
    assert "power_kw 36.0: found where model eastron-sdm630 has it." in done.stdout
    assert "Reading registers" not in done.stderr
    toml = pasted(done.stdout)
    assert "model" not in toml
    assert "point" not in toml, "the model has both points"
    assert [one["model"] for one in toml["meter"]] == ["eastron-sdm630"]


async def test_a_point_that_the_model_has_is_not_printed_again(tmp_path: Path) -> None:
    """Also if it was searched for, as `--from` asks; a point that differs is printed."""
    async with served(DTSD) as port:
        where = ("--tcp", f"127.0.0.1:{port}", "--unit", "1", "--model", DTSD.id)
        searched = await probe(
            *where, "--display", SHOWN, "--from", "0", "--to", "200", cwd=tmp_path
        )
    assert searched.returncode == 0, searched.stderr
    assert "model acrel-dtsd1352" in searched.stdout
    assert set(pasted(searched.stdout)) == {"bus", "meter"}
    async with served(altered(DTSD, "other", low_word_first)) as port:
        where = ("--tcp", f"127.0.0.1:{port}", "--unit", "1", "--model", DTSD.id)
        voltage = ("--display", "voltage_a_v=230")
        other = await probe(*where, "--display", SHOWN, *voltage, cwd=tmp_path)
    assert other.returncode == 0, other.stderr
    alone = other.stdout.partition("# To paste:")[2].partition("[model]")[0]
    assert alone.count("[[point]]") == 1
    assert 'quantity = "energy_kwh"' in alone


# --- how the agent reaches the bus --------------------------------------------------------------


TUNNEL = """[[bus]]
id = "b"
host = "127.0.0.1"
port = {port}
"""


@pytest.mark.parametrize(
    ("file", "head", "agents"),
    [
        ("agent.toml", "", 1),
        ("agent.toml", '[agent]\nid = "agent-1"\n', 1),
        ("agent-1.toml", "", 1),
        ("agent-1.toml", '[agent]\nid = "agent-1"\n', 2),
        ("agent.toml", "", 2),
    ],
)
async def test_a_meter_of_the_site_is_probed_where_its_agent_reaches_it(
    file: str, head: str, agents: int, tmp_path: Path
) -> None:
    """The site's address leads nowhere; the printed bus is still the site's."""
    elsewhere = free_port()
    text = (site(tmp_path, elsewhere) / "site.toml").read_text()
    if agents == 2:
        text += '[[bus]]\nid = "c"\nagent = "agent-2"\nhost = "127.0.0.2"\nport = 1\n'
        (tmp_path / "site.toml").write_text(text)
        (tmp_path / "agent-2.toml").write_text('[agent]\nid = "agent-2"\n')
    record_file = tmp_path / "sign-off.jsonl"
    async with served(DTSD) as port:
        (tmp_path / file).write_text(head + TUNNEL.format(port=port))
        done = await probe(
            "--meter", "m-1", "--display", SHOWN, "--sign-off", record_file, "--by", "me",
            cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [bus] = pasted(done.stdout.partition("Signed off")[0])["bus"]
    assert (bus["host"], bus["port"]) == ("127.0.0.1", elsewhere)
    [record] = records(record_file)
    assert record["link"] == f"tcp 127.0.0.1:{port}"


async def test_another_agents_tunnel_is_not_taken(tmp_path: Path) -> None:
    """Only the agent of the bus counts."""
    async with served(DTSD) as port:
        text = (site(tmp_path, port) / "site.toml").read_text()
        text += '[[bus]]\nid = "c"\nagent = "agent-2"\nhost = "127.0.0.2"\nport = 1\n'
        (tmp_path / "site.toml").write_text(text)
        tunnel = '[agent]\nid = "agent-2"\n' + TUNNEL.format(port=free_port())
        (tmp_path / "agent-2.toml").write_text(tunnel)
        done = await probe("--meter", "m-1", "--display", SHOWN, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


async def test_a_mistake_in_the_agents_file_is_reported_by_a_probe_of_its_meter(
    tmp_path: Path,
) -> None:
    site(tmp_path, 502)
    (tmp_path / "agent.toml").write_text('[[bus]]\nid = "b"\nprot = 1\n')
    done = await probe("--meter", "m-1", "--display", SHOWN, cwd=tmp_path)
    assert done.returncode == 1
    assert "agent.toml:3: unknown key prot. Did you mean port?" in done.stderr
    assert "Traceback" not in done.stderr


# --- how sure it is -----------------------------------------------------------------------------


async def test_how_sure_the_recognition_is_stands_in_a_sentence(tmp_path: Path) -> None:
    """A count of values and a verdict, and no bits."""
    async with served(DTSD) as port:
        done = await probe("--tcp", f"127.0.0.1:{port}", "--units", "1", cwd=tmp_path)
    said = re.search(
        r"acrel-dtsd1352 fits: of (\d+) values (\d+) are typical of a meter in use, (\d+) are 0, "
        r"(\d+) are possible but unusual\. energy_kwh = ",
        done.stdout,
    )
    assert said is not None, done.stdout
    count, *kinds = map(int, said.groups())
    assert (count, sum(kinds)) == (len(DTSD.point), count)
    assert "acrel-dtsd1352 fits clearly better than the others." in done.stdout
    assert "bits" not in done.stdout


async def test_weak_evidence_is_called_so_with_its_odds(tmp_path: Path) -> None:
    """Any word may be a counter, and 4,351 of 65,536 look like a voltage."""
    tenths = Decimal("0.1")
    counter = PointRow(quantity="energy_kwh", function=3, address=49, type="u16", scale=tenths)
    voltage = PointRow(quantity="voltage_a_v", function=3, address=50, type="u16", scale=tenths)
    head = msgspec.structs.replace(DTSD.model, id="one-voltage", source="made up for a test")
    model = ModbusModel(model=head, point=(counter, voltage))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one-voltage.toml").write_text(toml_output.model_toml(model))
    async with misbehaving(Documented(model, {50: 2317})) as server:
        site(tmp_path, server.port)
        where = ("--tcp", f"127.0.0.1:{server.port}", "--units", "1")
        done = await probe(*where, cwd=tmp_path)
    said = re.search(
        r"The evidence for one-voltage is weak: about 1 in (\d+) units would fit by chance\. Give",
        done.stdout,
    )
    assert said is not None, done.stdout
    assert int(said[1]) == pytest.approx(65536 / 4351, abs=5)


def agent_multiplies_by(block: dict[str, Any]) -> dict[str, float]:
    """The ratios in force that stand in a meter's block."""
    meter = msgspec.convert({**block, "area": "a"}, Meter)
    # The site's day, which may be another than that of the machine.
    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, ZoneInfo("Asia/Shanghai")).date()
    return {name: value_in_force(getattr(meter, name), today, 1.0) or 0.0 for name in ("ct", "pt")}


async def test_a_ratio_that_the_display_needed_is_pasted_with_the_meter(tmp_path: Path) -> None:
    """Without it the agent would store a fortieth."""
    async with served(DTSD, ct=40.0) as port:
        where = ("--tcp", f"127.0.0.1:{port}", "--unit", "1", "--model", DTSD.id)
        done = await probe(*where, "--display", "10800.0", "--ct", "40", cwd=tmp_path)
        plain = await probe(*where, "--display", "270.00", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [block] = pasted(done.stdout)["meter"]
    assert agent_multiplies_by(block) == {"ct": 40.0, "pt": 1.0}
    [block] = pasted(plain.stdout)["meter"]
    assert "ct" not in block


async def test_a_meter_of_the_site_is_pasted_as_the_site_has_it(tmp_path: Path) -> None:
    """Its id, its area, its rated maximum; and what was typed otherwise from today on."""
    async with served(DTSD, ct=40.0) as port:
        site(tmp_path, port, ct=20.0, rated_max=55.0)
        done = await probe("--meter", "m-1", "--display", "10800.0", "--ct", "40", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [block] = pasted(done.stdout)["meter"]
    assert (block["id"], block["area"], block["rated_max"]) == ("m-1", "a", 55.0)
    assert [row["value"] for row in block["ct"]] == [20.0, 40.0]
    assert agent_multiplies_by(block) == {"ct": 40.0, "pt": 1.0}


async def test_a_second_look_drops_what_was_chance(tmp_path: Path) -> None:
    async with served(DTSD) as port:
        where = ("--tcp", f"127.0.0.1:{port}", "--unit", "1", "--model", DTSD.id)
        same = await probe(*where, "--display", SHOWN, "--again", cwd=tmp_path, typed=f"{SHOWN}\n")
        other = await probe(*where, "--display", SHOWN, "--again", cwd=tmp_path, typed="10801.5\n")
    assert same.returncode == 0, same.stderr
    assert "model acrel-dtsd1352 has it" in same.stdout
    assert other.returncode == 1
    assert "model acrel-dtsd1352 has it" not in other.stdout


async def test_a_number_that_is_nowhere_says_how_to_look_further(tmp_path: Path) -> None:
    async with served(DTSD) as port:
        done = await probe(
            "--tcp", f"127.0.0.1:{port}", "--unit", "1", "--display", "54321.99", cwd=tmp_path
        )
    assert done.returncode == 1
    assert "--from and --to" in done.stdout
    assert "[[point]]" not in done.stdout


# --- what the agent could not read --------------------------------------------------------------


def documented(most: int = 125) -> Documented:
    """A DTSD1352 of 81.23 kWh that refuses every register that its manual does not name."""
    held = {0: 0, 1: 8123, 0x61: 2310, 0x62: 2311, 0x63: 2312, 0x77: 5000, 0x16A: 0, 0x16B: 9}
    return Documented(DTSD, held, most)


def check_takes(toml: dict[str, Any], path: Path) -> None:
    """A site of what was pasted, and the area that only a person knows, is right."""
    rows = {row["quantity"]: row for row in toml["point"]}
    model = msgspec.convert(
        {"model": toml["model"], "point": [*rows.values()]}, ModbusModel, strict=False
    )
    [bus], [meter] = toml["bus"], toml["meter"]
    folder = path / "pasted"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / f"{model.id}.toml").write_text(toml_output.model_toml(model))
    text = [
        '[site]\nid = "s"\nname = "s"\n[[area]]\nid = "a"\nname = "a"',
        toml_output.bus_toml(msgspec.convert(bus, Bus)),
        toml_output.meter_toml(msgspec.convert({**meter, "area": "a"}, Meter)),
    ]
    (folder / "site.toml").write_text("\n".join(text))
    assert load(folder).site.meter[0].model == model.id


async def agent_reads(toml: dict[str, Any], port: int) -> dict[str, float]:
    """What the agent reads by the model that was pasted last."""
    rows = {row["quantity"]: row for row in toml["point"]}  # those of the model stand last
    model = msgspec.convert(
        {"model": toml["model"], "point": [*rows.values()]}, ModbusModel, strict=False
    )
    assert [one["model"] for one in toml["meter"]] == [model.id]
    read = dict[str, float]()
    async with probing(port) as bus_probe:
        for one in plan(model):
            read |= zip(one.quantities, one.decode(await bus_probe.request(1, one)), strict=True)
    return read


@pytest.mark.parametrize("most", [125, 2])
async def test_a_model_that_the_agent_can_not_read_is_printed_as_it_can(
    most: int, tmp_path: Path
) -> None:
    async with misbehaving(documented(most)) as server:
        where = ("--tcp", f"127.0.0.1:{server.port}")
        scan = await probe(*where, "--units", "1", cwd=tmp_path)
        shown = ("--unit", "1", "--display", "81.23")
        recognised = await probe(*where, *shown, cwd=tmp_path)
        known = await probe(*where, *shown, "--model", DTSD.id, cwd=tmp_path)
        for done in (scan, recognised, known):
            assert done.returncode == 0, done.stderr
            said = done.stdout.partition("# To paste:")[0]
            assert (
                said.count(f"that the agent would send with model {DTSD.id}: use {DTSD.id}-a") == 1
            )
            read = await agent_reads(pasted(done.stdout), server.port)
            assert (read["energy_kwh"], read["voltage_b_v"]) == (81.23, 231.1)


async def test_a_model_of_its_own_is_printed_as_the_agent_can_read_it(tmp_path: Path) -> None:
    """Hundredths where the model says tenths, and nothing between."""
    tenths = altered(DTSD, "other", lambda _: {"scale": Decimal("0.1")})
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "other.toml").write_text(toml_output.model_toml(tenths))
    async with misbehaving(documented()) as server:
        site(tmp_path, server.port)
        done = await probe("--meter", "m-1", "--model", "other", "--display", "81.23", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "different from model other-apart: scale" in done.stdout
        read = await agent_reads(pasted(done.stdout), server.port)
    assert read["energy_kwh"] == 81.23


# --- in Chinese ---------------------------------------------------------------------------------


def all_chinese(*texts: str) -> None:
    """Each line that says something says it in Chinese."""
    for text in texts:
        for line in re.split("^# 可粘贴：$", text, flags=re.MULTILINE)[0].splitlines():
            assert not line or re.search("[一-鿿]", line), line


async def test_a_scan_speaks_chinese_and_its_toml_is_toml(tmp_path: Path) -> None:
    def behave(question: Question) -> Iterator[Act]:
        match question.unit:
            case 1:
                yield from documented()(question)
            case 2:
                yield question.refusal(4)
            case 3:
                yield question.reply(unit=9)

    async with misbehaving(behave) as server:
        where = ("--tcp", f"127.0.0.1:{server.port}", "--timeout", "0.1")
        found = await probe(*where, "--units", "1-3", "--why", cwd=tmp_path, language="zh")
        nobody = await probe(*where, "--units", "7", cwd=tmp_path, language="zh")
    assert (found.returncode, nobody.returncode) == (0, 1)
    all_chinese(found.stdout, found.stderr, nobody.stdout, nobody.stderr)
    assert "站号 1 有应答。" in found.stdout
    assert "站号 3：返回的不是有效应答" in found.stdout
    assert [one["model"] for one in pasted(found.stdout)["meter"]] == [f"{DTSD.id}-apart"]


async def test_a_display_is_searched_and_signed_off_in_chinese(tmp_path: Path) -> None:
    device = altered(DTSD, "other", low_word_first)
    file = tmp_path / "sign-off.jsonl"
    async with served(device) as port:
        site(tmp_path, port, rated_max=1e-9)
        where = ("--meter", "m-1", "--sign-off", file, "--by", "王工")
        found = await probe(*where, "--display", SHOWN, cwd=tmp_path, language="zh")
        nowhere = await probe(*where, "--display", "54321.99", cwd=tmp_path, language="zh")
    async with served(DTSD, ct=40.0) as port:
        site(tmp_path, port, ct=40.0)
        both = [
            await probe(*where, "--display", shown, cwd=tmp_path, language="zh")
            for shown in ("10800.0", "270.00")
        ]
    assert [one.returncode for one in (found, nowhere, *both)] == [1, 1, 0, 0]
    for done in (found, nowhere, *both):
        all_chinese(done.stdout, done.stderr)
    assert "与型号 acrel-dtsd1352 不同：order" in found.stdout
    toml = pasted(found.stdout)
    assert (toml["model"]["id"], toml["point"][0]["order"]) == (f"{DTSD.id}-mine", "CDAB")
    assert "未签认：m-1 显示" in found.stderr
    assert "已签认：m-1 显示 10800.0" in both[0].stdout
    assert "已按二次侧签认：m-1 显示 270.00" in both[1].stdout
    assert [one["by"] for one in records(file)] == ["王工"] * 4


async def test_what_stops_a_probe_is_said_in_chinese(tmp_path: Path) -> None:
    site(tmp_path, port := free_port())
    gone = await probe("--tcp", f"127.0.0.1:{port}", "--units", "1", cwd=tmp_path, language="zh")
    other = await probe("--meter", "m-9", "--display", "1", cwd=tmp_path, language="zh")
    digits = await probe("--tcp", "h", "--display", "8,1", cwd=tmp_path, language="zh")
    assert [one.returncode for one in (gone, other, digits)] == [3, 2, 2]
    all_chinese(gone.stderr.splitlines()[-1], other.stderr, digits.stderr.splitlines()[-1])


# --- what is typed wrongly ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ((), 2, "name the bus: --tcp HOST"),
        (("--tcp", "a", "--rtu-tcp", "b:1"), 2, "give only one"),
        (("--rtu-tcp", "host"), 2, "host is not HOST:PORT"),
        (("--tcp", "host:0"), 2, "host:0 is not HOST:PORT"),
        (("--tcp", "127.0.0.1", "--units", "1-"), 2, "like 1-32 or 1,3,17-20"),
        (("--tcp", "127.0.0.1", "--units", "300"), 2, "from 0 to 255"),
        (("--tcp", "127.0.0.1", "--units", "9-1"), 2, "from 0 to 255"),
        (("--tcp", "127.0.0.1", "--display", "8,123"), 2, "the digits of the display"),
        (("--tcp", "127.0.0.1", "--display", "0.00"), 2, "a 0 can't be searched for"),
        (("--tcp", "h", "--model", "acrel-dtsd1352", "--display", "1"), 2, "needs --unit"),
        (("--tcp", "h", "--unit", "1", "--model", "acrel-dtsd135", "--display", "1"), 2,
         "Did you mean acrel-dtsd1352?"),
        (("--tcp", "h", "--unit", "1", "--model", "acrel-dtsd1352", "--display", "energy=1"), 2,
         "energy is not a quantity."),
        (("--tcp", "h", "--from", "9", "--to", "3"), 2, "--from 9 comes after --to 3"),
        (("--tcp", "h", "--display", "1", "--sign-off", "x"), 2, "--meter ID, --display"),
    ],
)  # fmt: skip
async def test_a_mistake_is_one_sentence_with_its_mend(
    tmp_path: Path, typed: tuple[str, ...], code: int, said: str
) -> None:
    done = await probe(*typed, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_link_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    done = await probe("--tcp", f"127.0.0.1:{free_port()}", "--units", "1", cwd=tmp_path)
    assert done.returncode == 3
    assert "127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_meter_that_the_site_has_not_is_told_with_the_one_meant(tmp_path: Path) -> None:
    site(tmp_path, 502)
    done = await probe("--meter", "m-11", "--display", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "m-11 is not a meter of the site. Did you mean m-1?" in done.stderr


async def test_a_unit_that_is_silent_is_said_to_be_so_and_not_searched(tmp_path: Path) -> None:
    """Every model was tried on it, and every register: that its number was nowhere misled."""
    async with misbehaving(documented()) as server:
        server.behave = lambda question: documented()(question) if question.unit == 1 else ()
        where = ("--tcp", f"127.0.0.1:{server.port}", "--timeout", "0.1", "--display", "81.23")
        silent = await probe(*where, "--unit", "99", cwd=tmp_path)
        asked = len(server.questions)
        zh = await probe(*where, "--unit", "99", "--model", DTSD.id, cwd=tmp_path, language="zh")
    assert (silent.returncode, zh.returncode) == (1, 1)
    assert silent.stdout == (
        f"unit 99 does not answer at tcp 127.0.0.1:{server.port}. Run the command without --unit "
        "and --display to find the units that do. A longer --timeout helps with slow gateways.\n"
    )
    assert asked < 10
    all_chinese(zh.stdout, zh.stderr)


@pytest.mark.parametrize(
    "known", [("--model", "schneider-iem3155"), ("--from", "3203", "--to", "3206")]
)
async def test_a_unit_that_is_deaf_but_for_its_own_registers_is_there(
    known: tuple[str, ...], tmp_path: Path
) -> None:
    """It is asked where it is to be searched, too."""
    model = MODELS["schneider-iem3155"]
    has = {row.address + word for row in model.point for word in range(row.words)}

    def behave(question: Question) -> Iterator[Act]:
        if has.issuperset(range(question.address, question.address + question.count)):
            yield from Documented(model, {})(question)

    async with misbehaving(behave) as server:
        done = await probe(
            "--tcp", f"127.0.0.1:{server.port}", "--timeout", "0.05", "--unit", "1", "--display",
            "77.7", *known, cwd=tmp_path,
        )  # fmt: skip
    assert "energy_kwh 77.7 is in none of the registers that were read" in done.stdout


@pytest.mark.parametrize("typed", [("--meter", "e-main"), ("--tcp", "127.0.0.1:1")])
async def test_a_folder_without_a_site_is_told_as_such(
    typed: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "misspelt"
    done = await probe("--site", folder, *typed, cwd=tmp_path)
    assert done.returncode == 2
    assert f"there is no site.toml in {folder}: name the site's folder with --site." in done.stderr
