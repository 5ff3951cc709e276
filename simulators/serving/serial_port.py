"""Serve a simulated bus on a pseudo-terminal, which a master opens as a serial port."""

import asyncio
import os
import pty
import tty
from pathlib import Path
from typing import Final

from jieneng.metering.errors import Unavailable
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.line import Line
from simulators.serving.simulated_bus import ExchangeListener, SimulatedBus, ignore_exchange

_TERMINALS: Final = "/dev/pts/"


class SerialPort:
    """A pseudo-terminal, with an optional symbolic link that gives it a constant path."""

    def __init__(self, bus: SimulatedBus, on_exchange: ExchangeListener = ignore_exchange) -> None:
        self._bus = bus
        self._on_exchange = on_exchange
        self._ends: tuple[int, int] | None = None  # file descriptors: the simulator's, the master's
        self._line: Line | None = None
        self._link: Path | None = None

    async def start(self, link: Path | None = None) -> BusEndpoint:
        """Make the terminal.

        Args:
            link: path of a symbolic link to the terminal; none is made if None.

        Raises:
            Unavailable: a file that is no link exists at this path, or the link can't be made.
        """
        simulators_end, masters_end = pty.openpty()
        # Keep the master's end open here, too. Otherwise the terminal would hang up whenever the
        # master closes it.
        self._ends = (simulators_end, masters_end)
        tty.setraw(masters_end)
        os.set_blocking(simulators_end, False)
        device = os.ttyname(masters_end)
        if link is not None:
            self._make_link(link, device)
        terminal = _Terminal(simulators_end)
        self._line = Line(self._bus, terminal, device, self._on_exchange)
        asyncio.get_running_loop().add_reader(simulators_end, self._read)
        return BusEndpoint(device=str(link or device))

    async def stop(self) -> None:
        """Close the terminal, and remove its link."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        if self._line is not None:
            self._line.close()
        self._remove_link(os.ttyname(self._ends[1]))
        for end in self._ends:
            os.close(end)
        self._ends = None

    def _make_link(self, link: Path, device: str) -> None:
        if link.is_symlink() and str(link.readlink()).startswith(_TERMINALS):
            link.unlink()  # left over from a run that was killed
        try:
            link.symlink_to(device)
        except OSError as error:
            raise Unavailable(
                "the simulator can't make the serial port {path}: {reason}",
                path=link,
                reason=error.strerror,
            ) from error
        self._link = link

    def _remove_link(self, device: str) -> None:
        """Remove the link, unless another run has replaced it."""
        link = self._link
        if link is not None and link.is_symlink() and str(link.readlink()) == device:
            link.unlink()

    def _read(self) -> None:
        if self._ends is not None and self._line is not None:
            self._line.receive(os.read(self._ends[0], 4096))


class _Terminal:
    """The `LineTransport` of a pseudo-terminal. Unread bytes stay there for the next master."""

    def __init__(self, end: int) -> None:
        self._end = end

    def write(self, data: bytes) -> None:
        try:
            os.write(self._end, data)
        except BlockingIOError:
            return

    def reset(self) -> None:
        return

    def is_closing(self) -> bool:
        return False
