"""Choose the time at which an entry of the outbox is sent again after a failure. Pure.

Laws:

1. While a receiver can't be reached, tries never end, because the network may be down for days.
2. If a receiver refuses a message (wrong address, wrong key), tries continue at growing intervals
   for at least a day, so that a person can correct the mistake. Then the entry is given up.
"""

from typing import Final, Literal

import msgspec

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0

#: Waits after tries that did not reach the server [s]; the last wait is repeated.
UNREACHABLE_WAITS_S: Final = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0)
#: Waits after refusals [s]; the last wait is repeated. The eighth try is 29 hours after the first.
REFUSED_WAITS_S: Final = (
    _MINUTE_S,
    5 * _MINUTE_S,
    30 * _MINUTE_S,
    2 * _HOUR_S,
    6 * _HOUR_S,
    10 * _HOUR_S,
)
#: Time after the first refusal from which on an entry is given up [ms].
GIVE_UP_MS: Final = 24 * 3_600_000
#: Wait after the receiver asked for fewer messages [s]. DingTalk blocks a robot for 10 minutes that
#: sends more than 20 messages a minute.
LIMITED_WAIT_S: Final = 660.0

#: Result of a try: `sent`; `refused`, whose cause only a person can correct; `limited`, for too
#: many messages; `unreachable` for every other failure.
OutcomeKind = Literal["sent", "refused", "limited", "unreachable"]


class Outcome(msgspec.Struct, frozen=True):
    """The result of a try to send a message.

    Attributes:
        kind: kind of the result.
        reason: reason of a failure, a msgid, without address and secrets; empty without a failure.
    """

    kind: OutcomeKind
    reason: str = ""


class RetryState(msgspec.Struct, frozen=True, kw_only=True):
    """The failed tries of an entry.

    Attributes:
        unreachable: number of tries in a row that did not reach the server.
        refused: number of refusals.
        refused_since_ms: time of the first refusal [UTC, ms]; 0 without a refusal.
    """

    unreachable: int = 0
    refused: int = 0
    refused_since_ms: int = 0


def after_failure(
    state: RetryState, outcome: Outcome, now_ms: int
) -> tuple[RetryState, int | None]:
    """Return the state after a failed try, and the time of the next try [UTC, ms].

    Returns:
        None as the time if the entry is given up.
    """
    if outcome.kind == "limited":
        return state, now_ms + round(LIMITED_WAIT_S * 1000)
    if outcome.kind == "unreachable":
        wait_s = UNREACHABLE_WAITS_S[min(state.unreachable, len(UNREACHABLE_WAITS_S) - 1)]
        return (
            msgspec.structs.replace(state, unreachable=state.unreachable + 1),
            now_ms + round(wait_s * 1000),
        )
    wait_s = REFUSED_WAITS_S[min(state.refused, len(REFUSED_WAITS_S) - 1)]
    new = RetryState(refused=state.refused + 1, refused_since_ms=state.refused_since_ms or now_ms)
    if now_ms - new.refused_since_ms >= GIVE_UP_MS:
        return new, None
    return new, now_ms + round(wait_s * 1000)
