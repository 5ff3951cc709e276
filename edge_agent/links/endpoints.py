"""Identity of a gateway or serial port, however it is spelled. Pure: no name is looked up.

Laws:

1. A gateway takes one connection, and one request at a time: one endpoint is one bus.
2. Two spellings of one endpoint are the same endpoint. Two host names are two endpoints: only the
   network knows whether they lead to the same gateway.
3. A serial port, a loopback address and the addresses in an agent's own file belong to one machine:
   they are not compared with those of another agent.
"""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from posixpath import normpath

from jieneng.metering.errors import Problem
from jieneng.metering.site import Bus, Site


def shared_endpoints(site: Site, buses: Iterable[Bus]) -> Iterator[Problem]:
    """Yield a problem for each bus whose endpoint another bus of the same agent has.

    Args:
        site: the whole site.
        buses: the agent's buses, at the addresses where it reaches them.
    """
    used_by: dict[str, str] = {}
    for bus in buses:
        endpoint = _serial_port(bus) if bus.link == "rtu" else _gateway(bus)
        other = used_by.setdefault(endpoint, bus.id)
        if other != bus.id:
            yield Problem(
                text="buses {other} and {bus} are both at {place}.",
                fix="Make them one bus: its meters are asked one after the other.",
                values={"other": other, "bus": bus.id, "place": endpoint},
                path=_path(site, bus),
                file="site.toml",
            )


def contested_gateways(site: Site, overridden: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each bus to whose gateway two agents would connect.

    Args:
        site: the buses, at the addresses of `site.toml`.
        overridden: ids of the buses that their agent reaches at an address of its own file.
    """
    used_by: dict[str, Bus] = {}
    for bus in site.bus:
        if bus.link == "rtu" or bus.id in overridden or _is_loopback(bus):
            continue
        endpoint = _gateway(bus)
        other = used_by.setdefault(endpoint, bus)
        if other.agent != bus.agent:
            yield Problem(
                text="buses {other} of {others} and {bus} of {agent} are both at {place}.",
                fix="Make them one bus of one agent, because a gateway may serve one connection "
                "only. If they are two gateways, in networks with equal addresses, write the host "
                "of one in the [[bus]] of its agent's agent.toml.",
                values={
                    "other": other.id,
                    "others": other.agent,
                    "bus": bus.id,
                    "agent": bus.agent,
                    "place": endpoint,
                },
                path=_path(site, bus),
                file="site.toml",
            )


def _path(site: Site, bus: Bus) -> tuple[str | int, ...]:
    return ("bus", [row.id for row in site.bus].index(bus.id), "id")


def _serial_port(bus: Bus) -> str:
    # In POSIX two slashes at the beginning may mean something else than one; in Linux they do not.
    return normpath(bus.device or "").replace("//", "/")


def _gateway(bus: Bus) -> str:
    host = _host(bus)
    return f"[{host}]:{bus.port}" if isinstance(host, IPv6Address) else f"{host}:{bus.port}"


def _is_loopback(bus: Bus) -> bool:
    host = _host(bus)
    return not isinstance(host, str) and host.is_loopback


def _host(bus: Bus) -> str | IPv4Address | IPv6Address:
    name = (bus.host or "").casefold().removesuffix(".")
    try:
        address = ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        return name
    return getattr(address, "ipv4_mapped", None) or address
