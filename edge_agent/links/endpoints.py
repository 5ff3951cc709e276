"""Find buses that share a gateway or serial port, even if it is spelled differently. Pure.

Laws:

1. A gateway serves one connection with one request at a time. Therefore two buses must not have the
   same endpoint (gateway or serial port).
2. Different spellings of an address are the same endpoint. Different host names are different
   endpoints, because names are not looked up.
3. Serial ports, loopback addresses and addresses in an `agent.toml` are valid on one machine only.
   They are not compared with those of another agent.
"""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from posixpath import normpath

from jieneng.metering.errors import Problem
from jieneng.metering.site import Bus, Site


def shared_endpoints(site: Site, buses: Iterable[Bus]) -> Iterator[Problem]:
    """Yield a problem for each bus with the same endpoint as another bus of its agent.

    Args:
        site: the whole site.
        buses: the agent's buses, with the addresses that the agent uses.
    """
    used_by: dict[str, str] = {}
    for bus in buses:
        endpoint = _serial_port(bus) if bus.link == "rtu" else _gateway(bus)
        other = used_by.setdefault(endpoint, bus.id)
        if other != bus.id:
            yield Problem(
                text="buses {other} and {bus} have the same address {place}.",
                fix="Make them one bus, whose meters are then polled one after the other.",
                values={"other": other, "bus": bus.id, "place": endpoint},
                path=_path(site, bus),
                file="site.toml",
            )


def contested_gateways(site: Site, overridden: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each bus to whose gateway two agents would connect.

    Args:
        site: the buses, at the addresses of `site.toml`.
        overridden: ids of the buses whose address is given in the `agent.toml` of their agent.
    """
    used_by: dict[str, Bus] = {}
    for bus in site.bus:
        if bus.link == "rtu" or bus.id in overridden or _is_loopback(bus):
            continue
        endpoint = _gateway(bus)
        other = used_by.setdefault(endpoint, bus)
        if other.agent != bus.agent:
            yield Problem(
                text="bus {other} of agent {others} and bus {bus} of agent {agent} have the"
                " same address {place}.",
                fix="Make them one bus of one agent, because a gateway may serve only one"
                " connection. If they are two gateways in separate networks with equal"
                " addresses, write the host of one of them into a [[bus]] in the agent.toml"
                " of its agent.",
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
    # Linux treats two slashes at the beginning of a path like one; POSIX allows other meanings.
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
