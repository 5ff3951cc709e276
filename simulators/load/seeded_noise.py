"""Random numbers as a function of a key and an index. Pure.

Any number of a sequence can be computed without the others.

Law: the same key and index give the same number on every machine and in every version of numpy. The
generators of numpy do not promise that. Key and index are mixed into a number by SplitMix64
(Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators").
"""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


def noise_key(*parts: object) -> int:
    """Return a 64-bit key made from the parts, such as seed, site, meter and purpose."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def uniform(key: int, index: Ints) -> Floats:
    """Return uniformly distributed numbers in [0, 1)."""
    state = index.astype(np.uint64) * _GAMMA + np.uint64(key)
    for shift, factor in _MIX:
        state = (state ^ (state >> shift)) * factor
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def near_normal(key: int, index: Ints) -> Floats:
    """Return bell-shaped numbers: mean 0, standard deviation 1, within +-3.46.

    Each is the scaled sum of four uniform numbers (Irwin-Hall).
    """
    total = uniform(key, 4 * index)
    for part in (1, 2, 3):
        total = total + uniform(key, 4 * index + part)
    return np.asarray((total - 2.0) * np.sqrt(3.0))
