"""Build the agent from its parts, run it, reload its site on SIGHUP, and stop it in order.

On SIGHUP the agent reads `site.toml` and `agent.toml` again. This renews its buses, their
addresses, and the meters on them.

- Unchanged buses continue without a gap.
- If the files have errors, or change the id of the agent or of the site, they are refused, and the
  log lists all problems. The agent then continues as before. It also continues as before if the
  reload itself fails with an unexpected error.
- The tables `[broker]`, `[spool]`, `[publish]` and `[metrics]` are read only at the start of the
  agent. If they have changed, the log says that they take effect at the next start.
- A SIGHUP during the start is handled once the agent polls. A SIGHUP while the agent stops does not
  interrupt its last commit.
"""

import asyncio
import itertools
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.health import AgentHealth, BusLoad
from edge_agent.links.link import bus_link
from edge_agent.metrics import AgentMetrics
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.bus_tasks import BusConfig, BusTasks, bus_configs
from edge_agent.polling.poll_slots import PollSlots
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.publishing.message_limit import MessageLimit
from edge_agent.publishing.publisher import Publisher
from edge_agent.settings import (
    AgentSettings,
    Assignment,
    assignment,
    changed_start_tables,
    check_same_agent,
)
from edge_agent.spool.batch_writer import BatchWriter
from edge_agent.spool.sample_counts import CountsCopy
from edge_agent.spool.spool import Spool
from edge_agent.timekeeping.clock_trust import ClockTrust
from edge_agent.timekeeping.clock_watch import ClockWatch
from jieneng import observe
from jieneng.clock import Clock
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Site
from jieneng.mqtt import broker
from jieneng.observe import Log
from jieneng.site_folder import SiteFolder
from jieneng.systemd import Supervisor

_REFUSED: Final = "the site's file is refused, the old one stays"

#: Function that reads the site and the settings of the agent again.
Reload = Callable[[], tuple[SiteFolder, AgentSettings]]


async def run(
    folder: SiteFolder, settings: AgentSettings, clock: Clock, reload: Reload | None = None
) -> None:
    """Poll, store and publish until cancelled. On return, all readings are on the disk.

    Args:
        folder: the site.
        settings: settings of the agent.
        clock: the clock.
        reload: reads the files again on SIGHUP; None if SIGHUP is not handled.

    Raises:
        ConfigError: the settings do not fit the site, or name a file that can't be used.
        SpoolUnavailable: the spool can't be opened, or another agent uses it.
        UsageError: the port of `/metrics` is taken.
    """
    assigned = assignment(folder.site, settings)
    broker.check_files(settings.broker)
    boot = secrets.token_hex(4)
    log = observe.log("edge").bind(agent=assigned.agent, boot=boot)
    supervisor = Supervisor()
    file = settings.spool.file(folder.path, assigned.agent)
    spool = Spool(
        file,
        settings.spool.max_bytes,
        log,
        machine_boot=clock.machine_boot(),
        max_age_s=settings.spool.max_age_s,
    )
    try:
        await spool.open()
        _report_left_spools(file.parent, folder.site, log)
        clock_trust = ClockTrust(clock.now_ms(), clock.up_ms(), is_set=clock.is_set())
        watch = ClockWatch(clock_trust, spool, clock, log)
        limit = MessageLimit(settings.publish.max_message_bytes)
        take_number = partial(next, itertools.count(1))
        writer = BatchWriter(
            spool,
            agent=assigned.agent,
            boot=boot,
            delay_s=settings.spool.commit_delay_s,
            max_samples=settings.publish.max_samples,
            max_payload_bytes=lambda: limit.payload_bytes,
            take_number=take_number,
            to_running_time=watch.running_time_stamp,
            is_clock_unset=watch.is_clock_unset,
            log=log,
        )
        phase_key = f"{folder.site.id}/{assigned.agent}"  # agents of two sites may have the same id
        slots = PollSlots(clock.now_ms(), clock.monotonic())
        buses = BusTasks(
            lambda config, start_group: _poller(
                config, phase_key, start_group, writer, clock, slots, log
            )
        )
        bus_load = partial(BusLoad, lambda: buses.pollers, clock)
        health = AgentHealth(bus_load(), clock_trust, clock)
        publisher = Publisher(
            spool,
            site=folder.site.id,
            agent=assigned.agent,
            boot=boot,
            broker_settings=settings.broker,
            settings=settings.publish,
            limit=limit,
            take_number=take_number,
            clock=clock,
            log=log,
            health=health,
        )
        registry = AgentMetrics(health, bus_load(), buses, spool, publisher).registry()
        async with observe.serving_metrics(
            settings.metrics, registry, log, lambda: [*publisher.faults(), *writer.faults()]
        ):
            log.info("agent started", spool=str(file), pending=spool.counts.pending)
            async with asyncio.TaskGroup() as services:
                services.create_task(writer.run(), name="writer")
                services.create_task(publisher.run(), name="publisher")
                services.create_task(supervisor.stay_alive(), name="watchdog")
                services.create_task(watch.run(), name="clock")
                if reload is not None:
                    read_assignment = _assignment_reader(reload, folder, settings, assigned, log)
                    services.create_task(
                        _reload_on_signal(read_assignment, buses, supervisor, clock, log),
                        name="reload",
                    )
                supervisor.ready()
                # On cancellation the polling ends first; then its last readings are committed.
                await buses.run(bus_configs(folder, assigned))
    finally:
        supervisor.stopping()
        await spool.close()
        log.info("agent ended")


def _poller(
    config: BusConfig,
    phase_key: str,
    start_group: int,
    writer: BatchWriter,
    clock: Clock,
    slots: PollSlots,
    log: Log,
) -> BusPoller:
    zone = ZoneInfo(config.zone)
    return BusPoller(
        config.bus.id,
        [
            PolledMeter(meter, model, zone)
            for meter, model in zip(config.meters, config.models, strict=True)
        ],
        phase_key=phase_key,
        start_group=start_group,
        link=bus_link(config.bus, clock.now_ms),
        link_kind=config.bus.link,
        clock=clock,
        slots=slots,
        on_result=writer.add,
        log=log,
    )


def _assignment_reader(
    reload: Reload, folder: SiteFolder, settings: AgentSettings, assigned: Assignment, log: Log
) -> Callable[[], tuple[BusConfig, ...]]:
    """Return a function that reads the files again and returns the agent's buses."""

    def read() -> tuple[BusConfig, ...]:
        folder_now, settings_now = reload()
        assigned_now = assignment(folder_now.site, settings_now)
        check_same_agent(assigned, assigned_now, folder.site.id, folder_now.site.id)
        wanted = bus_configs(folder_now, assigned_now)
        if tables := changed_start_tables(settings, settings_now):
            log.warning("changed settings take effect at the next start only", tables=tables)
        return wanted

    return read


def _report_left_spools(folder: Path, site: Site, log: Log) -> None:
    """Log each spool in the folder with readings of an agent that the site no longer has."""
    agents = {bus.agent for bus in site.buses.values()}
    for path in sorted(folder.glob("spool-*.sqlite")):
        agent = path.name.removeprefix("spool-").removesuffix(".sqlite")
        counts = CountsCopy(path.with_name(f"{path.name}-counts")).read()
        if agent not in agents and counts is not None and counts.pending:
            log.warning(
                "a spool of another agent holds readings that nobody sends",
                path=str(path),
                pending=counts.pending,
                fix=f"give a bus of site.toml the agent {agent} again until this spool is empty",
            )


async def _reload_on_signal(
    read: Callable[[], tuple[BusConfig, ...]],
    buses: BusTasks,
    supervisor: Supervisor,
    clock: Clock,
    log: Log,
) -> None:
    """Reload the files on each SIGHUP, until cancelled."""
    with _sighup_event() as asked:
        while True:
            await asked.wait()
            asked.clear()
            supervisor.reloading(clock)
            try:
                prepared = buses.prepare(read())
            except ConfigError as error:
                log.warning(_REFUSED, problems=[str(problem) for problem in error.problems])
            except Exception as error:  # an unexpected error must not end the polling
                log.warning(_REFUSED, problems=[repr(error)], exc_info=True)
            else:
                change = await buses.apply(prepared)
                log.info(
                    "the site's file was read again",
                    ended=change.ended,
                    begun=change.begun,
                    untouched=change.untouched,
                )
            supervisor.ready()


@contextmanager
def _sighup_event() -> Iterator[asyncio.Event]:
    """Provide an event that each SIGHUP sets, including one that was blocked until now."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    try:
        yield asked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        loop.remove_signal_handler(signal.SIGHUP)
