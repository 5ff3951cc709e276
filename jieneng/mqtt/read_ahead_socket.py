"""A socket that reads ahead. paho asks for a packet in three parts, each of which is a system call.

Law: the bytes that `recv` returns are those of the socket, in their order, none twice and none
left out; the end of the stream and errors come after the bytes before them.
"""

import socket
from typing import Any, Final

#: Bytes read at once: some hundred messages of a site.
_READ_BYTES: Final = 65_536


class ReadAheadSocket:
    """A non-blocking socket with a buffer in front; everything but `recv` is the socket's own."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._next = 0

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; empty at the end of the stream. Raises as a socket does."""
        if self._next == len(self._buffer):
            self._buffer, self._next = self._sock.recv(_READ_BYTES), 0
        found = self._buffer[self._next : self._next + size]
        self._next += len(found)
        return found

    def pending(self) -> int:
        """Return how many bytes were read ahead.

        An event loop sees an empty socket and would not ask for them. aiomqtt goes on reading while
        there are some, as it does with the buffer of TLS.
        """
        return len(self._buffer) - self._next

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
