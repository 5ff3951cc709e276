"""The agent as a whole: what it is made of, and in which order that starts and ends."""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from edge_agent.config import AgentSettings, Duty, duty
from edge_agent.keeper import Keeper
from edge_agent.links import bus_link
from edge_agent.meter import PolledMeter
from edge_agent.metrics import AgentMetrics
from edge_agent.poller import BusPoller
from edge_agent.protocols.modbus import FRAMINGS
from edge_agent.publisher import Publisher
from edge_agent.spool import Spool
from jieneng import observe
from jieneng.clock import Clock
from jieneng.metering.reading import Sample
from jieneng.metering.site import Bus
from jieneng.observe import Log
from jieneng.site_folder import SiteFolder


async def run(folder: SiteFolder, settings: AgentSettings, clock: Clock) -> None:
    """Poll, keep and publish until cancelled; what was read by then is on the disk.

    Raises:
        ConfigError: the settings do not fit the site.
        SpoolUnavailable: the spool can't be opened, or another agent has it.
        UsageError: the port of `/metrics` is taken.
    """
    mine = duty(folder.site, settings)
    boot = secrets.token_hex(4)
    log = observe.log("edge").bind(agent=mine.agent, boot=boot)
    file = settings.spool.file(folder.path, mine.agent)
    spool = Spool(file, settings.spool.max_bytes, log, max_age_s=settings.spool.max_age_s)
    try:
        await spool.open()
        keeper = Keeper(
            spool,
            agent=mine.agent,
            boot=boot,
            delay_s=settings.spool.commit_delay_s,
            max_samples=settings.publish.max_samples,
            log=log,
        )
        publisher = Publisher(
            spool,
            site=folder.site.id,
            agent=mine.agent,
            boot=boot,
            broker_settings=settings.broker,
            settings=settings.publish,
            clock=clock,
            log=log,
        )
        pollers = [_poller(folder, mine, bus, clock, keeper.keep, log) for bus in mine.buses]
        registry = AgentMetrics(pollers, spool, publisher).registry()
        async with observe.serving_metrics(settings.metrics, registry, log):
            log.info("agent started", spool=str(file), pending=spool.counts.pending)
            await _work(keeper, publisher, pollers)
    finally:
        await spool.close()
        log.info("agent ended")


async def _work(keeper: Keeper, publisher: Publisher, pollers: Sequence[BusPoller]) -> None:
    """Until cancelled: first the polling ends, then what it read is kept."""
    async with asyncio.TaskGroup() as services:
        services.create_task(keeper.run(), name="keeper")
        services.create_task(publisher.run(), name="publisher")
        async with asyncio.TaskGroup() as polling:
            for poller in pollers:
                polling.create_task(poller.run(), name=f"bus {poller.bus}")


def _poller(
    folder: SiteFolder,
    mine: Duty,
    bus: Bus,
    clock: Clock,
    keep: Callable[[Sample], None],
    log: Log,
) -> BusPoller:
    return BusPoller(
        bus.id,
        [
            PolledMeter(meter, folder.models[meter.model or ""], folder.site.zone)
            for meter in mine.meters[bus.id]
        ],
        link=bus_link(bus, clock.now_ms),
        framing=FRAMINGS[bus.link],
        clock=clock,
        keep=keep,
        log=log,
    )
