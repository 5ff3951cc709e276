"""A socket that reads ahead: one system call for many packets.

paho reads each packet in three parts, with a system call for each part. This socket reads more than
paho asks for, and returns the rest from a buffer.

Law: `recv` returns the bytes of the socket in their order, none twice and none left out. The end of
the stream, or an error, comes after all bytes that were received before it.
"""

import socket
from typing import Any, Final

#: Most bytes read at once: some hundred messages of a site.
_READ_BYTES: Final = 65_536


class ReadAheadSocket:
    """A non-blocking socket with a read buffer; all other methods are those of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._next = 0  # index of the first byte of the buffer that `recv` has not returned

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes, or none at the end of the stream; raise as a socket does."""
        if self._next == len(self._buffer):
            self._buffer, self._next = self._sock.recv(_READ_BYTES), 0
        part = self._buffer[self._next : self._next + size]
        self._next += len(part)
        return part

    def pending(self) -> int:
        """Return the number of buffered bytes that `recv` has not returned yet.

        An event loop does not report these bytes, because the socket itself is empty. So the client
        reads as long as this number is not 0, as it does for the bytes that TLS holds.
        """
        return len(self._buffer) - self._next

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
