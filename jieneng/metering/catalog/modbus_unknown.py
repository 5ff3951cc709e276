"""Derive the contents of registers that mean "no value", from type, model and fraction. Pure.

Laws:

1. The contents that mean "no value" are the usual one of the register's type
   (`RegisterType.no_value`) and those stated in the model. If the model states an empty list, every
   content is a value.
2. If a point consists of some bits of a register, no content means "no value".
3. If the scale of the fraction shows that its register continues the number's register with lower
   bits, both registers together are one wide number. The lower register takes every content while
   the number counts, so its content alone never means "no value". An unsigned higher register means
   "no value" only if the lower one does too.
"""

import math
from fractions import Fraction
from itertools import product
from typing import Final

import msgspec

from jieneng.metering.registers import TYPES, number_of

# The scale of a higher register, 2^-16 for example, may be written with fewer digits than it has.
_SCALE_TOLERANCE: Final = Fraction(1, 1000)


class FractionLayout(msgspec.Struct, frozen=True):
    """Type and scale of the register that is added to a number.

    Attributes:
        type: a name in `registers.TYPES`.
        scale: value of one unit of it, in units of the number.
    """

    type: str
    scale: Fraction


class UnknownContents(msgspec.Struct, frozen=True):
    """The contents that mean "no value", as unsigned numbers.

    Attributes:
        number: contents of the number's register, each of which is enough.
        fraction: contents of the fraction's register, each of which is enough.
        together: contents of the number and of the fraction that are enough if both are found.
    """

    number: tuple[int, ...] = ()
    fraction: tuple[int, ...] = ()
    together: tuple[int, int] | None = None


def unknown_contents(
    name: str, stated: tuple[int, ...] | None, fraction: FractionLayout | None = None
) -> UnknownContents:
    """Return the contents that mean "no value".

    Args:
        name: type of the number, a name in `registers.TYPES`.
        stated: contents that the model states; None if it states none.
        fraction: fraction of the number; None if it has none.
    """
    if stated == ():
        return UnknownContents()
    usual = _distinct(stated or (), _usual(name))
    if fraction is None:
        return UnknownContents(usual)
    joint = _joint_contents(name, stated or (), fraction)
    return joint or UnknownContents(usual, _usual(fraction.type))


def _joint_contents(
    name: str, stated: tuple[int, ...], fraction: FractionLayout
) -> UnknownContents | None:
    """Return the contents of two registers that are one number; None if they are two (law 3)."""
    number, other = TYPES[name].no_value, TYPES[fraction.type].no_value
    if number is None or other is None:
        return None
    if _continues(fraction.scale, Fraction(1), name):
        higher, signed = fraction.type, UnknownContents(stated, (other,))
    elif _continues(Fraction(1), fraction.scale, fraction.type):
        higher, signed = name, UnknownContents(_distinct(stated, (number,)))
    else:
        return None
    return UnknownContents(stated, (), (number, other)) if _is_unsigned(higher) else signed


def no_values(
    name: str, stated: tuple[int, ...] | None, fraction: FractionLayout | None = None
) -> tuple[Fraction, ...]:
    """Return the numbers that mean "no value", in units of the number's register.

    If any fraction may accompany the number, two results are returned for it: with the fraction 0,
    and with the fraction that itself means "no value". The arguments are those of
    `unknown_contents`.
    """
    contents = unknown_contents(name, stated, fraction)
    if fraction is None:
        return tuple(_finite(name, contents.number))
    numbers = _finite(name, contents.number)
    fractions = [Fraction(0), *_finite(fraction.type, contents.fraction)]
    pairs = list(product(numbers, fractions))
    if contents.together is not None:
        number, other = contents.together
        pairs += product(_finite(name, (number,)), _finite(fraction.type, (other,)))
    return tuple(number + other * fraction.scale for number, other in pairs)


def _usual(name: str) -> tuple[int, ...]:
    content = TYPES[name].no_value
    return () if content is None else (content,)


def _distinct(*contents: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(content for some in contents for content in some))


def _continues(unit: Fraction, lower_unit: Fraction, lower: str) -> bool:
    """Return True if a register of this unit counts how often the lower one has rolled over."""
    return abs(unit - lower_unit * (1 << TYPES[lower].bits)) < _SCALE_TOLERANCE * unit


def _is_unsigned(name: str) -> bool:
    return TYPES[name].no_value == (1 << TYPES[name].bits) - 1


def _finite(name: str, contents: tuple[int, ...]) -> list[Fraction]:
    """Return the finite numbers that contents show."""
    numbers = [number_of(name, content) for content in contents]
    return [Fraction(number) for number in numbers if math.isfinite(number)]
