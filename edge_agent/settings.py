"""Settings of an agent, and the buses and meters that a site assigns to it. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge_agent.links import endpoints
from jieneng.metering.errors import ConfigError, Problem
from jieneng.metering.site import Bus, Host, Id, Meter, Site
from jieneng.metering.spelling import nearest
from jieneng.mqtt.broker import BrokerSettings
from jieneng.observe import MetricsSettings

SETTINGS_FILE: Final = "agent.toml"
#: Tables that are read at the start only; a reload ignores them.
READ_AT_START: Final = ("broker", "spool", "publish", "metrics")
_DAY_S: Final = 86_400


class AgentHead(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[agent]`.

    Attributes:
        id: id of this agent, as the buses of `site.toml` name it; may be omitted if all buses name
            the same agent.
    """

    id: Id | None = None


class SpoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[spool]`.

    Attributes:
        path: path of the file, relative to the site's folder; `spool-<agent>.sqlite` if omitted.
        max_bytes: most pending payload [bytes]; beyond it the oldest readings are dropped and
            counted. The default holds 30 days of 64 meters with 20 quantities, each read every 15
            minutes.
        max_age_days: longest time that a reading waits, in days of a running agent; an older one is
            dropped and counted. The default is a year and the month in which its figures are
            collected: no reading that these still need is dropped while the disk has room.
        commit_delay_s: longest time that a reading waits for others before it is written to the
            disk [s].
    """

    path: str | None = None
    max_bytes: Annotated[int, Meta(ge=65536)] = 256 * 1024 * 1024
    max_age_days: Annotated[float, Meta(gt=0)] = 400.0
    commit_delay_s: Annotated[float, Meta(ge=0, le=60)] = 0.2

    @property
    def max_age_s(self) -> float:
        """The largest age in seconds."""
        return self.max_age_days * _DAY_S

    def file(self, folder: Path, agent: str) -> Path:
        """Return the path of the spool of an agent."""
        return folder / (self.path or f"spool-{agent}.sqlite")


class PublishSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[publish]`.

    Attributes:
        window: most batches in flight at a time. All agents of a site together should stay below
            the number of messages that the broker queues for the ingest: 1020 with mosquitto's
            defaults. An ingest acknowledges about twice a second, so twice this number is the most
            that an agent can clear in a second.
        catch_up: end of a backlog that is sent first. With `oldest` every other place in the
            window is for the newest batches, so live readings arrive while the backlog is sent;
            with `newest` every place is.
        ack_timeout_s: time after which a batch that is not acknowledged is sent again [s].
        status_interval_s: time between two `status` messages [s].
        max_samples: most samples in a batch; 5000 of 30 quantities stay below the largest payload.
        max_message_bytes: largest payload of a message; larger batches are cut. Omitted: as large
            as the broker states or is seen to accept.
    """

    window: Annotated[int, Meta(ge=1, le=1000)] = 100
    catch_up: Literal["oldest", "newest"] = "oldest"
    ack_timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    status_interval_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    max_samples: Annotated[int, Meta(ge=1, le=5000)] = 1000
    max_message_bytes: Annotated[int, Meta(ge=256, le=4 * 1024 * 1024)] | None = None


class BusOverride(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[bus]]`: the address of a bus as this agent reaches it, for instance through a tunnel."""

    id: Id
    host: Host | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    device: str | None = None


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `agent.toml`."""

    agent: AgentHead = AgentHead()
    broker: BrokerSettings = BrokerSettings()
    spool: SpoolSettings = SpoolSettings()
    publish: PublishSettings = PublishSettings()
    metrics: MetricsSettings = MetricsSettings()
    bus: tuple[BusOverride, ...] = ()


class Assignment(msgspec.Struct, frozen=True):
    """The buses and meters of one agent.

    Attributes:
        agent: id of the agent.
        buses: its buses, at the addresses where it reaches them.
        meters: its meters, by the id of their bus; every bus has at least one.
    """

    agent: str
    buses: tuple[Bus, ...]
    meters: Mapping[str, tuple[Meter, ...]]


def assignment(site: Site, settings: AgentSettings) -> Assignment:
    """Return the buses and meters that a site assigns to the agent of these settings.

    Raises:
        ConfigError: with every problem, each in terms of `agent.toml` or `site.toml`.
    """
    agent = _agent_id(site, settings.agent.id)
    buses = tuple(reached_bus(bus, settings) for bus in site.bus if bus.agent == agent)
    problems = [*_unknown_buses(site, settings), *endpoints.shared_endpoints(site, buses)]
    if problems:
        raise ConfigError(problems)
    meters = {bus.id: tuple(one for one in site.meter if one.bus == bus.id) for bus in buses}
    return Assignment(agent, tuple(bus for bus in buses if meters[bus.id]), meters)


def reached_bus(bus: Bus, settings: AgentSettings) -> Bus:
    """Return a bus at the address where the agent of these settings reaches it."""
    for override in settings.bus:
        if override.id == bus.id:
            return msgspec.structs.replace(
                bus,
                host=override.host or bus.host,
                port=override.port or bus.port,
                device=override.device or bus.device,
            )
    return bus


def check_same_agent(was: Assignment, now: Assignment, site_was: str, site_now: str) -> None:
    """Check that a reload keeps the id of the agent and of its site, which its batches bear.

    Raises:
        ConfigError: a reload would change one of them.
    """
    if now.agent != was.agent:
        problem = Problem(
            text="this agent runs as {was}, but the files now name it {now}.",
            fix="Restart the agent, or restore the files.",
            values={"was": was.agent, "now": now.agent},
        )
        raise ConfigError([problem])
    if site_now != site_was:
        problem = Problem(
            text="this agent runs for the site {was}, whose id is now {now}.",
            fix="Restart the agent, or restore the id of the site.",
            values={"was": site_was, "now": site_now},
            path=("site", "id"),
            file="site.toml",
        )
        raise ConfigError([problem])


def changed_start_tables(was: AgentSettings, now: AgentSettings) -> list[str]:
    """Return the tables that differ but are only read at the start of an agent."""
    return [name for name in READ_AT_START if getattr(was, name) != getattr(now, name)]


def _agent_id(site: Site, wanted: str | None) -> str:
    known = sorted({bus.agent for bus in site.bus})
    if wanted is not None and wanted in known:
        return wanted
    if wanted is None and len(known) == 1:
        return known[0]
    names = ", ".join(known)
    if not known:
        problem = Problem(
            text="no bus of the site names an agent, so there is nothing to poll.",
            fix="Add a [[bus]] with agent = ... and assign the meters to it.",
            path=("bus",),
            file="site.toml",
        )
    elif wanted is None:
        problem = Problem(
            text="the site has several agents, but the settings do not name one of them.",
            fix='Add [agent] id = "..." with one of: {known}.',
            values={"known": names},
            path=("agent", "id"),
            file=SETTINGS_FILE,
        )
    else:
        close = nearest(wanted, known)
        problem = Problem(
            text="no bus of the site names agent {agent}.",
            fix="Did you mean {close}?" if close else "Use one of: {known}.",
            values={"agent": wanted, "known": names, "close": close},
            path=("agent", "id"),
            file=SETTINGS_FILE,
        )
    raise ConfigError([problem])


def _unknown_buses(site: Site, settings: AgentSettings) -> Iterator[Problem]:
    for number, override in enumerate(settings.bus):
        if override.id not in site.buses:
            close = nearest(override.id, site.buses)
            yield Problem(
                text="{bus} is no bus of the site.",
                fix="Did you mean {close}?" if close else "Use one of: {known}.",
                values={
                    "bus": override.id,
                    "close": close,
                    "known": ", ".join(sorted(site.buses)),
                },
                path=("bus", number, "id"),
                file=SETTINGS_FILE,
            )
