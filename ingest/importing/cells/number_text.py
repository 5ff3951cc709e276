"""Grammar of numbers as people and programs write them. Pure.

    sign  currency  digits with separators  unit
    -     ¥         1,234,567.5             kWh

Laws:

- Signs, digits and separators may have the full width of Chinese typing.
- Separators of thousands stand at every third digit, or are refused.
"""

import re
from typing import Final, NamedTuple

from ingest.importing.cells.notation import DecimalSign

#: Characters of full width, and other forms of signs and spaces -> as programs write them.
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
        negative: True with a minus sign, or in brackets.
        body: digits with separators.
        exponent: exponent with its `e`; "" without one.
        unit: unit behind the number, or the currency before it; "" without one.
    """

    negative: bool
    body: str
    exponent: str
    unit: str


def parts_of_number(text: str) -> NumberText | None:
    """Return the parts of a number's text; None if it is no number."""
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
    """Return the decimal signs with which a number's digits can be read.

    Both for digits without a separator; both for 81.234 and 81,234, which can mean two numbers;
    one for 81.2, 0.234 and 1,081.234; none for digits that are no number in any notation.
    """
    signs: tuple[DecimalSign, ...] = (".", ",")
    return tuple(sign for sign in signs if plain_digits(body, sign) is not None)


def plain_digits(body: str, decimal: DecimalSign) -> str | None:
    """Return digits with a decimal point and without separators: `1.081,5` -> `1081.5`.

    None if they can't be read with this decimal sign.
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
    """Return True if digits have spaces or apostrophes between thousands."""
    return " " in body or "'" in body


def other_sign(decimal: DecimalSign) -> DecimalSign:
    """Return the sign that separates thousands beside a decimal sign."""
    return _OTHER[decimal]
