"""Rules of the project, checked on the syntax tree, each with its reason."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

# All modules are parsed once, by the worker that has these tests.
pytestmark = pytest.mark.xdist_group("house")

ROOT = Path(__file__).parent.parent
SERVICES = ("edge_agent", "ingest", "analytics", "grafana", "simulators")
PACKAGES = ("jieneng", *SERVICES)

#: Modules that touch sockets, files, databases or brokers. All others are data in, data out.
IO_ROOMS = {
    "analytics.alert_service",
    "analytics.alerts.alert_files",
    "analytics.alerts.delivery.notice_outbox",
    "analytics.alerts.delivery.notice_dispatch",
    "analytics.alerts.delivery.notify",
    "analytics.alerts.delivery.receiver_address",
    "analytics.app",
    "analytics.pipeline.alerting.alert_evaluator",
    "analytics.pipeline.alerting.alert_store",
    "analytics.pipeline.basis.basis_store",
    "analytics.pipeline.consumption_store",
    "analytics.pipeline.pipeline",
    "analytics.pipeline.registers.import_reader",
    "analytics.pipeline.registers.meter_records",
    "analytics.pipeline.registers.register_reader",
    "analytics.pipeline.signals.stored_series",
    "analytics.publications.publication_files",
    "analytics.rule_documents",
    "edge_agent.app",
    "edge_agent.commissioning.bus_probe",
    "edge_agent.links.exchange",
    "edge_agent.links.link",
    "edge_agent.polling.bus_tasks",
    "edge_agent.publishing.outbox",
    "edge_agent.publishing.publisher",
    "edge_agent.spool.batch_cutting",
    "edge_agent.spool.batch_queue",
    "edge_agent.spool.batch_writer",
    "edge_agent.spool.disk_reserve",
    "edge_agent.spool.parked_batches",
    "edge_agent.spool.rescue",
    "edge_agent.spool.sample_counts",
    "edge_agent.spool.spool",
    "edge_agent.spool.spool_database",
    "edge_agent.spool.spool_file",
    "edge_agent.spool.sqlite_file",
    "edge_agent.spool.undated_batches",
    "edge_agent.timekeeping.clock_watch",
    "grafana.build",
    "grafana.push",
    "ingest.app",
    "ingest.importing.reading.file_reader",
    "ingest.importing.reading.workbook.workbook_file",
    "ingest.importing.batches.batch_file",
    "ingest.importing.batches.folder_files",
    "ingest.importing.importer",
    "ingest.ledger",
    "ingest.quarantine.quarantine_file",
    "ingest.quarantine.quarantine_statements",
    "ingest.quarantine.quarantine_writer",
    "ingest.quarantine_replay",
    "ingest.receipts.receipt_file",
    "ingest.receipts.receipt_reporter",
    "ingest.receiver",
    "ingest.subscription_probe",
    "ingest.storing.batcher",
    "jieneng.mqtt.broker",
    "jieneng.mqtt.broker_files",
    "jieneng.clock",
    "jieneng.config_file",
    "jieneng.mqtt.embedded_broker",
    "jieneng.mqtt.mqtt_client",
    "jieneng.mqtt.read_ahead_socket",
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

#: Imports by which a module does I/O.
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
    """They share bytes, names and the store, so each can be run, replaced and understood alone."""
    found = [
        one
        for one in imports()
        if one.module.split(".")[0] in SERVICES
        and one.target.split(".")[0] in SERVICES
        and one.module.split(".")[0] != one.target.split(".")[0]
    ]
    assert not found, broken("A service imports another.", found)


def test_the_ground_never_imports_a_service() -> None:
    """The common base can't depend on one of its users; only the command line imports all."""
    found = [
        one
        for one in imports()
        if one.module.startswith("jieneng")
        and not one.module.startswith("jieneng.cli")
        and one.target.split(".")[0] in SERVICES
    ]
    assert not found, broken("The ground imports a service.", found)


def test_metering_imports_the_standard_library_and_msgspec_only() -> None:
    """The definitions about meters must work on the smallest machine and in ten years."""
    allowed = {
        "collections", "datetime", "decimal", "difflib", "enum", "fractions", "functools",
        "itertools", "math", "msgspec", "operator", "re", "string", "struct", "types", "typing",
        "zoneinfo",
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
    """The edge agent runs on a small machine, so it starts without numpy. So does the ingest."""
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
    """A module without I/O can be tested without sockets and files."""
    found = [
        one
        for one in imports()
        if one.target.split(".")[0] in IO_LIBRARIES
        and one.target != "urllib.parse"  # it takes addresses apart, and opens none
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


def test_only_notify_knows_of_messengers() -> None:
    """Only one module sends mail and messages; all others pass notices to it."""
    found = [
        one
        for one in imports()
        if one.target.split(".")[0] in {"apprise", "requests", "smtplib"}
        and one.module != "analytics.alerts.delivery.notify"
    ]
    assert not found, broken("A messenger is known outside notify.", found)


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
    """Code that asks the system for the time can't be tested, or run faster than real time."""
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
    """A folder whose name has no meaning attracts all kinds of modules."""
    assert not [module for module in modules() if name in module.split(".")]


@pytest.mark.parametrize("package", ["edge_agent", "simulators"])
def test_the_map_of_a_service_names_every_folder_and_none_that_is_gone(package: str) -> None:
    """A newcomer finds the folder for a change by it."""
    known = modules()
    rooms = {name.split(".")[1] for name in known if name.startswith(f"{package}.")}
    _, tree = known[package]
    named = set(re.findall(r"`(\w+)`", ast.get_docstring(tree) or ""))
    assert named == rooms


def test_every_module_opens_with_its_law() -> None:
    """A newcomer reads the first line and knows whether this is the room."""
    silent = [name for name, (_, tree) in modules().items() if not ast.get_docstring(tree)]
    assert not silent


#: Pronouns and question words. A docstring that begins with one must be read twice.
NO_NOUN = {
    "anybody", "anyone", "anything", "as", "both", "everybody", "everything", "he", "here", "his",
    "how", "it", "its", "nobody", "none", "nothing", "of", "one", "ones", "other", "others",
    "same", "she", "so", "some", "somebody", "someone", "something", "such", "that", "their",
    "them", "there", "these", "they", "this", "those", "to", "what", "whatever", "when",
    "whenever", "where", "wherever", "whether", "which", "who", "whoever", "whom", "whose", "why",
}  # fmt: skip

#: A folder with more modules than this is a list in which nobody finds anything.
MAX_MODULES = 15

#: Fewer words are not sufficient for inputs, outputs and laws of a folder.
FEWEST_WORDS = 20

#: Names of modules that several services have, with the same meaning.
SHARED_NAMES = frozenset({"__init__", "app", "settings", "metrics"})


def docstrings(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    """Yield (name, line, first line) of each docstring of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                name = getattr(node, "name", "the module")
                yield name, getattr(node, "lineno", 1), text.split("\n")[0]


def test_every_docstring_begins_with_its_noun_or_its_verb() -> None:
    """A first line that begins with "It", "What" or "Whether" must be read twice."""
    found = []
    for module, (_, tree) in modules().items():
        for name, line, text in docstrings(tree):
            words = re.findall(r"\w+", text.lower())[:2]
            if words[:1] == ["the"]:
                words = words[1:]
            if words and words[0] in NO_NOUN:
                found.append(f"{module}:{line} {name}: {text}")
    assert not found, "Say what it does, with its noun.\n" + "\n".join(found)


def folders() -> dict[Path, list[str]]:
    """Return the modules of each folder, tests included."""
    found: dict[Path, list[str]] = defaultdict(list)
    for package in (*PACKAGES, "tests"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.stem != "__init__":
                found[path.parent.relative_to(ROOT)].append(path.stem)
    return found


def test_a_folder_holds_at_most_fifteen_modules() -> None:
    crowded = {str(at): len(names) for at, names in folders().items() if len(names) > MAX_MODULES}
    assert not crowded, f"More than {MAX_MODULES} modules: give them subfolders. {crowded}"


def test_no_two_modules_share_a_name() -> None:
    """A search for a module's name ends in one place."""
    names = Counter(name.rsplit(".", 1)[-1] for name in modules())
    packages = {package.rsplit(".", 1)[-1] for package in modules() if _is_package(package)}
    shared = {name for name, count in names.items() if count > 1} - SHARED_NAMES - packages
    assert not shared, f"Two modules have one of these names: {sorted(shared)}"


def _is_package(module: str) -> bool:
    return modules()[module][0].name == "__init__.py"


def _circle(edges: set[tuple[str, str]]) -> list[str]:
    """Return the names along one circle of a graph, none where there is no circle."""
    graph: dict[str, set[str]] = defaultdict(set)
    for source, target in edges:
        if source != target:
            graph[source].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_in_a_circle() -> None:
    """Not inside a function either: modules in a circle can't be understood apart."""
    own = {(one.module, one.target) for one in imports() if one.target in modules()}
    assert not _circle(own), f"A circle of imports: {' <- '.join(_circle(own))}"


def _folder_of(module: str) -> str:
    """Return the folder of a module, or the module where its folder has subfolders.

    Modules beside subfolders are below them (`settings`) or above them (`app`), so each stands for
    itself.
    """
    package = module if _is_package(module) else module.rpartition(".")[0]
    has_subfolders = any(
        other != package and other.rpartition(".")[0] == package and _is_package(other)
        for other in modules()
    )
    return module if has_subfolders else package


def test_imports_between_folders_run_one_way() -> None:
    """A reading goes one way through the folders, and so does what a newcomer has to read."""
    edges = {
        (_folder_of(one.module), _folder_of(one.target))
        for one in imports()
        if one.target in modules()
    }
    assert not _circle(edges), f"A circle of folders: {' <- '.join(_circle(edges))}"


def test_every_folder_says_what_goes_in_and_what_comes_out() -> None:
    """Three lines at the head of a folder tell a newcomer if a change belongs there."""
    short = [
        name
        for name, (_, tree) in modules().items()
        if _is_package(name) and "." in name and len(folders()[Path(*name.split("."))]) > 1
        if len((ast.get_docstring(tree) or "").split()) < FEWEST_WORDS
    ]
    assert not short, f"The docstring of these folders says too little: {short}"
