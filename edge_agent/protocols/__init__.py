"""The protocols of meters: a planned read goes in, a generator of requests and replies comes out.

One module a protocol encodes and parses it, without sockets. `PROTOCOLS` lists them; pollers and
links know a protocol only through its row. No module here can encode a request that writes.
"""

from typing import Final

from edge_agent.protocols.modbus import MODBUS
from edge_agent.protocols.request_reply import BusProtocol, Framing
from jieneng.metering.site import LinkKind

#: Protocols by the `protocol` of a meter model.
PROTOCOLS: Final[dict[str, BusProtocol]] = {"modbus": MODBUS}


def framing(protocol: str, link: LinkKind) -> Framing:
    """Return how a protocol's requests travel on a kind of link."""
    return PROTOCOLS[protocol].framings[link]
