"""Write the demo's folder: the example centre, set up for free ports of this machine."""

import json
import shutil
import socket
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from jieneng.metering.errors import UsageError
from jieneng.metering.site import Site

PORTS_FILE: Final = "ports.json"
STORE_FILE: Final = "store.sqlite"
PAGE_FILE: Final = "figures.html"
_MARK: Final = ".jieneng-demo"

#: Polling interval of every meter: short enough to see the registers move [s].
INTERVAL_S: Final = 5
#: Interval at which the alerts are evaluated [s].
ALERTS_S: Final = 2.0


def copy_example(folder: Path) -> None:
    """Copy the example centre's files, except those that already exist.

    Raises:
        UsageError: the folder contains a site that was not made by a demo.
    """
    if (folder / "site.toml").exists() and not (folder / _MARK).exists():
        raise UsageError(
            "{folder} holds a real site, and a demo would add simulated readings to it:"
            " choose another folder.",
            folder=folder,
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    for entry in (resources.files("jieneng") / "sites" / "example").iterdir():
        target = folder / entry.name
        if entry.name.endswith(".toml") and not target.exists():
            with resources.as_file(entry) as source:
                shutil.copyfile(source, target)
    site_file = folder / "site.toml"
    text = site_file.read_text(encoding="utf-8")
    site_file.write_text(
        text.replace("interval_s = 10\n", f"interval_s = {INTERVAL_S}\n"), encoding="utf-8"
    )


def write_services(folder: Path, broker_port: int) -> None:
    """Write the settings of simulator, ingest and analytics."""
    (folder / PORTS_FILE).unlink(missing_ok=True)
    simulator = folder / "simulator.toml"
    settings = simulator.read_text(encoding="utf-8")
    if "ports_file" not in settings:
        simulator.write_text(f'ports_file = "{PORTS_FILE}"\n{settings}', encoding="utf-8")
    # The embedded broker does not support shared subscriptions.
    (folder / "ingest.toml").write_text(
        f"[subscription]\nshare = false\n\n{_broker(broker_port)}", encoding="utf-8"
    )
    (folder / "analytics.toml").write_text(f"[alerts]\nevery_s = {ALERTS_S}\n", encoding="utf-8")


def write_agents(folder: Path, site: Site, broker_port: int) -> list[str]:
    """Write a settings file for each agent, with the ports of the simulated buses; return the ids.

    Raises:
        FileNotFoundError: the simulator has not written its ports yet.
    """
    addresses: Mapping[str, tuple[str, int]] = json.loads(
        (folder / PORTS_FILE).read_text(encoding="utf-8")
    )
    agents = sorted({bus.agent for bus in site.bus})
    for agent in agents:
        buses = "".join(
            f'\n[[bus]]\nid = "{bus}"\nhost = "{host}"\nport = {port}\n'
            for bus, (host, port) in addresses.items()
            if site.buses[bus].agent == agent
        )
        (folder / f"{agent}.toml").write_text(
            f'[agent]\nid = "{agent}"\n\n[publish]\nstatus_interval_s = 2\n\n'
            f"{_broker(broker_port)}{buses}",
            encoding="utf-8",
        )
    return agents


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_served(port: int) -> bool:
    """Return True if something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _broker(port: int) -> str:
    return f'[broker]\nhost = "127.0.0.1"\nport = {port}\nprotocol = "3.1.1"\n'
