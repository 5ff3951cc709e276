"""Effects of the factors of a product, against the definition and against numbers by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.figures.decomposition.product_effects import product_effects

#: Two years of three products with four factors, zeros and negative numbers included.
YEARS = arrays(np.float64, (2, 4, 3), elements=st.integers(-20, 20).map(lambda n: n / 4))


def test_two_factors_share_the_joint_part_equally() -> None:
    """10 x 5 -> 12 x 4: 2 x (5 + 4) / 2 = 9, and -1 x (10 + 12) / 2 = -11."""
    effects = product_effects(np.array([[10.0], [5.0]]), np.array([[12.0], [4.0]]))
    assert effects[:, 0] == pytest.approx([9.0, -11.0])


@given(YEARS)
def test_the_effects_add_up_to_the_change(years: np.ndarray) -> None:
    effects = product_effects(years[0], years[1])
    change = years[1].prod(axis=0) - years[0].prod(axis=0)
    assert effects.sum(axis=0) == pytest.approx(change, abs=1e-9)


@given(YEARS)
def test_exchanged_years_change_only_the_signs(years: np.ndarray) -> None:
    forth, back = product_effects(years[0], years[1]), product_effects(years[1], years[0])
    assert forth == pytest.approx(-back, abs=1e-9)


@given(YEARS, st.integers(0, 3))
def test_a_factor_that_does_not_change_has_no_effect(years: np.ndarray, factor: int) -> None:
    years = years.copy()
    years[1, factor] = years[0, factor]
    assert not product_effects(years[0], years[1])[factor].any()
