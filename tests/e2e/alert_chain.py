"""An alert through all services: simulated meters, agent, broker, ingest, store, alerts, a webhook.

All services are the real ones, in this process, on the system's clock. Broker, sockets and store
are real too.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

import analytics.app
import edge_agent.app
import ingest.app
import simulators.app
from analytics.settings import AlertSettings, AnalyticsSettings
from edge_agent.settings import AgentSettings, BusOverride
from ingest.settings import IngestSettings
from jieneng.clock import SystemClock
from jieneng.mqtt.broker import BrokerSettings
from jieneng.site_folder import SiteFolder, load, read_settings
from jieneng.storage import StoreSettings
from simulators.settings import SimulatorSettings
from tests.analytics.alerts.delivery.receivers import HttpReceiver, http_receiver
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto, free_port

_SITE = """
[site]
id = "watched"
name = "watched"
[[area]]
id = "block"
name = "block"
floor_area_m2 = [{from = 2020-01-01, value = 2000.0}]
headcount = [{from = 2020-01-01, value = 100}]
[[bus]]
id = "lan"
agent = "agent-1"
host = "127.0.0.1"
"""
_METER = """
[[meter]]
id = "e-{number}"
name = "meter {number}"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "lan"
unit = {number}
area = "block"
interval_s = {interval_s}
rated_max = 400
installed = 2025-01-01
"""
_RULE = """
[[rule]]
id = "heater-{number}"
signal = "quantity"
quantity = "power_kw"
above = 100.0
severity = "critical"
meter = ["e-{number}"]
"""
_LOAD = """
[[load]]
meter = "e-{number}"
steady = 20.0
"""


class AlertChain:
    """A running site.

    Attributes:
        http: the receiver of the notices.
    """

    def __init__(self, http: HttpReceiver, control: str) -> None:
        self.http = http
        self._control = control

    async def switch_on(self, number: int) -> float:
        """Switch a heater of 200 kW on behind a meter; return the time [s since 1970]."""
        fault = {"kind": "leak", "meter": f"e-{number}", "rate": 200.0}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._control}/faults", json=fault) as answer,
        ):
            answer.raise_for_status()
        return time.time()

    async def told(self, number: int) -> float:
        """Wait until the notice about a meter has arrived; return the time [s since 1970]."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._is_told(number):  # noqa: ASYNC110 - the receiver has no event
                await asyncio.sleep(0.02)
        return time.time()

    def _is_told(self, number: int) -> bool:
        return any(f"meter {number}" in str(body) for _, body in self.http.received)


@asynccontextmanager
async def alert_chain(
    folder: Path,
    mosquitto: Mosquitto,
    *,
    meters: int,
    interval_s: float,
    every_s: float,
    wait_s: float,
) -> AsyncIterator[AlertChain]:
    """Run a site whose meters are polled and watched.

    Args:
        folder: folder of the site, which is created.
        mosquitto: the broker.
        meters: number of meters.
        interval_s: polling interval [s].
        every_s: interval of evaluation [s].
        wait_s: time for which a notice waits for others [s].
    """
    async with http_receiver() as http:
        site = _write_site(folder, meters, interval_s, wait_s, http.webhook)
        clock = SystemClock()
        simulated = read_settings(folder / "simulator.toml", SimulatorSettings)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(simulators.app.run(site, simulated, clock))]
            endpoints = await _endpoints(folder)
            agent = AgentSettings(
                broker=BrokerSettings(port=mosquitto.port),
                bus=tuple(
                    BusOverride(id=bus, host=at[0], port=at[1])
                    for bus, at in endpoints["buses"].items()
                ),
            )
            coming = IngestSettings(broker=BrokerSettings(port=mosquitto.port))
            figures = AnalyticsSettings(
                store=StoreSettings(), alerts=AlertSettings(every_s=every_s)
            )
            tasks += [
                group.create_task(ingest.app.run(site, coming, clock)),
                group.create_task(edge_agent.app.run(site, agent, clock)),
                group.create_task(analytics.app.run(site, figures, clock)),
            ]
            yield AlertChain(http, endpoints["control"])
            for task in reversed(tasks):
                task.cancel()


async def _endpoints(folder: Path) -> dict:  # type: ignore[type-arg]  # JSON
    async with asyncio.timeout(PATIENCE_S):
        while not (folder / simulators.app.ENDPOINTS_FILE).exists():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)
    return json.loads((folder / simulators.app.ENDPOINTS_FILE).read_text())  # type: ignore[no-any-return]


def _write_site(
    folder: Path, meters: int, interval_s: float, wait_s: float, url: str
) -> SiteFolder:
    numbers = range(1, meters + 1)
    folder.mkdir()
    (folder / "site.toml").write_text(
        _SITE + "".join(_METER.format(number=n, interval_s=interval_s) for n in numbers)
    )
    (folder / "simulator.toml").write_text(
        f"[control]\nport = {free_port()}\n" + "".join(_LOAD.format(number=n) for n in numbers)
    )
    (folder / "alerts.toml").write_text(
        f'[grouping]\nwait_s = {wait_s}\n[[receiver]]\nid = "hook"\nurl = "{url}"\n'
        + "".join(_RULE.format(number=n) for n in numbers)
    )
    return load(folder)
