"""Determine the encoding of a text file from all its bytes. Pure.

- If there is a byte order mark, it determines the encoding.
- In UTF-16 without such a mark, there is a zero byte next to each digit.
- Bytes that are valid UTF-8 are UTF-8, because other texts are practically never valid UTF-8.
- Otherwise the encoding is GB18030, which includes GBK and GB2312.

Law: a damaged byte does not change the encoding that the bytes before it determine.
"""

import codecs
from collections.abc import Iterable
from typing import Final

from jieneng.metering.errors import UsageError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: A text is UTF-16 if at least this share of every second byte is zero.
_MOSTLY: Final = 0.4
#: Number of non-ASCII characters after which a valid decoding is not a coincidence.
_ENOUGH: Final = 2


class _Candidate:
    """Decodes bytes in one encoding until a byte is invalid.

    Attributes:
        letters: number of non-ASCII characters that were decoded.
        failed: True after an invalid byte.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.letters = 0
        self.failed = False
        self._decoder = codecs.getincrementaldecoder(name)()

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        if self.failed or (chunk.isascii() and not final and not self._decoder.getstate()[0]):
            return
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            text = error.object[: error.start].decode(self.name, "ignore")
            self.failed = True
        self.letters += len(text) - len(text.encode("ascii", "ignore"))


def detect_encoding(chunks: Iterable[bytes]) -> str:
    """Return the encoding of a text, as the name of a Python codec.

    Args:
        chunks: all bytes of the text, in pieces. The first piece must have at least 4 bytes, unless
            the text is shorter.
    """
    candidates = [_Candidate("utf-8"), _Candidate("gb18030")]
    is_first = True
    for chunk in chunks:
        if is_first and (name := _marked(chunk) or _utf_16(chunk)):
            return name
        is_first = False
        for candidate in candidates:
            candidate.feed(chunk)
        if candidates[0].letters >= _ENOUGH and candidates[1].failed:
            break
    for candidate in candidates:
        candidate.feed(b"", final=True)
    for candidate in candidates:
        if not candidate.failed or candidate.letters >= _ENOUGH:
            return candidate.name
    return "cp1252"  # western programs write m³ and °C in this encoding


def _marked(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def _utf_16(head: bytes) -> str | None:
    even, odd = (head[start:4096:2] for start in (0, 1))
    zeros = even.count(0) / max(len(even), 1), odd.count(0) / max(len(odd), 1)
    if max(zeros) < _MOSTLY:
        return None
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def stated_encoding(name: str, head: bytes) -> str:
    """Return the codec for an encoding that a person states.

    For UTF-16 without a byte order mark, the byte order is determined from the text.

    Args:
        name: name of the encoding.
        head: first bytes of the text.

    Raises:
        UsageError: there is no encoding with this name.
    """
    try:
        b"0".decode(name, "replace")
        found = codecs.lookup(name).name
    except (LookupError, UnicodeError) as error:
        raise UsageError(
            "--encoding {name} is not an encoding: write utf-8, gb18030 or utf-16.", name=name
        ) from error
    if found == "utf-16" and _marked(head) != "utf-16":
        return _utf_16(head) or "utf-16-le"
    return "utf-8-sig" if found == "utf-8" else found
