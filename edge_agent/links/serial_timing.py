"""Timing of a serial line: characters and the gap between frames. Pure.

Source: MODBUS over Serial Line V1.02, sections 2.5.1 and 2.5.1.1.
"""

from typing import Final, Literal

Parity = Literal["N", "E", "O"]

_FRAME_GAP: Final = 3.5  # characters between two frames ...
_FAST_BAUD: Final = 19200
_FAST_GAP_S: Final = 0.00175  # ... and above that many baud this, whatever the baud


def character_s(baud: int, parity: Parity, stop_bits: int) -> float:
    """Return the time of one byte [s]: a start bit, eight data bits, parity, stop bits."""
    return (1 + 8 + (parity != "N") + stop_bits) / baud


def frame_gap_s(baud: int, parity: Parity, stop_bits: int) -> float:
    """The silence between two frames."""
    if baud > _FAST_BAUD:
        return _FAST_GAP_S
    return _FRAME_GAP * character_s(baud, parity, stop_bits)
