"""Numbers that are a function of their place."""

import numpy as np

from simulators.load.seeded_noise import near_normal, noise_key, uniform


def test_the_published_test_vector_of_splitmix64() -> None:
    """The first outputs for seed 0, as in the reference implementation (prng.di.unimi.it)."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    ours = uniform(0, np.asarray([1, 2, 3]))
    assert ours.tolist() == [(number >> 11) / 2.0**53 for number in published]


def test_any_number_can_be_asked_without_the_others() -> None:
    key = noise_key(1, "huaian-centre", "e-main")
    together = near_normal(key, np.arange(-50, 5000))
    assert near_normal(key, np.asarray([3210])).tolist() == [together[3260]]


def test_the_bell_has_mean_zero_and_deviation_one() -> None:
    numbers = near_normal(noise_key("a"), np.arange(100_000))
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1.0) < 0.01
    assert np.abs(numbers).max() < 3.47


def test_keys_of_different_places_differ() -> None:
    assert (
        len(
            {
                noise_key(1, "ab", "c"),
                noise_key(1, "a", "bc"),
                noise_key(2, "ab", "c"),
                noise_key(1, "abc"),
            }
        )
        == 4
    )
