"""Parse the formula of a virtual meter: a sum of other meters, each with a constant factor. Pure.

Examples: `main - canteen - 0.5 * chiller`, `chiller * 0.5 + pumps`.

Laws: a formula is linear: a factor is a number, and a meter is never multiplied by a meter. Ids may
contain hyphens, so a minus between two meters needs a space before it.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from jieneng.metering.errors import JienengError

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_TERM: Final = re.compile(
    rf"\s*(?P<sign>[+-])?\s*(?:(?P<before>{_NUMBER})\s*\*\s*)?"
    rf"(?P<meter>[a-z0-9][a-z0-9-]*)(?:\s*\*\s*(?P<after>{_NUMBER})(?![a-z0-9-]))?\s*"
)


class FormulaError(JienengError):
    """A formula that can't be read. The value `rest` is the part that was not understood."""


class FormulaTerm(msgspec.Struct, frozen=True):
    """A meter in a formula, with its factor.

    Attributes:
        factor: the factor; negative if the meter is deducted.
        meter: id of the meter.
    """

    factor: float
    meter: str


@lru_cache(maxsize=4096)
def parse_formula(text: str) -> tuple[FormulaTerm, ...]:
    """Return the terms of a formula, one for each meter, in the order of the formula.

    Raises:
        FormulaError: the text is not a sum of meters with constant factors.
    """
    factors: dict[str, float] = {}
    position = 0
    while position < len(text) or not factors:
        found = _TERM.match(text, position)
        if found is None or (factors and found["sign"] is None):
            rest = text[position:].strip() or text
            raise FormulaError("{rest} is not a part of a sum of meters.", rest=rest)
        factor = float(found["before"] or 1.0) * float(found["after"] or 1.0)
        signed = -factor if found["sign"] == "-" else factor
        factors[found["meter"]] = factors.get(found["meter"], 0.0) + signed
        position = found.end()
    return tuple(FormulaTerm(factor, meter) for meter, factor in factors.items())
