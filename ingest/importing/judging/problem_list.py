"""List of the problems of a file: the first ones in full, the others as a count."""

from typing import Final

import msgspec

from jieneng.metering.errors import Problem

#: Number of problems that are listed. The others are only counted.
MAX_LISTED: Final = 100


class ProblemList:
    """The first problems of a file, with its name, and the count of all.

    Attributes:
        listed: the first `MAX_LISTED` problems.
        count: number of all problems.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.listed: list[Problem] = []
        self.count = 0

    def add(self, problem: Problem) -> None:
        """Add a problem."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(msgspec.structs.replace(problem, file=self._file))
