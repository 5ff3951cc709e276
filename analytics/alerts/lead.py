"""Decide which copy of the service holds the lead: plans and sends the notices. Pure.

Each copy writes a round to the store, with its claim to the lead, and reads those of the others.

Laws:

1. A copy is alive while its newest round changes from one look to the next. Times of different
   machines are never compared, so a clock that is wrong costs nobody the lead.
2. A copy claims the lead when no living copy has it, after `TAKEOVER_LOOKS` looks without a round
   of the last holder. It acts on its claim at the next look, if no other copy has claimed it, too.
3. Of two copies with a claim, the one with the lower id keeps it.
4. A look that fails, because the store is not there, does not count.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

#: Looks in a row without a new round of a copy after which it is dead.
TAKEOVER_LOOKS: Final = 3
#: A round that is older than this at the first look is of a copy that ended long ago [ms].
STALE_MS: Final = 3_600_000


class Claim(msgspec.Struct, frozen=True):
    """The newest round of a copy.

    Attributes:
        at_ms: time of the round, by the clock of the copy's machine [UTC, ms].
        is_holder: True if the copy claims the lead.
    """

    at_ms: int
    is_holder: bool


class _Seen(msgspec.Struct):
    """The newest round of another copy, and the looks since then without a new one."""

    claim: Claim
    looks: int = 0


class Lead:
    """The lead, as one copy sees it.

    Args:
        copy: id of this copy.

    Attributes:
        copy: id of this copy.
        has_claim: True if this copy claims the lead; its round has to say so.
        is_holder: True if this copy plans and sends notices.
    """

    def __init__(self, copy: str) -> None:
        self.copy = copy
        self._others: dict[str, _Seen] = {}
        self._is_first = True
        self.has_claim = False
        self.is_holder = False

    def look(self, claims: Mapping[str, Claim], now_ms: int) -> None:
        """Take in the newest round of each copy, and decide.

        Args:
            claims: the newest round of each copy, this one's included.
            now_ms: the time [UTC, ms].
        """
        for copy, claim in claims.items():
            if copy != self.copy:
                self._note(copy, claim, now_ms)
        rival = any(
            seen.claim.is_holder and seen.looks < TAKEOVER_LOOKS
            for copy, seen in self._others.items()
            if not self.has_claim or copy < self.copy
        )
        if self._is_first:
            self._is_first = False
            own = claims.get(self.copy)
            # A process that starts again soon goes on where the one before it ended.
            self.has_claim = own is not None and own.is_holder and not rival
        self.is_holder = self.has_claim and not rival
        self.has_claim = not rival

    def _note(self, copy: str, claim: Claim, now_ms: int) -> None:
        seen = self._others.get(copy)
        if seen is None:
            is_stale = self._is_first and claim.at_ms < now_ms - STALE_MS
            self._others[copy] = _Seen(claim, TAKEOVER_LOOKS if is_stale else 0)
        elif seen.claim.at_ms != claim.at_ms:
            self._others[copy] = _Seen(claim)
        else:
            seen.looks += 1
