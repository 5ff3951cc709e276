"""Reading ahead changes no byte, whatever pieces the network makes of the stream."""

from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.mqtt.read_ahead_socket import ReadAheadSocket


class PiecedSocket:
    """A non-blocking socket whose bytes come in these pieces; an empty piece is a moment's wait."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.is_closed = False

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if not piece:
            raise BlockingIOError
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def close(self) -> None:
        self.is_closed = True


def read_ahead(pieces: list[bytes]) -> ReadAheadSocket:
    sock: Any = PiecedSocket(pieces)
    return ReadAheadSocket(sock)


@given(
    st.lists(st.binary(max_size=20), max_size=20),
    st.lists(st.integers(1, 30), min_size=1, max_size=10),
)
def test_the_bytes_are_those_of_the_stream(pieces: list[bytes], sizes: list[int]) -> None:
    sock, found = read_ahead(list(pieces)), b""
    for size in cycle(sizes):
        try:
            part = sock.recv(size)
        except BlockingIOError:
            assert sock.pending() == 0, "no byte waits behind an empty socket"
            continue
        if not part:
            break
        assert len(part) <= size
        found += part
    assert found == b"".join(pieces)


def test_what_was_read_ahead_is_pending() -> None:
    sock = read_ahead([b"abcdef"])
    assert sock.pending() == 0
    assert sock.recv(2) == b"ab"
    assert sock.pending() == 4
    assert sock.recv(10) == b"cdef"
    assert sock.pending() == 0


def test_an_error_comes_after_the_bytes_before_it() -> None:
    sock = read_ahead([b"ab", b""])
    assert sock.recv(1) == b"a"
    assert sock.recv(1) == b"b"
    with pytest.raises(BlockingIOError):
        sock.recv(1)


def test_everything_else_is_the_sockets_own() -> None:
    inner: Any = PiecedSocket([])
    ReadAheadSocket(inner).close()
    assert inner.is_closed
