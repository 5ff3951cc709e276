"""Split the change of a product into one effect for each of its factors. Pure.

The effect of a factor is its Shapley value: the change of the product when this factor alone goes
from its first to its second value, averaged over all orders in which the factors may change.

Laws:

1. The effects add up to the change.
2. If both years are exchanged, each effect changes only its sign.
3. A factor that does not change has the effect 0. A factor may be 0 in either year.

Sources: J. Albrecht, D. Francois, K. Schoors, "A Shapley decomposition of carbon emissions without
residuals", Energy Policy 30 (2002) 727-736; J. W. Sun, "Changes in energy consumption and energy
intensity: a complete decomposition model", Energy Economics 20 (1998) 85-100.
"""

from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def product_effects(
    before: "NDArray[np.float64]", after: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the effect of each factor on the change of products.

    Args:
        before: shape (factors, products), the factors of each product in the first year.
        after: shape (factors, products), the factors in the second year.

    Returns:
        Shape (factors, products), in the unit of the products. The sum over the factors is
        `after.prod(axis=0) - before.prod(axis=0)`.
    """
    count = len(before)
    effects = np.zeros_like(before)
    for factor in range(count):
        others = [one for one in range(count) if one != factor]
        for size in range(count):
            share = factorial(size) * factorial(count - size - 1) / factorial(count)
            for changed in combinations(others, size):
                kept = [one for one in others if one not in changed]
                rest = after[list(changed)].prod(axis=0) * before[kept].prod(axis=0)
                effects[factor] += share * rest
        effects[factor] *= after[factor] - before[factor]
    return effects
