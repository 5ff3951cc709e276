"""Determine the kind of a file from its first bytes, not from its name. Pure.

Law: a file that can't be imported is refused with one sentence that tells how to save it.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final, Literal

from jieneng.metering.errors import Msgid, UsageError

Container = Literal["text", "gzip", "xlsx", "parquet"]

#: Number of bytes at the beginning of a file that are enough to determine its kind.
HEAD_BYTES: Final = 4096

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_PARQUET: Final = b"PAR1"
#: First bytes of old Excel files, and of new Excel files with a password. [MS-CFB] section 2.2
_COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Name of the stream in a workbook with a password. [MS-OFFCRYPTO] section 2.3.4.4
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_TEXT_NAMES: Final = frozenset({".csv", ".txt", ".tsv", ".dat", ".prn", ".xls"})

_NO_XLSX: Final[Msgid] = (
    "{file} is not an XLSX file: open it in a spreadsheet program and save it as XLSX."
)
_PROTECTED: Final[Msgid] = (
    "{file} is protected by a password: open it in a spreadsheet program, remove the password, and "
    "save it."
)
_OLD_EXCEL: Final[Msgid] = (
    "{file} is an old Excel file (.xls): open it in a spreadsheet program and save it as XLSX."
)
_WEB_PAGE: Final[Msgid] = (
    "{file} is a web page in spite of its name: open it in a spreadsheet program and save it"
    " as XLSX."
)
_NO_TABLE: Final[Msgid] = "{file} can't be imported: save it as CSV or XLSX."


def container(file: str, head: bytes) -> Container:
    """Return the kind of a file.

    Args:
        file: name of the file.
        head: first `HEAD_BYTES` bytes of the file.

    Raises:
        UsageError: the file can't be imported.
    """
    suffix = PurePath(file.lower()).suffix
    if head.startswith(_ZIP):
        return "xlsx"
    if suffix in {".xlsx", ".xlsm"}:
        raise UsageError(_NO_XLSX, file=file)
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(b"%PDF") or suffix not in {*_TEXT_NAMES, ".gz"}:
        raise UsageError(_NO_TABLE, file=file)
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t").lower()
    if text.startswith(b"<") and any(mark in text for mark in (b"<html", b"<table", b"<?xml")):
        raise UsageError(_WEB_PAGE, file=file)
    return "text"


def is_compound(head: bytes) -> bool:
    """Return True for an old Excel file, and for a new Excel file with a password."""
    return head.startswith(_COMPOUND)


def refuse_compound(file: str, content: bytes) -> None:
    """Raise the UsageError for a file for which `is_compound` is true."""
    raise UsageError(_PROTECTED if _ENCRYPTED in content else _OLD_EXCEL, file=file)


def check_zip(file: str, names: Sequence[str]) -> None:
    """Raise UsageError for a zip file that is not an XLSX file.

    Args:
        file: name of the zip file.
        names: names of the files in it.
    """
    if "xl/workbook.xml" not in names:
        raise UsageError(_NO_XLSX, file=file)
