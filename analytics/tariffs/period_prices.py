"""Compute the price of each price period from a published price.

Laws:

1. Peak price = flat price + peak share x purchase price component, and valley price = flat price -
   valley share x component. The shares are of the component only, because the fees for transport
   and the surcharges in the flat price do not vary with time.
2. Sharp price = sharp factor x peak price, and deep valley price = deep valley factor x valley
   price.
3. Prices are rounded to four decimals, half up, as the supplier publishes them.
4. Prices that a contract states are taken as they are; shares and factors are not applied to them.
   A period that the contract does not state has the price of the period that it replaces.

Source: 苏发改价格发〔2025〕426号. Pure: rows in, numbers out.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from analytics.tariffs.tariff import Price, Tariff
from jieneng.metering.quantities import PRICE_PERIODS, PricePeriod

_PUBLISHED: Final = Decimal("0.0001")


def period_prices(tariff: Tariff, price: Price) -> tuple[float, ...]:
    """Return the price of each of `PRICE_PERIODS`, in the tariff's unit; NaN if it is unknown."""
    if price.flat is None:
        return (math.nan,) * len(PRICE_PERIODS)
    flat = _decimal(price.flat)
    found: dict[PricePeriod, Decimal] = {"flat": flat}
    if price.purchase is None:
        found["peak"] = flat if price.peak is None else _decimal(price.peak)
        found["valley"] = flat if price.valley is None else _decimal(price.valley)
        found["sharp"] = found["peak"] if price.sharp is None else _decimal(price.sharp)
        found["deep_valley"] = (
            found["valley"] if price.deep_valley is None else _decimal(price.deep_valley)
        )
    else:
        component = _decimal(price.purchase)
        found["peak"] = _rounded(flat + _decimal(tariff.peak_share or 0.0) * component)
        found["valley"] = _rounded(flat - _decimal(tariff.valley_share or 0.0) * component)
        found["sharp"] = _rounded(_decimal(tariff.sharp_factor) * found["peak"])
        found["deep_valley"] = _rounded(_decimal(tariff.deep_valley_factor) * found["valley"])
    return tuple(float(found[period]) for period in PRICE_PERIODS)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PUBLISHED, ROUND_HALF_UP)
