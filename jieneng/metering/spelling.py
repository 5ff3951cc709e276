"""Find the known name that a misspelt one was meant to be. Pure.

Law: the nearest name is the one that takes the fewest edits to reach. An edit adds, removes or
replaces one letter, or swaps two neighbouring ones ("havc" is one edit away from "hvac").
"""

from collections.abc import Iterable
from typing import Final

#: Largest number of edits of a misspelling, divided by the number of letters of the longer name.
_MAX_EDITS_PER_LETTER: Final = 0.4
_LONGEST: Final = 64  # letters that are compared; no name is longer


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a misspelt one; None if none resembles it.

    Upper and lower case are taken as equal. Of names equally near, the first one is returned.
    """
    wanted = name.casefold()[:_LONGEST]
    candidates = [
        (edits, candidate)
        for candidate in known
        if (edits := _edit_distance(wanted, candidate.casefold()[:_LONGEST]))
        <= _MAX_EDITS_PER_LETTER * max(len(wanted), len(candidate[:_LONGEST]))
    ]
    return min(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _edit_distance(one: str, other: str) -> int:
    """Return the number of edits between two names (optimal string alignment distance)."""
    before, row = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before_that, before, row = before, row, [i]
        for j, other_letter in enumerate(other, 1):
            edits = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other_letter))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == other_letter:
                edits = min(edits, before_that[j - 2] + 1)
            row.append(edits)
    return row[-1]
