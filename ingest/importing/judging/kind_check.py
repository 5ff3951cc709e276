"""Tell registers and intervals apart by their values. Pure.

Laws:

1. A counter that falls repeatedly is no register.
2. Consumption goes up and down. Values that rise all the time are those of a register: a dozen may
   be chance, and are doubted; many can't be.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

#: Greatest number of falls of a register, and greatest share of its values. A register falls at a
#: replacement or a misreading. A series that exceeds both is no register.
_MAX_FALLS: Final = 3
_MAX_FALLING_SHARE: Final = 0.05
#: Fewest values that can show that they are those of a register.
_FEWEST: Final = 10
#: Fewest values that can't be amounts if they never fall.
_CERTAIN: Final = 50
#: Greatest share of falls, and least share of rises, of values of a register. A register stands
#: still at night.
_REGISTER_FALLS: Final = 0.01
_REGISTER_RISES: Final = 0.2


class Movement(msgspec.Struct, frozen=True):
    """Numbers of steps of a series.

    Attributes:
        count: number of values.
        falls: number of values below the one before.
        rises: number of values above the one before.
    """

    count: int
    falls: int
    rises: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Movement":
        """Return the movement of values in the order of time."""
        falls = sum(later < earlier for earlier, later in pairwise(values))
        rises = sum(later > earlier for earlier, later in pairwise(values))
        return cls(len(values), falls, rises)

    @property
    def is_no_register(self) -> bool:
        """True if the values fall too often for a register."""
        return self.falls > max(_MAX_FALLS, _MAX_FALLING_SHARE * self.count)

    @property
    def is_register(self) -> bool:
        """True if the values rise so steadily that they are no amounts."""
        return (
            self.count >= _FEWEST
            and self.falls <= _REGISTER_FALLS * self.count
            and self.rises >= _REGISTER_RISES * self.count
        )

    @property
    def is_certain(self) -> bool:
        """True if so many values can't rise by chance."""
        return self.count >= _CERTAIN
