"""Notify systemd that a service is ready, alive, reloading or stopping (sd_notify).

The protocol is that of sd_notify(3): lines `KEY=value` in a datagram to the socket that the
environment names. Without that socket, nothing is sent.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

from jieneng.clock import Clock

_PINGS: Final = 3  # number of pings within the watchdog's time, so that one may be late


class Supervisor:
    """The service manager; may be absent."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_us = int(environment.get("WATCHDOG_USEC") or 0)

    def ready(self) -> None:
        """Report that the service is ready, after its start or after a reload."""
        self._notify("READY=1")

    def reloading(self, clock: Clock) -> None:
        """Report that the service reads its configuration again; `ready` reports the end of it."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={round(1e6 * clock.monotonic())}")

    def stopping(self) -> None:
        """Report that the service is stopping because it was told to."""
        self._notify("STOPPING=1")

    async def stay_alive(self) -> None:
        """Report that the event loop runs, as often as the watchdog needs, until cancelled."""
        while self._watchdog_us:
            self._notify("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_us / 1e6 / _PINGS)

    def _notify(self, text: str) -> None:
        if not self._address:
            return
        # A leading @ is the null byte of an abstract socket name of Linux (sd_notify(3)).
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
            try:
                notify_socket.sendto(text.encode(), address)
            except OSError:  # the service continues even without a service manager
                return
