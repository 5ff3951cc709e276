"""The address of a simulated bus: a TCP port of this machine, or the path of a serial port."""

import msgspec


class BusEndpoint(msgspec.Struct, frozen=True):
    """The address that a master connects to.

    Attributes:
        host: IP address or host name, for a bus over TCP.
        port: TCP port, for a bus over TCP.
        device: path of a serial bus's terminal; None for a bus over TCP.
    """

    host: str = ""
    port: int = 0
    device: str | None = None
