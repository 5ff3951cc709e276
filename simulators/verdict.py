"""The verdict on an answer of a simulated meter: a reader must keep, may keep or must reject it."""

from typing import Literal

#: good: the answer is complete, right and in time; a reader must keep it.
#: doubtful: a reader may keep the answer or reject it.
#: bad: the answer is damaged, wrong or too late; a reader must reject it.
Verdict = Literal["good", "doubtful", "bad"]
