"""Compute durations on a serial line: of one byte, and of the silence between two frames. Pure.

Source: MODBUS over Serial Line V1.02, sections 2.5.1 and 2.5.1.1.
"""

from typing import Final, Literal

Parity = Literal["N", "E", "O"]

_FRAME_GAP_CHARACTERS: Final = 3.5  # silence between two frames, up to 19200 baud
_FAST_BAUD: Final = 19200
_FAST_FRAME_GAP_S: Final = 0.00175  # silence between two frames, above 19200 baud


def character_s(baud: int, parity: Parity, stop_bits: int) -> float:
    """Return the time of one byte: start bit, eight data bits, parity, stop bits [s]."""
    return (1 + 8 + (parity != "N") + stop_bits) / baud


def frame_gap_s(baud: int, parity: Parity, stop_bits: int) -> float:
    """Return the silence between two frames [s]."""
    if baud > _FAST_BAUD:
        return _FAST_FRAME_GAP_S
    return _FRAME_GAP_CHARACTERS * character_s(baud, parity, stop_bits)
