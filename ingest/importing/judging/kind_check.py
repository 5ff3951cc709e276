"""Tell registers and intervals apart by their values. Pure.

Laws:

1. Values that fall repeatedly are not a register.
2. Consumption goes up and down, and a register only rises. If values that are imported as
   consumption hardly ever fall, they look like a register. With fewer than 50 values this may be
   chance, so the problem is only reported as a doubt; with more, the file is refused.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

#: Largest number of falls of a register, and largest share of its values that fall. A register
#: falls at a replacement or a misreading. A series that exceeds both limits is no register.
_MAX_FALLS: Final = 3
_MAX_FALLING_SHARE: Final = 0.05
#: Smallest number of values that can look like a register.
_FEWEST: Final = 10
#: Smallest number of values at which steady rising can't be chance.
_CERTAIN: Final = 50
#: Largest share of falls and smallest share of rises of values that look like a register. The share
#: of rises is low because a register may stand still at night.
_REGISTER_FALLS: Final = 0.01
_REGISTER_RISES: Final = 0.2


class Movement(msgspec.Struct, frozen=True):
    """Numbers of rises and falls of a series.

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
        """True if the values rise as steadily as those of a register."""
        return (
            self.count >= _FEWEST
            and self.falls <= _REGISTER_FALLS * self.count
            and self.rises >= _REGISTER_RISES * self.count
        )

    @property
    def is_certain(self) -> bool:
        """True if there are so many values that steady rising can't be chance."""
        return self.count >= _CERTAIN
