"""The protocols of meters: encode requests and parse replies, as generators without sockets.

Each protocol is one module. `PROTOCOLS` lists them, and other folders use a protocol only through
its row. In: a planned read. Out: a generator that yields requests, receives replies, and returns
the register bytes. Law: no module here can encode a request that writes to a meter.
"""

from typing import Final

from edge_agent.protocols.modbus import MODBUS
from edge_agent.protocols.request_reply import BusProtocol, Framing
from jieneng.metering.site import LinkKind

#: Protocols, by the key `protocol` of a meter model.
PROTOCOLS: Final[dict[str, BusProtocol]] = {"modbus": MODBUS}


def framing(protocol: str, link: LinkKind) -> Framing:
    """Return the framing of a protocol's messages on a kind of link."""
    return PROTOCOLS[protocol].framings[link]
