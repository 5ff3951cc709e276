"""The agent as a whole: what it is made of, and in which order that starts and ends.

On SIGHUP the site's file is read anew. Buses that are as they were go on without a gap; a file that
is wrong is refused with all its problems, and the old one stays. How the agent itself runs (broker,
spool) is read at its start only.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from edge_agent.buses import BusDuty, Buses, duties
from edge_agent.clock_watch import ClockWatch
from edge_agent.config import AgentSettings, duty
from edge_agent.health import Health
from edge_agent.keeper import Keeper
from edge_agent.links import bus_link
from edge_agent.meter import PolledMeter
from edge_agent.metrics import AgentMetrics
from edge_agent.poller import BusPoller
from edge_agent.protocols.modbus import FRAMINGS
from edge_agent.publisher import Publisher
from edge_agent.spool import Spool
from edge_agent.timekeeper import Timekeeper
from jieneng import observe
from jieneng.clock import Clock
from jieneng.metering.errors import ConfigError
from jieneng.observe import Log
from jieneng.site_folder import SiteFolder
from jieneng.supervisor import Supervisor

#: Reads the site and the agent's settings anew.
Reload = Callable[[], tuple[SiteFolder, AgentSettings]]


async def run(
    folder: SiteFolder, settings: AgentSettings, clock: Clock, reload: Reload | None = None
) -> None:
    """Poll, keep and publish until cancelled; what was read by then is on the disk.

    Args:
        folder: the site.
        settings: the agent's own.
        clock: tells the time.
        reload: what SIGHUP does; nothing where None.

    Raises:
        ConfigError: the settings do not fit the site.
        SpoolUnavailable: the spool can't be opened, or another agent has it.
        UsageError: the port of `/metrics` is taken.
    """
    mine = duty(folder.site, settings)
    boot = secrets.token_hex(4)
    log = observe.log("edge").bind(agent=mine.agent, boot=boot)
    supervisor = Supervisor()
    file = settings.spool.file(folder.path, mine.agent)
    spool = Spool(
        file,
        settings.spool.max_bytes,
        log,
        machine=clock.machine_boot(),
        max_age_s=settings.spool.max_age_s,
    )
    try:
        await spool.open()
        timekeeper = Timekeeper(clock.now_ms(), clock.up_ms())
        watch = ClockWatch(timekeeper, spool, clock, log)
        keeper = Keeper(
            spool,
            agent=mine.agent,
            boot=boot,
            delay_s=settings.spool.commit_delay_s,
            max_samples=settings.publish.max_samples,
            undated=watch.undated,
            log=log,
        )
        buses = Buses(lambda one: _poller(one, keeper, clock, log))
        health = Health(lambda: buses.pollers, timekeeper, clock)
        publisher = Publisher(
            spool,
            site=folder.site.id,
            agent=mine.agent,
            boot=boot,
            broker_settings=settings.broker,
            settings=settings.publish,
            clock=clock,
            log=log,
            health=health,
        )
        registry = AgentMetrics(health, buses, spool, publisher).registry()
        async with observe.serving_metrics(settings.metrics, registry, log):
            log.info("agent started", spool=str(file), pending=spool.counts.pending)
            async with asyncio.TaskGroup() as services:
                services.create_task(keeper.run(), name="keeper")
                services.create_task(publisher.run(), name="publisher")
                services.create_task(supervisor.stay_alive(), name="watchdog")
                services.create_task(watch.run(), name="clock")
                if reload is not None:
                    services.create_task(
                        _reload_on_signal(reload, buses, supervisor, clock, log), name="reload"
                    )
                supervisor.ready()
                # Until cancelled: first the polling ends, then what it read is kept.
                await buses.run(duties(folder, mine))
    finally:
        supervisor.stopping()
        await spool.close()
        log.info("agent ended")


def _poller(one: BusDuty, keeper: Keeper, clock: Clock, log: Log) -> BusPoller:
    zone = ZoneInfo(one.zone)
    return BusPoller(
        one.bus.id,
        [
            PolledMeter(meter, model, zone)
            for meter, model in zip(one.meters, one.models, strict=True)
        ],
        link=bus_link(one.bus, clock.now_ms),
        framing=FRAMINGS[one.bus.link],
        clock=clock,
        keep=keeper.keep,
        log=log,
        tell=keeper.tell,
    )


async def _reload_on_signal(
    reload: Reload, buses: Buses, supervisor: Supervisor, clock: Clock, log: Log
) -> None:
    """Read the site anew whenever that is asked for, until cancelled."""
    with _hang_ups() as asked:
        while True:
            await asked.wait()
            asked.clear()
            supervisor.reloading(clock)
            try:
                folder, settings = reload()
                wanted = duties(folder, duty(folder.site, settings))
            except ConfigError as error:
                problems = [str(one) for one in error.problems]
                log.warning("the site's file is refused, the old one stays", problems=problems)
            else:
                change = await buses.change(wanted)
                log.info(
                    "the site's file was read anew",
                    ended=change.ended,
                    begun=change.begun,
                    untouched=change.untouched,
                )
            supervisor.ready()


@contextmanager
def _hang_ups() -> Iterator[asyncio.Event]:
    """Set at each SIGHUP."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    try:
        yield asked
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
