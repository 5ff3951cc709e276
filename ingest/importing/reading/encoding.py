"""Tell the encoding of a text file from all its bytes. Pure.

- A byte order mark decides.
- UTF-16 without one has a zero byte beside each digit.
- UTF-8 is never met by chance; else it is GB18030, of which GBK and GB2312 are parts.

Law: a damaged byte does not change the encoding of what stands before it.
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
#: Share of zeros in every second byte from which on a text is UTF-16.
_MOSTLY: Final = 0.4
#: Number of letters beyond ASCII that are not read by chance.
_ENOUGH: Final = 2


class _Candidate:
    """Decoder that reads bytes until one is wrong.

    Attributes:
        letters: number of characters beyond ASCII that were read.
        failed: True after a wrong byte.
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
    """Return the encoding of a text as a name of Python's codecs.

    Args:
        chunks: all bytes of the text in pieces, of which the first has at least 4 bytes if the text
            has.
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
    return "cp1252"  # reads m³ and °C of western programs


def _marked(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def _utf_16(head: bytes) -> str | None:
    even, odd = (head[start:4096:2] for start in (0, 1))
    zeros = even.count(0) / max(len(even), 1), odd.count(0) / max(len(odd), 1)
    if max(zeros) < _MOSTLY:
        return None
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def stated_encoding(name: str, head: bytes) -> str:
    """Return the encoding that a person names; of UTF-16 without a mark, the order of its bytes.

    Args:
        name: the name.
        head: first bytes of the text.

    Raises:
        UsageError: the name is no encoding.
    """
    try:
        b"0".decode(name, "replace")
        found = codecs.lookup(name).name
    except (LookupError, UnicodeError) as error:
        raise UsageError(
            "--encoding {name} is no encoding: write utf-8, gb18030 or utf-16.", name=name
        ) from error
    if found == "utf-16" and _marked(head) != "utf-16":
        return _utf_16(head) or "utf-16-le"
    return "utf-8-sig" if found == "utf-8" else found
