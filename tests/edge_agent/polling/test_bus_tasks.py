"""Buses begin together, unless there are very many."""

import asyncio
from typing import cast

from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.bus_tasks import BusConfig, BusTasks
from tests.edge_agent.agent_setup import bus, running, until


class Idle:
    """A poller that has nothing to do."""

    async def run(self) -> None:
        await asyncio.Event().wait()


async def test_very_many_buses_go_in_waves() -> None:
    """Also where a new site file adds one, which moves no other."""
    begun: list[tuple[str, int]] = []

    def make(config: BusConfig, start_group: int) -> BusPoller:
        begun.append((config.bus.id, start_group))
        return cast("BusPoller", Idle())

    bus_configs = [
        BusConfig(bus(f"b{number}", 502), (), (), "Asia/Shanghai") for number in range(120)
    ]
    buses = BusTasks(make)
    async with running(buses.run(tuple(bus_configs))):
        await until(lambda: len(begun) == 120)
        assert begun == [(f"b{number}", number // 50) for number in range(120)]
        added = BusConfig(bus("new", 502), (), (), "Asia/Shanghai")
        change = await buses.apply(buses.prepare((*bus_configs[:60], added, *bus_configs[60:])))
        assert begun[120:] == [("new", 1)]
        assert len(change.untouched) == 120
