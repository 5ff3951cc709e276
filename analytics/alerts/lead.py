"""Decide which copy of the service has the lead. Pure.

Only the copy with the lead evaluates rules and plans notices. In each round, a copy first reads the
newest rounds of all copies from the store; this is a look. Then the copy writes its own round with
its claim to the lead.

Laws:

1. A copy is alive while its newest round changes from one look to the next. Times of different
   machines are never compared, so a wrong clock cannot take the lead away from a copy.
2. A copy claims the lead when no living copy has a claim, that is after `TAKEOVER_LOOKS` looks
   without a new round of the last holder. The copy takes the lead at the next look, unless law 3
   applies.
3. If two copies claim the lead at the same time, the copy with the lower id keeps its claim.
4. A look that fails because the store can't be read does not count.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

#: Number of looks in a row without a new round of a copy after which the copy is dead.
TAKEOVER_LOOKS: Final = 3
#: Age from which on a round at the first look is from a copy that ended long ago [ms].
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
    """The newest round of another copy, and the number of looks since its last new round."""

    claim: Claim
    looks: int = 0


class Lead:
    """Decides for one copy of the service if it has the lead.

    Args:
        copy: id of this copy.

    Attributes:
        copy: id of this copy.
        has_claim: True if this copy claims the lead; the caller writes the claim with its round.
        is_holder: True if this copy has the lead.
    """

    def __init__(self, copy: str) -> None:
        self.copy = copy
        self._others: dict[str, _Seen] = {}
        self._is_first = True
        self.has_claim = False
        self.is_holder = False

    def look(self, claims: Mapping[str, Claim], now_ms: int) -> None:
        """Update `has_claim` and `is_holder` from the newest round of each copy.

        Args:
            claims: the newest round of each copy, also of this copy.
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
            # After a quick restart, this copy still has the claim of its previous process.
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
