"""Notify systemd that a service is ready, alive, reloading or stopping (sd_notify).

The protocol of sd_notify(3): lines of `KEY=value` in a datagram to the socket that the environment
names. Without a supervisor nothing is said, and nothing is missing.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

from jieneng.clock import Clock

_PINGS: Final = 3  # in a watchdog's time: one may be late (sd_watchdog_enabled(3) says half of it)


class Supervisor:
    """systemd, where it is there."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_us = int(environment.get("WATCHDOG_USEC") or 0)

    def ready(self) -> None:
        """The service does its work from now on, or again."""
        self._say("READY=1")

    def reloading(self, clock: Clock) -> None:
        """The configuration is read anew; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={round(1e6 * clock.monotonic())}")

    def stopping(self) -> None:
        """The service was told to end, and does."""
        self._say("STOPPING=1")

    async def stay_alive(self) -> None:
        """Say that the event loop runs, as often as the watchdog wants, until cancelled."""
        while self._watchdog_us:
            self._say("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_us / 1e6 / _PINGS)

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the null byte of Linux's abstract names (sd_notify(3)).
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            try:
                one.sendto(text.encode(), address)
            except OSError:  # a supervisor that is gone is no reason to stop the work
                return
