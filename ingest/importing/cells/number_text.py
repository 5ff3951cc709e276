"""Grammar of numbers as people and programs write them. Pure.

    sign  currency  digits with separators  unit
    -     ¥         1,234,567.5             kWh

Laws:

1. Signs, digits and separators may be full-width characters, as in Chinese typing.
2. Thousands separators must be at every third digit; otherwise the text is not a number.
"""

import re
from typing import Final, NamedTuple

from ingest.importing.cells.notation import DecimalSign

#: Translation of full-width characters, and of variants of signs and spaces, to plain ASCII.
_PLAIN: Final = str.maketrans(
    "０１２３４５６７８９．，－＋−–（）’＇　\u00a0\u202f\u2009",
    "0123456789.,-+--()''    ",
)
_NUMBER: Final = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-+])?\s*(?P<currency>[¥￥$€])?\s*(?P<sign2>[-+])?"
    r"(?P<body>(?:\d[\d.,' ]*|[.,]\d+))(?P<exponent>[eE][-+]?\d{1,3})?(?P<sign3>-)?"
    r"\s*(?P<unit>[^\d\s.,'()+\-][^.,'()]*(?:\([^()]*\))?)?(?P<close>\))?"
)
_GROUPS: Final = re.compile(r"\d{1,3}([.,' ])\d{3}(?:\1\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")
_OTHER: Final[dict[str, DecimalSign]] = {".": ",", ",": "."}


class NumberText(NamedTuple):
    """Parts of the text of a number.

    Attributes:
        negative: True if the number has a minus sign, or is in brackets.
        body: digits with separators.
        exponent: exponent with its `e`; "" if there is none.
        unit: unit after the number, or currency before it; "" if there is none.
    """

    negative: bool
    body: str
    exponent: str
    unit: str


def parts_of_number(text: str) -> NumberText | None:
    """Return the parts of a number's text; None if the text is not a number."""
    found = _NUMBER.fullmatch(text.translate(_PLAIN).strip())
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = [sign for sign in found.group("sign", "sign2", "sign3") if sign]
    if len(signs) > 1 or (signs and found["open"]):
        return None
    return NumberText(
        negative="-" in signs or bool(found["open"]),
        body=found["body"].rstrip(),
        exponent=found["exponent"] or "",
        unit=(found["unit"] or found["currency"] or "").strip(),
    )


def decimal_signs(body: str) -> tuple[DecimalSign, ...]:
    """Return the decimal signs with which digits and separators are a valid number.

    Examples: both signs for 81 (no separator), and for 81.234 and 81,234 (which can mean two
    numbers); one sign for 81.2, 0.234 and 1,081.234; none for 1.2.3.
    """
    signs: tuple[DecimalSign, ...] = (".", ",")
    return tuple(sign for sign in signs if plain_digits(body, sign) is not None)


def plain_digits(body: str, decimal: DecimalSign) -> str | None:
    """Return digits with a decimal point and without thousands separators: `1.081,5` -> `1081.5`.

    The result is None if the digits are not a number with this decimal sign.
    """
    whole, found, fraction = body.partition(decimal)
    if found and (not fraction.isdecimal() if fraction else not whole):
        return None
    if whole and not whole.isdecimal():
        groups = _GROUPS.fullmatch(whole)
        if groups is None or decimal in whole or whole.lstrip("0") != whole:
            return None
        whole = "".join(filter(str.isdecimal, whole))
    return f"{whole or '0'}.{fraction}" if fraction else whole or None


def has_thousands(body: str) -> bool:
    """Return True if digits have spaces or apostrophes as thousands separators."""
    return " " in body or "'" in body


def other_sign(decimal: DecimalSign) -> DecimalSign:
    """Return the thousands separator for a decimal sign."""
    return _OTHER[decimal]
