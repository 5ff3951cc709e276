"""Read the end of the validity of an X.509 certificate from its DER bytes. Pure.

Python's `ssl` decodes the certificate of the peer, but not the client's own certificate. Therefore
the nested elements up to the validity are decoded here (RFC 5280, section 4.1).
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

_UTC_TIME: Final = 0x17  # ASN.1 tag UTCTime: two digits of the year
_VERSION: Final = 0xA0  # context tag [0], omitted in version 1
_BEFORE_VALIDITY: Final = 3  # serial number, signature algorithm, issuer


class _Element(NamedTuple):
    tag: int
    content: bytes
    rest: bytes


def not_after_ms(certificate: bytes) -> int:
    """Return the last time at which a certificate is valid [UTC, ms since 1970].

    Raises:
        ValueError: the bytes are not an X.509 certificate.
    """
    try:
        fields = _element(_element(certificate).content).content
        if _element(fields).tag == _VERSION:
            fields = _element(fields).rest
        for _ in range(_BEFORE_VALIDITY):
            fields = _element(fields).rest
        not_before = _element(_element(fields).content)
        return _time_ms(_element(not_before.rest))
    except IndexError as error:
        raise ValueError("not an X.509 certificate") from error


def _element(der: bytes) -> _Element:
    """Return the first element of DER bytes, and the bytes after it."""
    length, start = der[1], 2
    if length >= 0x80:  # long form: the number of bytes that hold the length
        start += length - 0x80
        length = int.from_bytes(der[2:start], "big")
    end = start + length
    if end > len(der):
        raise IndexError
    return _Element(der[0], der[start:end], der[end:])


def _time_ms(element: _Element) -> int:
    form = "%y%m%d%H%M%SZ" if element.tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    text = element.content.decode("ascii")
    moment = datetime.strptime(text, form).replace(tzinfo=UTC)
    if element.tag == _UTC_TIME and moment.year >= 2050:  # Python's pivot is 1969, ASN.1's 1950
        moment = moment.replace(year=moment.year - 100)
    return round(moment.timestamp() * 1000)
