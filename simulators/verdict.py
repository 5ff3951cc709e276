"""The verdict on an answer of a simulated meter: whether a reader must, may or must not keep it."""

from typing import Literal

#: good: whole, right and in time; a reader must keep it. doubtful: a careful reader may keep it or
#: not. bad: a reader must not believe it.
Verdict = Literal["good", "doubtful", "bad"]
