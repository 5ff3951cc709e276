"""Format numbers and units for people.

Laws: an unknown value is shown as "—", never as 0. A percent sign always follows a space.
"""

import math
from typing import Final

from jieneng.locale import Translate

UNKNOWN: Final = "—"
MINUS: Final = "\N{MINUS SIGN}"
#: Decimals in which figures are stored.
_MOST_DECIMALS: Final = 6
_SUPERSCRIPTS: Final = (("m2", "m²"), ("m3", "m³"), ("CO2", "CO₂"))


def number(value: float | None) -> str:
    """Format a number with about four digits: `17.92`, `334.7`, `81,204`, `0.0451`."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 100:
        text = f"{value:,.1f}"
    elif size >= 1 or value == 0:
        text = f"{value:.2f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", MINUS)


def decimals(size: float) -> int:
    """Return how many decimals `number` shows for a size: 2 for 17.9, 4 for 0.0451.

    The size is at least 0. Very small numbers have six decimals.
    """
    if size >= 1000:
        return 0
    if size >= 100:
        return 1
    if size >= 1 or size == 0:
        return 2
    return min(2 - math.floor(math.log10(size)), _MOST_DECIMALS)


def signed(value: float, digits: int) -> str:
    """Format a change with its sign and a number of decimals: `+0.84`; 0 has no sign."""
    return f"{value:{'+' if value else ''},.{digits}f}".replace("-", MINUS)


def register(value: float | None) -> str:
    """Format a meter's counter with two decimals, so that its changes are visible."""
    return UNKNOWN if value is None else f"{value:,.2f}"


def share(value: float | None) -> str:
    """Format a share (0 to 1) as percent, cut and not rounded: 0.9997 must not become 100 %."""
    return UNKNOWN if value is None else f"{int(value * 1000 + 1e-9) / 10:.1f} %"


def rounded_share(value: float | None) -> str:
    """Format a share (0 to 1) as percent, rounded: 0.3329 as 33.3 %."""
    return UNKNOWN if value is None else f"{100 * value:.1f} %"


def whole_percent(value: float) -> str:
    """Format a share (0 to 1) as whole percent, rounded: `2 %`."""
    return f"{100 * value:.0f} %"


def percent(value: float | None) -> str:
    """Format a percentage with all its digits: `7 %`, `95.5 %`."""
    return UNKNOWN if value is None else f"{value:g} %".replace("-", MINUS)


def change(value: float | None) -> str:
    """Format a change in percent with sign and two decimals: `+0.27 %`."""
    return UNKNOWN if value is None else f"{value:+.2f} %".replace("-", MINUS)


def unit(name: str, translate: Translate) -> str:
    """Format a unit: `kgCO2/m2` as `kgCO₂/m²`; "person" and "yuan" in the reader's language."""
    for plain, pretty in _SUPERSCRIPTS:
        name = name.replace(plain, pretty)
    return name.replace("person", translate("person")).replace("yuan", translate("yuan"))
