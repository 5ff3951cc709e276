"""Checksum of Modbus RTU frames.

Source: MODBUS over Serial Line V1.02, section 6.2.2.
"""

from typing import Final


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC_TABLE: Final = tuple(_crc_of_byte(byte) for byte in range(256))


def crc(data: bytes) -> bytes:
    """Return the two checksum bytes of an RTU frame, as sent: low byte first."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ _CRC_TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")
