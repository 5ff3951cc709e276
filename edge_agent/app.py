"""The agent as a whole: what it is made of, and in which order that starts and ends.

On SIGHUP the site's file and the agent's own are read anew: which buses it polls, where it reaches
them, and which meters hang on them. Buses that are as they were go on without a gap. Files that are
wrong are refused with all their problems, and so are such as make this agent another, or its site;
all stays as it was then, also where a mistake is ours. How the agent itself runs (broker, spool,
publish, metrics) is read at its start only: where that has changed, the log says which tables wait
for the next one. A SIGHUP that is blocked when the agent is run waits until it polls, and one that
comes while it ends cuts no commit short.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.health import BusLoad, Health
from edge_agent.links.link import bus_link
from edge_agent.metrics import AgentMetrics
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.bus_tasks import BusDuty, BusTasks, duties
from edge_agent.polling.poll_slots import PollSlots
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import AgentSettings, Duty, check_same, duty, waiting_tables
from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.spool import Spool
from edge_agent.timekeeping.clock_trust import ClockTrust
from edge_agent.timekeeping.clock_watch import ClockWatch
from jieneng import observe
from jieneng.clock import Clock
from jieneng.metering.errors import ConfigError
from jieneng.observe import Log
from jieneng.site_folder import SiteFolder
from jieneng.systemd import Supervisor

_REFUSED: Final = "the site's file is refused, the old one stays"

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
        timekeeper = ClockTrust(clock.now_ms(), clock.up_ms(), is_set=clock.is_set())
        watch = ClockWatch(timekeeper, spool, clock, log)
        keeper = BatchWriter(
            spool,
            agent=mine.agent,
            boot=boot,
            delay_s=settings.spool.commit_delay_s,
            max_samples=settings.publish.max_samples,
            undated=watch.undated,
            in_doubt=watch.in_doubt,
            log=log,
        )
        phase = f"{folder.site.id}/{mine.agent}"  # most sites have an agent-1
        face = PollSlots(clock.now_ms(), clock.monotonic())
        buses = BusTasks(lambda one, wave: _poller(one, phase, wave, keeper, clock, face, log))
        bus_load = partial(BusLoad, lambda: buses.pollers, clock)
        health = Health(bus_load(), timekeeper, clock)
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
        registry = AgentMetrics(health, bus_load(), buses, spool, publisher).registry()
        async with observe.serving_metrics(settings.metrics, registry, log):
            log.info("agent started", spool=str(file), pending=spool.counts.pending)
            async with asyncio.TaskGroup() as services:
                services.create_task(keeper.run(), name="keeper")
                services.create_task(publisher.run(), name="publisher")
                services.create_task(supervisor.stay_alive(), name="watchdog")
                services.create_task(watch.run(), name="clock")
                if reload is not None:
                    read_anew = _reading_anew(reload, folder, settings, mine, log)
                    services.create_task(
                        _reload_on_signal(read_anew, buses, supervisor, clock, log), name="reload"
                    )
                supervisor.ready()
                # Until cancelled: first the polling ends, then what it read is kept.
                await buses.run(duties(folder, mine))
    finally:
        supervisor.stopping()
        await spool.close()
        log.info("agent ended")


def _poller(
    one: BusDuty,
    phase: str,
    wave: int,
    keeper: BatchWriter,
    clock: Clock,
    face: PollSlots,
    log: Log,
) -> BusPoller:
    zone = ZoneInfo(one.zone)
    return BusPoller(
        one.bus.id,
        [
            PolledMeter(meter, model, zone)
            for meter, model in zip(one.meters, one.models, strict=True)
        ],
        phase=phase,
        wave=wave,
        link=bus_link(one.bus, clock.now_ms),
        link_kind=one.bus.link,
        clock=clock,
        slots=face,
        on_result=keeper.keep,
        log=log,
    )


def _reading_anew(
    reload: Reload, folder: SiteFolder, settings: AgentSettings, mine: Duty, log: Log
) -> Callable[[], tuple[BusDuty, ...]]:
    """Reads what this agent, which was started so, has to do now."""

    def read() -> tuple[BusDuty, ...]:
        folder_now, settings_now = reload()
        mine_now = duty(folder_now.site, settings_now)
        check_same(mine, mine_now, folder.site.id, folder_now.site.id)
        wanted = duties(folder_now, mine_now)
        if tables := waiting_tables(settings, settings_now):
            log.warning("changed settings take effect at the next start only", tables=tables)
        return wanted

    return read


async def _reload_on_signal(
    read: Callable[[], tuple[BusDuty, ...]],
    buses: BusTasks,
    supervisor: Supervisor,
    clock: Clock,
    log: Log,
) -> None:
    """Read the files anew whenever that is asked for, until cancelled."""
    with _hang_ups() as asked:
        while True:
            await asked.wait()
            asked.clear()
            supervisor.reloading(clock)
            try:
                prepared = buses.prepare(read())
            except ConfigError as error:
                log.warning(_REFUSED, problems=[str(one) for one in error.problems])
            except Exception as error:  # a mistake that `check` does not know ends no polling
                log.warning(_REFUSED, problems=[repr(error)], exc_info=True)
            else:
                change = await buses.change(prepared)
                log.info(
                    "the site's file was read anew",
                    ended=change.ended,
                    begun=change.begun,
                    untouched=change.untouched,
                )
            supervisor.ready()


@contextmanager
def _hang_ups() -> Iterator[asyncio.Event]:
    """Set at each SIGHUP, and at one that has waited for that because it was blocked."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    try:
        yield asked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        loop.remove_signal_handler(signal.SIGHUP)
