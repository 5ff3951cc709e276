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
        id: id of this agent, as in the key `agent` of its buses in `site.toml`; may be omitted if
            all buses have the same agent.
    """

    id: Id | None = None


class SpoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[spool]`.

    Attributes:
        path: path of the file, relative to the site's folder; `spool-<agent>.sqlite` if omitted.
        max_bytes: largest total payload of pending batches [bytes]. If it is exceeded, the oldest
            readings are dropped and counted. The default is enough for 30 days of 64 meters with 20
            quantities that are read every 15 minutes.
        max_age_days: longest time that a reading waits [days]; only the time counts in which an
            agent runs. Older readings are dropped and counted. The default is a year plus the month
            after it, in which the yearly figures are collected.
        commit_delay_s: longest time that a reading waits for others before it is written to the
            disk [s].
    """

    path: str | None = None
    max_bytes: Annotated[int, Meta(ge=65536)] = 256 * 1024 * 1024
    max_age_days: Annotated[float, Meta(gt=0)] = 400.0
    commit_delay_s: Annotated[float, Meta(ge=0, le=60)] = 0.2

    @property
    def max_age_s(self) -> float:
        """The key `max_age_days` in seconds."""
        return self.max_age_days * _DAY_S

    def file(self, folder: Path, agent: str) -> Path:
        """Return the path of the spool of an agent."""
        return folder / (self.path or f"spool-{agent}.sqlite")


class PublishSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[publish]`.

    Attributes:
        window: largest number of batches in flight (published and not yet acknowledged). The sum
            for all agents of a site should be below the number of messages that the broker queues
            for the ingest: 1020 with mosquitto's defaults. An ingest acknowledges about twice a
            second, so an agent can publish at most twice this number of batches in a second.
        catch_up: order in which a backlog is sent. `oldest`: the oldest and the newest batches in
            turn, so that live readings arrive while the backlog is sent. `newest`: always the
            newest batch first.
        ack_timeout_s: time after which a batch that is not acknowledged is sent again [s].
        status_interval_s: time between two `status` messages [s].
        max_samples: largest number of samples in a batch; 5000 samples of 30 quantities are smaller
            than the largest payload.
        max_message_bytes: largest payload of a message; larger batches are cut. If omitted, the
            limit is what the broker states, or what it was observed to accept.
    """

    window: Annotated[int, Meta(ge=1, le=1000)] = 100
    catch_up: Literal["oldest", "newest"] = "oldest"
    ack_timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    status_interval_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    max_samples: Annotated[int, Meta(ge=1, le=5000)] = 1000
    max_message_bytes: Annotated[int, Meta(ge=256, le=4 * 1024 * 1024)] | None = None


class BusOverride(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[bus]]`: the address that this agent uses for a bus, for instance through a tunnel."""

    id: Id
    host: Host | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    device: str | None = None


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `agent.toml`."""

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
        buses: its buses, with the addresses that the agent uses.
        meters: its meters, by the id of their bus; every bus has at least one meter.
    """

    agent: str
    buses: tuple[Bus, ...]
    meters: Mapping[str, tuple[Meter, ...]]


def assignment(site: Site, settings: AgentSettings) -> Assignment:
    """Return the buses and meters that a site assigns to the agent with these settings.

    Raises:
        ConfigError: lists all problems of `agent.toml` and `site.toml`.
    """
    agent = _agent_id(site, settings.agent.id)
    buses = tuple(reached_bus(bus, settings) for bus in site.bus if bus.agent == agent)
    problems = [*_unknown_buses(site, settings), *endpoints.shared_endpoints(site, buses)]
    if problems:
        raise ConfigError(problems)
    meters = {bus.id: tuple(one for one in site.meter if one.bus == bus.id) for bus in buses}
    return Assignment(agent, tuple(bus for bus in buses if meters[bus.id]), meters)


def reached_bus(bus: Bus, settings: AgentSettings) -> Bus:
    """Return a bus with the address that the agent with these settings uses."""
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
    """Check that a reload does not change the ids of the agent and of its site.

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
    """Return the tables that have changed, although they are read only at the start of an agent."""
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
            text="no bus of the site has the key agent, so there is nothing to poll.",
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
            text="no bus of the site has agent = {agent}.",
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
