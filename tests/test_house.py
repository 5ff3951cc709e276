"""The house keeps its rules: read off the syntax tree, each with the reason why it is there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = ("edge_agent", "ingest", "analytics", "grafana", "simulators")
PACKAGES = ("jieneng", *SERVICES)

#: Modules that touch sockets, files, databases or brokers. All others are data in, data out.
IO_ROOMS = {
    "analytics.app",
    "analytics.pipeline.consumption_store",
    "analytics.pipeline.pipeline",
    "analytics.pipeline.register_reader",
    "edge_agent.app",
    "edge_agent.commissioning.bus_probe",
    "edge_agent.links.exchange",
    "edge_agent.links.link",
    "edge_agent.polling.bus_tasks",
    "edge_agent.publishing.publisher",
    "edge_agent.spool.batch_queue",
    "edge_agent.spool.batch_writer",
    "edge_agent.spool.disk_reserve",
    "edge_agent.spool.rescue",
    "edge_agent.spool.sample_counts",
    "edge_agent.spool.spool",
    "edge_agent.spool.spool_file",
    "edge_agent.spool.sqlite_file",
    "edge_agent.spool.undated_batches",
    "edge_agent.timekeeping.clock_watch",
    "grafana.build",
    "ingest.app",
    "ingest.batcher",
    "ingest.importing.file_reader",
    "ingest.importing.importer",
    "ingest.ledger",
    "ingest.quarantine",
    "ingest.receiver",
    "jieneng.broker",
    "jieneng.clock",
    "jieneng.config_file",
    "jieneng.embedded_broker",
    "jieneng.locale.collect",
    "jieneng.observe",
    "jieneng.site_folder",
    "jieneng.systemd",
    "simulators.app",
    "simulators.scenarios.scenario",
    "simulators.scoring.truth_reader",
    "simulators.scoring.truth_writer",
    "simulators.serving.control_http",
    "simulators.serving.line",
    "simulators.serving.serial_port",
    "simulators.serving.site_server",
    "simulators.serving.tcp_port",
}

#: What doing I/O looks like in an import.
IO_LIBRARIES = {
    "aiohttp", "aiomqtt", "amqtt", "asyncio", "http", "paho", "serial",
    "serial_asyncio_fast", "socket", "sqlite3", "ssl", "termios", "urllib",
}  # fmt: skip


#: ... and in a call: of files.
IO_CALLS = {
    "disk_usage", "fsync", "iterdir", "mkdir", "open", "read_bytes", "read_text", "readlink",
    "rmdir", "statvfs", "symlink_to", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip


class Import(NamedTuple):
    module: str  # who imports
    target: str  # what, as a dotted name
    line: int
    top: bool  # at the top of the module, and not for type checkers only


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found[name_of(path)] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found


@cache
def imports() -> tuple[Import, ...]:
    return tuple(one for name, (_, tree) in modules().items() for one in _imports(name, tree))


def _imports(module: str, tree: ast.Module) -> Iterator[Import]:
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, id(node) in top)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                target = full if full in modules() else node.module
                yield Import(module, target, node.lineno, id(node) in top)


def broken(rule: str, found: list[Import]) -> str:
    places = "\n".join(f"  {one.module}:{one.line} imports {one.target}" for one in found)
    return f"{rule}\n{places}"


def test_the_services_never_import_each_other() -> None:
    """They meet in bytes, in names and in the store, so that each can be run, replaced and
    understood alone."""
    found = [
        one
        for one in imports()
        if one.module.split(".")[0] in SERVICES
        and one.target.split(".")[0] in SERVICES
        and one.module.split(".")[0] != one.target.split(".")[0]
    ]
    assert not found, broken("A service imports another.", found)


def test_the_ground_never_imports_a_service() -> None:
    """What all stand on can't stand on one of them; the command line alone knows all."""
    found = [
        one
        for one in imports()
        if one.module.startswith("jieneng")
        and not one.module.startswith("jieneng.cli")
        and one.target.split(".")[0] in SERVICES
    ]
    assert not found, broken("The ground imports a service.", found)


def test_metering_imports_the_standard_library_and_msgspec_only() -> None:
    """What is true of meters must hold on the smallest box and in ten years."""
    allowed = {
        "collections", "datetime", "decimal", "difflib", "enum", "fractions", "functools",
        "itertools", "math", "msgspec", "operator", "re", "struct", "types", "typing", "zoneinfo",
    }  # fmt: skip
    found = [
        one
        for one in imports()
        if one.module.startswith("jieneng.metering")
        and not one.target.startswith("jieneng.metering")
        and one.target.split(".")[0] not in allowed
    ]
    assert not found, broken("jieneng.metering imports more than it may.", found)


def test_numpy_stays_where_arrays_are() -> None:
    """The edge agent is a small box: it starts without numpy. So does the ingest."""
    allowed = ("analytics", "simulators", "jieneng.storage", "jieneng.cli")
    found = [
        one
        for one in imports()
        if one.target.split(".")[0] == "numpy"
        and not (one.module.startswith(allowed) and not one.module.startswith("jieneng.storage"))
        and not (one.module.startswith("jieneng.storage") and not one.top)
    ]
    assert not found, broken("numpy is imported outside its rooms.", found)


def test_only_the_rim_does_io() -> None:
    """Data in, data out: what never sees a socket can be tested without one."""
    found = [
        one
        for one in imports()
        if one.target.split(".")[0] in IO_LIBRARIES
        and one.module not in IO_ROOMS
        and not one.module.startswith(("jieneng.storage", "jieneng.cli"))
    ]
    assert not found, broken("A pure module does I/O.", found)


def test_only_the_rim_touches_files() -> None:
    found = [
        f"{module}:{node.lineno} calls {name}"
        for module, (_, tree) in modules().items()
        if module not in IO_ROOMS and not module.startswith(("jieneng.storage", "jieneng.cli"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        if (name := ast.unparse(node.func).split(".")[-1]) in IO_CALLS
    ]
    assert not found, "A pure module touches files.\n" + "\n".join(found)


def test_every_io_room_exists() -> None:
    """The list above is true."""
    assert set(modules()) >= IO_ROOMS


def test_only_the_command_line_imports_apps() -> None:
    """An app is the outermost loop of a service: nothing builds on it."""
    found = [
        one
        for one in imports()
        if one.target.split(".")[0] in SERVICES
        and one.target.split(".")[-1] == "app"
        and not one.module.startswith("jieneng.cli")
    ]
    assert not found, broken("An app is imported.", found)


def test_only_the_clock_asks_for_the_time() -> None:
    """Whoever asks the system for the time can't be run faster than life, nor tested."""
    calls = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
    found = [
        f"{module}:{node.lineno}"
        for module, (_, tree) in modules().items()
        if module != "jieneng.clock"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in calls
    ]
    assert not found, f"The time is asked for outside jieneng.clock: {found}"


def test_the_agent_has_no_way_to_write_to_a_meter() -> None:
    """Modbus functions that write (15, 16, 22, 23) appear nowhere in the codec. 5 and 6 are codes
    of exceptions, too: tests/edge_agent/protocols/test_modbus.py holds that no frame has them."""
    _, tree = modules()["edge_agent.protocols.modbus"]
    numbers = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert not numbers & {0x0F, 0x10, 0x16, 0x17}, "A writing function stands in the codec."


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "manager", "misc"])
def test_no_room_is_named_after_nothing(name: str) -> None:
    """A name that says nothing collects everything."""
    assert not [module for module in modules() if name in module.split(".")]


def test_the_map_of_the_agent_names_every_folder_and_none_that_is_gone() -> None:
    """A newcomer finds the folder for a change by it."""
    known = modules()
    rooms = {name.split(".")[1] for name in known if name.startswith("edge_agent.")}
    _, tree = known["edge_agent"]
    named = set(re.findall(r"`([\w.]+)`", ast.get_docstring(tree) or ""))
    assert named == rooms


def test_every_module_opens_with_its_law() -> None:
    """A newcomer reads the first line and knows whether this is the room."""
    silent = [name for name, (_, tree) in modules().items() if not ast.get_docstring(tree)]
    assert not silent
